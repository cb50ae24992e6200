//! `POST /quarantine/{id}/replay?overwrite=`: publishes the record again, as it came or, where the body holds one, as
//! corrected; once however often it is asked.

use axum::Json;
use axum::extract::{Request, State};
use changtong_catalog::ids::QuarantineId;
use changtong_connectors::gate::Replay;
use serde::Deserialize;

use super::{owned, place};
use crate::http::parts::{Asked, At};
use crate::http::problem::Answer;
use crate::http::records::{Published, format};
use crate::http::{Known, Web, body};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Although the table has a newer record of the key.
    #[serde(default)]
    overwrite: bool,
}

pub async fn replay(
    State(app): State<Web>,
    Known(caller): Known,
    At(id): At<QuarantineId>,
    Asked(options): Asked<Options>,
    request: Request,
) -> Answer<Json<Published>> {
    let (entry, _) = owned(&app, &caller, id).await?;
    let (parts, stream) = request.into_parts();
    let body = body::read(&parts.headers, stream, app.body_limits(), app.gate.budget()).await?;
    // Like every action without options it may be POSTed with an empty document.
    let corrected = match body.bytes.trim_ascii() {
        b"" | b"{}" => None,
        _ => Some((format(&parts.headers)?, body)),
    };
    let replay = Replay { caller, aside: place(&entry), corrected, overwrite: options.overwrite };
    Ok(Json(app.gate.replay(replay).await?.into()))
}
