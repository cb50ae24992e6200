//! `GET /subscriptions/{id}`

use axum::Json;
use axum::extract::State;
use changtong_catalog::ids::SubscriptionId;

use super::{Shown, visible};
use crate::http::parts::At;
use crate::http::problem::Answer;
use crate::http::{Known, Web};

pub async fn show(
    State(app): State<Web>,
    Known(caller): Known,
    At(id): At<SubscriptionId>,
) -> Answer<Json<Shown>> {
    Ok(Json(visible(&mut app.store.read().await?, &caller, id).await?.into()))
}
