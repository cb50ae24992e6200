//! `GET /subscriptions/{id}/records`: deliver (interface.md 6). Pieces are handed on as the gate lets them out; where it
//! ends the delivery, the connection is reset.

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::SubscriptionId;
use changtong_connectors::gate::{Delivery, Poll};
use http::HeaderMap;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use serde::Deserialize;

use crate::http::parts::{Asked, At};
use crate::http::problem::Answer;
use crate::http::{Known, Web};
use crate::settings::Setting as _;

const NDJSON: &str = "application/x-ndjson";

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    cursor: Option<String>,
    limit: Option<u64>,
    max_bytes: Option<u64>,
    wait: Option<String>,
}

pub async fn deliver(
    State(app): State<Web>,
    Known(caller): Known,
    At(subscription): At<SubscriptionId>,
    Asked(read): Asked<Read>,
    headers: HeaderMap,
) -> Answer {
    acceptable(&headers)?;
    let poll = Poll {
        caller,
        subscription,
        purpose: purpose(&headers)?,
        cursor: read.cursor,
        limit: read.limit,
        max_bytes: read.max_bytes,
        wait: wait(read.wait.as_deref())?,
    };
    Ok(streamed(app.gate.deliver(poll).await?))
}

fn streamed(delivery: Delivery) -> Response {
    let pieces = futures::stream::unfold(delivery, async |mut delivery| {
        let piece = delivery.next_piece().await?;
        Some((piece, delivery))
    });
    ([(CONTENT_TYPE, NDJSON), (CACHE_CONTROL, "no-store")], Body::from_stream(pieces)).into_response()
}

fn acceptable(headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(accept) = headers.get(ACCEPT) else { return Ok(()) };
    let text = accept.to_str().unwrap_or_default();
    let taken = |range: &str| {
        matches!(range.split(';').next().unwrap_or_default().trim(), NDJSON | "application/*" | "*/*")
    };
    if text.split(',').any(taken) {
        return Ok(());
    }
    Err(Refusal::new(
        Code::NotAcceptable,
        format!("记录以 {NDJSON} 交付,请在 Accept 中接受它"),
        format!("records are delivered as {NDJSON}; accept it"),
    ))
}

fn purpose(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(value) = headers.get("changtong-purpose") else { return Ok(None) };
    let bad = |_| {
        Refusal::new(Code::BadHeader, "Changtong-Purpose 有误", "Changtong-Purpose is malformed")
            .with("header", "Changtong-Purpose")
    };
    value.to_str().map(|text| Some(text.trim().to_owned())).map_err(bad)
}

fn wait(text: Option<&str>) -> Result<std::time::Duration, Refusal> {
    let Some(text) = text else { return Ok(std::time::Duration::ZERO) };
    std::time::Duration::parse(text)
        .map_err(|reason| Refusal::new(Code::BadRequest, "wait 应为时长,例如 30s", format!("wait: {reason}")))
}
