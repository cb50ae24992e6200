//! `GET /quarantine/{id}`: with the record as it came. Its event is written before its bytes are shown.

use axum::Json;
use axum::extract::State;
use changtong_catalog::clock::Clock as _;
use changtong_catalog::ids::QuarantineId;
use changtong_connectors::gate::Format;
use serde::Serialize;

use super::{Shown, owned, place};
use crate::http::parts::At;
use crate::http::problem::Answer;
use crate::http::{Known, Web};

#[derive(Debug, Serialize)]
pub struct WithRecord {
    #[serde(flatten)]
    entry: Shown,
    format: &'static str,
    /// The record as it came; what is not UTF-8 is replaced.
    record: String,
}

pub async fn show(
    State(app): State<Web>,
    Known(caller): Known,
    At(id): At<QuarantineId>,
) -> Answer<Json<WithRecord>> {
    let (entry, resource) = owned(&app, &caller, id).await?;
    let original = app.gate.original(&caller, &place(&entry)).await?;
    app.store.show_quarantined(&caller, &entry, app.clock.now(), &*app.ids).await?;
    let format = match original.format {
        Format::Ndjson | Format::JsonArray => "json",
        Format::Csv => "csv",
    };
    let record = String::from_utf8_lossy(&original.bytes).into_owned();
    Ok(Json(WithRecord { entry: Shown::of(entry, resource), format, record }))
}
