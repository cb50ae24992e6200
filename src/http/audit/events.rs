//! `GET /audit/events`: a page of JSON, or with `Accept: application/x-ndjson` everything that fits, one body a line,
//! byte for byte as it was hashed.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use changtong_catalog::account::Role;
use changtong_catalog::audit::EventCode;
use changtong_catalog::clock::Time;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::store::{EventFilter, EventPlace, Page, StoredEvent};
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::http::page::{Listed, rows};
use crate::http::parts::Asked;
use crate::http::problem::Answer;
use crate::http::{Known, Web, agencies};

const NDJSON: &str = "application/x-ndjson";
/// Rows read at once while everything is streamed.
const STEP: i64 = 1000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// Credit code or alias of the actor's agency.
    agency: Option<String>,
    resource: Option<String>,
    grant: Option<changtong_catalog::ids::GrantId>,
    code: Option<String>,
    from: Option<Time>,
    to: Option<Time>,
    after: Option<String>,
    limit: Option<usize>,
}

pub async fn events(
    State(app): State<Web>,
    Known(caller): Known,
    Asked(search): Asked<Search>,
    headers: HeaderMap,
) -> Answer {
    caller.require(Role::Auditor)?;
    let filter = filter(&app, &search).await?;
    let after = search.after.as_deref().map(place).transpose()?;
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accept.contains(NDJSON) {
        return Ok(streamed(app, filter, after));
    }
    let most = rows(search.limit)?;
    let ask = i64::try_from(most + 1).unwrap_or(i64::MAX);
    let mut items = app.store.read().await?.events(&filter, after, ask).await?;
    let more = items.len() > most;
    items.truncate(most);
    let next = items.last().filter(|_| more).map(|last| text(last.place()));
    let items = items.iter().map(body).collect::<Result<Vec<_>, Refusal>>()?;
    Ok(Json(Listed::of(Page { items, next }, |event| event)).into_response())
}

async fn filter(app: &Web, search: &Search) -> Result<EventFilter, Refusal> {
    let mut session = app.store.read().await?;
    let agency = match &search.agency {
        Some(name) => Some(agencies::named(&mut session, name).await?.id),
        None => None,
    };
    let resource = match &search.resource {
        Some(code) => Some(
            session
                .resource_number(&code.parse()?)
                .await?
                .ok_or_else(|| Refusal::not_found("信息资源", "resource"))?,
        ),
        None => None,
    };
    let code = search.code.as_deref().map(event_code).transpose()?;
    Ok(EventFilter { agency, resource, grant: search.grant, code, from: search.from, to: search.to })
}

fn event_code(text: &str) -> Result<EventCode, Refusal> {
    EventCode::ALL.iter().copied().find(|code| code.as_str() == text).ok_or_else(|| {
        Refusal::new(
            Code::BadRequest,
            format!("没有名为“{text}”的事件;全部事件见 docs/events.md"),
            format!("there is no event \"{text}\"; docs/events.md lists all of them"),
        )
    })
}

fn streamed(app: Web, filter: EventFilter, after: Option<EventPlace>) -> Response {
    let steps = futures::stream::unfold(Some(after), move |after| {
        let (app, filter) = (app.clone(), filter.clone());
        async move {
            let after = after?;
            let read = async { app.store.read().await?.events(&filter, after, STEP).await };
            match read.await {
                // The connection breaks: a reader never takes half for all.
                Err(refusal) => Some((Err(refusal), None)),
                Ok(rows) if rows.is_empty() => None,
                Ok(rows) => {
                    let next = rows.last().map(|row| Some(row.place()));
                    let mut lines = Vec::new();
                    for row in &rows {
                        lines.extend_from_slice(&row.body);
                        lines.push(b'\n');
                    }
                    Some((Ok(Bytes::from(lines)), next))
                }
            }
        }
    });
    ([(CONTENT_TYPE, NDJSON)], Body::from_stream(steps)).into_response()
}

fn body(event: &StoredEvent) -> Result<Box<RawValue>, Refusal> {
    let text = String::from_utf8(event.body.clone()).ok();
    text.and_then(|text| RawValue::from_string(text).ok()).ok_or_else(|| {
        Refusal::new(Code::Internal, "存储的审计事件不是 JSON", "a stored audit event is not JSON")
    })
}

fn text(place: EventPlace) -> String {
    format!("{}.{}", place.day, place.id)
}

fn place(text: &str) -> Result<EventPlace, Refusal> {
    let read = || {
        let (day, id) = text.split_once('.')?;
        Some(EventPlace { day: day.parse().ok()?, id: id.parse().ok()? })
    };
    read().ok_or_else(|| {
        Refusal::new(
            Code::BadRequest,
            "after 不是本服务给出的游标:请使用上一页答复中的 next",
            "after is not a cursor of this service: use `next` of the page before",
        )
    })
}
