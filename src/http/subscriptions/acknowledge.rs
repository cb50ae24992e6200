//! `POST /subscriptions/{id}/acks`

use axum::extract::State;
use changtong_catalog::ids::{SubscriptionId, WindowId};
use changtong_connectors::gate::Acknowledge;
use http::StatusCode;
use serde::Deserialize;

use crate::http::parts::{At, Document};
use crate::http::problem::Answer;
use crate::http::{Known, Web};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ack {
    next: String,
    #[serde(default)]
    window: Option<WindowId>,
    #[serde(default)]
    digest: Option<String>,
}

/// Acknowledging twice does what once does, so it takes no idempotency key.
pub async fn acknowledge(
    State(app): State<Web>,
    Known(caller): Known,
    At(subscription): At<SubscriptionId>,
    Document { value: Ack { next, window, digest }, .. }: Document<Ack>,
) -> Answer<StatusCode> {
    app.gate.acknowledge(Acknowledge { caller, subscription, next, window, digest }).await?;
    Ok(StatusCode::NO_CONTENT)
}
