//! `POST /quarantine/{id}/discard`

use axum::extract::State;
use changtong_catalog::clock::Clock as _;
use changtong_catalog::ids::QuarantineId;
use http::StatusCode;

use super::owned;
use crate::http::parts::At;
use crate::http::problem::Answer;
use crate::http::{Known, Web};

pub async fn discard(
    State(app): State<Web>,
    Known(caller): Known,
    At(id): At<QuarantineId>,
) -> Answer<StatusCode> {
    let (entry, _) = owned(&app, &caller, id).await?;
    app.store.discard_quarantined(&caller, &entry, app.clock.now(), &*app.ids).await?;
    Ok(StatusCode::NO_CONTENT)
}
