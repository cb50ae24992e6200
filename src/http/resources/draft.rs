//! `POST /resources`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse as _;
use changtong_catalog::actions::draft_resource;
use changtong_catalog::resource::ResourceFile;
use http::StatusCode;
use http::header::ETAG;

use super::Shown;
use crate::http::Web;
use crate::http::command::Command;
use crate::http::etag::etag;
use crate::http::problem::Answer;

pub async fn draft(State(app): State<Web>, command: Command<ResourceFile>) -> Answer {
    let call = command.call(&app, "draft_resource", "");
    let done = draft_resource(&app.store, &call.act(), command.document.clone()).await?;
    let shown = Shown::to(&command.caller, &done.object)?;
    Ok((StatusCode::CREATED, [(ETAG, etag(done.object.version))], Json(shown)).into_response())
}
