//! `PUT /resources/{code}`: needs `If-Match`.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse as _;
use changtong_catalog::actions::update_resource;
use changtong_catalog::ids::ResourceCode;
use changtong_catalog::resource::ResourceFile;
use http::header::ETAG;

use super::Shown;
use crate::http::Web;
use crate::http::command::Command;
use crate::http::etag::etag;
use crate::http::parts::At;
use crate::http::problem::Answer;

pub async fn update(
    State(app): State<Web>,
    At(code): At<ResourceCode>,
    command: Command<ResourceFile>,
) -> Answer {
    let call = command.call(&app, "update_resource", &code);
    let file = command.document.clone();
    let done = update_resource(&app.store, &call.act(), &code, command.expected, file).await?;
    let shown = Shown::to(&command.caller, &done.object)?;
    Ok(([(ETAG, etag(done.object.version))], Json(shown)).into_response())
}
