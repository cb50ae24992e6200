//! `GET /resources/{code}/records`: an owner's integrator reads its own resource.

use std::num::NonZeroU64;

use axum::extract::State;
use axum::response::IntoResponse as _;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::ResourceCode;
use changtong_connectors::gate::OwnRead;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use serde::Deserialize;

use super::deliver::{AVRO, Form, form, unsayable};
use crate::http::parts::{Asked, At};
use crate::http::problem::Answer;
use crate::http::{Known, Web};
use crate::own_records;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    cursor: Option<String>,
    limit: Option<NonZeroU64>,
    max_bytes: Option<NonZeroU64>,
    version: Option<i32>,
}

pub async fn own(
    State(app): State<Web>,
    Known(caller): Known,
    At(resource): At<ResourceCode>,
    Asked(read): Asked<Read>,
    headers: HeaderMap,
) -> Answer {
    let file = match form(&headers)? {
        Form::Lines => false,
        Form::File => true,
        Form::Events => return Err(no_stream().into()),
    };
    let Read { cursor, limit, max_bytes, version } = read;
    let (limit, max_bytes) = (limit.map(NonZeroU64::get), max_bytes.map(NonZeroU64::get));
    let read = OwnRead { resource, cursor, limit, max_bytes, file, version };
    let page = own_records::read(&app, &caller, read).await?;
    let media = if file { AVRO } else { "application/x-ndjson" };
    let mut answer = ([(CONTENT_TYPE, media), (CACHE_CONTROL, "no-store")], page.body).into_response();
    if file {
        let next = HeaderValue::try_from(page.next).map_err(|_| unsayable("changtong-next"))?;
        answer.headers_mut().insert("changtong-next", next);
    }
    Ok(answer)
}

fn no_stream() -> Refusal {
    Refusal::new(
        Code::NotAcceptable,
        format!("读取本机构的记录以 application/x-ndjson 或 {AVRO} 应答,没有事件流"),
        format!(
            "an owner's own reading is answered as application/x-ndjson or {AVRO}; it has no event stream"
        ),
    )
}
