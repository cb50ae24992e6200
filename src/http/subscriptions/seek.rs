//! `POST /subscriptions/{id}/seek`

use axum::Json;
use axum::extract::State;
use changtong_catalog::ids::SubscriptionId;
use serde::{Deserialize, Serialize};

use super::place::from;
use crate::http::parts::{At, Document};
use crate::http::problem::Answer;
use crate::http::{Known, Web};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seek {
    from: String,
}

#[derive(Debug, Serialize)]
pub struct Sought {
    /// The cursor of the new position.
    next: String,
}

pub async fn seek(
    State(app): State<Web>,
    Known(caller): Known,
    At(subscription): At<SubscriptionId>,
    Document { value, .. }: Document<Seek>,
) -> Answer<Json<Sought>> {
    let next = app.gate.seek(&caller, subscription, &from(&value.from)).await?;
    Ok(Json(Sought { next }))
}
