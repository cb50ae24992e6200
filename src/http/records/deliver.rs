//! `GET /subscriptions/{id}/records`: deliver (interface.md 6). Pieces are handed on as the gate lets them out; where it
//! ends the delivery, the connection is reset.

use std::num::NonZeroU64;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::SubscriptionId;
use changtong_connectors::gate::{Delivery, File, Follow, Poll};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use serde::Deserialize;

use super::stream::{self, EVENTS};
use crate::http::parts::{Asked, At};
use crate::http::problem::{Answer, Language};
use crate::http::{Known, Web};
use crate::settings::Setting as _;

const NDJSON: &str = "application/x-ndjson";
pub(super) const AVRO: &str = "application/avro";

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    cursor: Option<String>,
    limit: Option<NonZeroU64>,
    max_bytes: Option<NonZeroU64>,
    wait: Option<String>,
}

pub async fn deliver(
    State(app): State<Web>,
    Known(caller): Known,
    At(subscription): At<SubscriptionId>,
    Asked(read): Asked<Read>,
    headers: HeaderMap,
) -> Answer {
    let (purpose, form) = (purpose(&headers)?, form(&headers)?);
    if form == Form::Events {
        let bounds = [read.limit.is_some(), read.max_bytes.is_some(), read.wait.is_some()];
        stream::unbounded(["limit", "max_bytes", "wait"], bounds)?;
        // A client that reconnects asks for the address of its first request again, with its `cursor`.
        let cursor = stream::last_event_id(&headers)?.or(read.cursor);
        let events = app.gate.follow(Follow { caller, subscription, purpose, cursor }).await?;
        return Ok(stream::streamed(events, Language::of(&headers)));
    }
    let poll = Poll {
        caller,
        subscription,
        purpose,
        cursor: read.cursor,
        limit: read.limit.map(NonZeroU64::get),
        max_bytes: read.max_bytes.map(NonZeroU64::get),
        wait: wait(read.wait.as_deref())?,
    };
    if form == Form::File {
        return filed(app.gate.deliver_file(poll).await?);
    }
    Ok(streamed(app.gate.deliver(poll).await?))
}

fn streamed(delivery: Delivery) -> Response {
    let pieces = futures::stream::unfold(delivery, async |mut delivery| {
        let piece = delivery.next_piece().await?;
        Some((piece, delivery))
    });
    ([(CONTENT_TYPE, NDJSON), (CACHE_CONTROL, "no-store")], Body::from_stream(pieces)).into_response()
}

fn filed(file: File) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(AVRO));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_LENGTH, file.length.into());
    let told = [
        ("changtong-next", Some(file.next.clone())),
        ("changtong-window", file.window.map(|window| window.to_string())),
        ("changtong-digest", file.digest.clone()),
    ];
    for (name, value) in told {
        let Some(value) = value else { continue };
        headers.insert(name, HeaderValue::try_from(value).map_err(|_| unsayable(name))?);
    }
    let pieces = futures::stream::unfold(file, async |mut file| {
        let piece = file.next_piece().await?;
        Some((piece, file))
    });
    Ok((headers, Body::from_stream(pieces)).into_response())
}

pub(super) fn unsayable(header: &str) -> Refusal {
    Refusal::new(
        Code::Internal,
        format!("无法写出应答头 {header}"),
        format!("the header {header} cannot be written"),
    )
}

/// What an answer can look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Lines,
    Events,
    /// A container file; what the last line would say stands in headers.
    File,
}

/// The first form that the client names; lines where it takes anything.
pub(super) fn form(headers: &HeaderMap) -> Result<Form, Refusal> {
    let Some(accept) = headers.get(ACCEPT) else { return Ok(Form::Lines) };
    let named = |range: &str| match range.split(';').next().unwrap_or_default().trim() {
        NDJSON | "application/*" | "*/*" => Some(Form::Lines),
        EVENTS | "text/*" => Some(Form::Events),
        AVRO => Some(Form::File),
        _ => None,
    };
    let first = accept.to_str().unwrap_or_default().split(',').find_map(named);
    first.ok_or_else(|| {
        Refusal::new(
            Code::NotAcceptable,
            format!("记录以 {NDJSON}、{AVRO} 或 {EVENTS} 交付,请在 Accept 中接受其一"),
            format!("records are delivered as {NDJSON}, {AVRO} or {EVENTS}; accept one of them"),
        )
    })
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
