//! `POST /resources/{code}/revise`: needs `If-Match`.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse as _;
use changtong_catalog::actions::revise_resource;
use changtong_catalog::error::Refusal;
use changtong_catalog::ids::ResourceCode;
use changtong_catalog::resource::ResourceFile;
use http::header::ETAG;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::Shown;
use crate::http::Web;
use crate::http::command::Command;
use crate::http::etag::etag;
use crate::http::parts::{At, document};
use crate::http::problem::Answer;

pub async fn revise(
    State(app): State<Web>,
    At(code): At<ResourceCode>,
    command: Command<Box<RawValue>>,
) -> Answer {
    let call = command.call(&app, "revise_resource", &code);
    let file = brought(&command.document)?;
    let done = revise_resource(&app.store, &call.act(), &code, command.expected, file).await?;
    let shown = Shown::to(&command.caller, &done.object)?;
    Ok(([(ETAG, etag(done.object.version))], Json(shown)).into_response())
}

/// Without a member, or without a body, what waits is meant.
fn brought(body: &RawValue) -> Result<Option<ResourceFile>, Refusal> {
    let bytes = body.get().as_bytes();
    let members: Map<String, Value> = document(bytes)?;
    if members.is_empty() { Ok(None) } else { document(bytes).map(Some) }
}
