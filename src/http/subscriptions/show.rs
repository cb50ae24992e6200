//! `GET /subscriptions/{id}`

use axum::Json;
use axum::extract::State;
use changtong_catalog::ids::SubscriptionId;
use serde::Serialize;

use super::{Shown, visible};
use crate::http::parts::At;
use crate::http::problem::Answer;
use crate::http::{Known, Web};

#[derive(Debug, Serialize)]
pub struct WithCursor {
    #[serde(flatten)]
    subscription: Shown,
    /// The cursor of its position.
    next: String,
}

pub async fn show(
    State(app): State<Web>,
    Known(caller): Known,
    At(id): At<SubscriptionId>,
) -> Answer<Json<WithCursor>> {
    let subscription = visible(&mut app.store.read().await?, &caller, id).await?;
    let next = app.gate.position(id).await?;
    Ok(Json(WithCursor { subscription: subscription.into(), next }))
}
