//! `POST /requests`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse as _;
use changtong_catalog::actions::write_request;
use changtong_catalog::request::RequestFile;
use http::StatusCode;
use http::header::ETAG;

use super::shown;
use crate::http::Web;
use crate::http::command::Command;
use crate::http::etag::etag;
use crate::http::problem::Answer;

pub async fn write(State(app): State<Web>, command: Command<RequestFile>) -> Answer {
    let call = command.call(&app, "write_request", "");
    let done = write_request(&app.store, &call.act(), command.document.clone()).await?;
    let version = done.object.version;
    let shown = shown(&app, done.object).await?;
    Ok((StatusCode::CREATED, [(ETAG, etag(version))], Json(shown)).into_response())
}
