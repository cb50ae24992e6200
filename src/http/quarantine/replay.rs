//! `POST /quarantine/{id}/replay`: publishes the record again, once however often it is asked.

use axum::Json;
use axum::extract::State;
use changtong_catalog::clock::Clock as _;
use changtong_catalog::error::Code;
use changtong_catalog::ids::QuarantineId;

use super::{owned, place};
use crate::http::parts::At;
use crate::http::problem::Answer;
use crate::http::records::Published;
use crate::http::{Known, Web};

pub async fn replay(
    State(app): State<Web>,
    Known(caller): Known,
    At(id): At<QuarantineId>,
) -> Answer<Json<Published>> {
    let (entry, _) = owned(&app, &caller, id).await?;
    let receipt = app.gate.replay(&caller, &place(&entry)).await?;
    let marked = app.store.mark_replayed(&caller, &entry, receipt.batch, app.clock.now(), &*app.ids).await;
    match marked {
        // It was published, and marked, by an earlier call: this one gets the same receipt.
        Err(refusal) if refusal.code == Code::InvalidState && receipt.replayed => {}
        other => other?,
    }
    Ok(Json(receipt.into()))
}
