//! Event streams (`Accept: text/event-stream`): what the gate says, as it says it, and in the caller's language why a
//! stream ended.

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use changtong_catalog::error::{Code, Refusal};
use changtong_connectors::gate::{EventStream, Frame};
use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde_json::Value;

use crate::http::problem::{Language, members};

pub(super) const EVENTS: &str = "text/event-stream";

/// Where a client that lost its stream goes on: the id of the last event that it saw.
const LAST_EVENT_ID: &str = "last-event-id";

pub(super) fn last_event_id(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(value) = headers.get(LAST_EVENT_ID).filter(|value| !value.is_empty()) else { return Ok(None) };
    let bad = |_| {
        Refusal::new(Code::BadHeader, "Last-Event-ID 有误", "Last-Event-ID is malformed")
            .with("header", "Last-Event-ID")
    };
    value.to_str().map(|text| Some(text.trim().to_owned())).map_err(bad)
}

/// A stream sends what there is as it comes: it takes none of a poll's bounds.
pub(super) fn unbounded<const N: usize>(names: [&str; N], given: [bool; N]) -> Result<(), Refusal> {
    match names.iter().zip(given).find(|(_, given)| *given) {
        None => Ok(()),
        Some((name, _)) => Err(Refusal::new(
            Code::BadRequest,
            format!("事件流不接受参数 {name}"),
            format!("an event stream does not take `{name}`"),
        )
        .with("parameter", *name)),
    }
}

pub(super) fn streamed(stream: EventStream, language: Language) -> Response {
    let frames = futures::stream::unfold(stream, move |mut stream| async move {
        let said = stream.next().await?.map(|frame| match frame {
            Frame::Bytes(bytes) => bytes,
            Frame::End { refusal, next } => end_event(&refusal, next, language),
        });
        Some((said, stream))
    });
    // A proxy that gathers an answer before it passes it on would hold events back.
    let headers =
        [(CONTENT_TYPE.as_str(), EVENTS), (CACHE_CONTROL.as_str(), "no-store"), ("x-accel-buffering", "no")];
    (headers, Body::from_stream(frames)).into_response()
}

/// The members of the problem that the next call would be answered with, and where it may go on.
fn end_event(refusal: &Refusal, next: String, language: Language) -> Bytes {
    let mut members = members(refusal, language);
    members.insert("next".to_owned(), Value::from(next));
    if let Some(after) = refusal.retry_after {
        members.insert("retry_after".to_owned(), Value::from(after.as_millis().div_ceil(1000).max(1) as u64));
    }
    format!("event: end\ndata: {}\n\n", Value::Object(members)).into()
}
