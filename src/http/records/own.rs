//! `GET /resources/{code}/records`: an owner's integrator reads its own resource.

use std::num::NonZeroU64;

use axum::extract::State;
use axum::response::IntoResponse as _;
use changtong_catalog::ids::ResourceCode;
use changtong_connectors::gate::OwnRead;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde::Deserialize;

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
}

pub async fn own(
    State(app): State<Web>,
    Known(caller): Known,
    At(resource): At<ResourceCode>,
    Asked(read): Asked<Read>,
) -> Answer {
    let Read { cursor, limit, max_bytes } = read;
    let (limit, max_bytes) = (limit.map(NonZeroU64::get), max_bytes.map(NonZeroU64::get));
    let page = own_records::read(&app, &caller, OwnRead { resource, cursor, limit, max_bytes }).await?;
    Ok(([(CONTENT_TYPE, "application/x-ndjson"), (CACHE_CONTROL, "no-store")], page.body).into_response())
}
