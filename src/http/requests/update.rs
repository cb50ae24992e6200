//! `PUT /requests/{id}`: needs `If-Match`.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse as _;
use changtong_catalog::actions::update_request;
use changtong_catalog::ids::RequestId;
use changtong_catalog::request::RequestFile;
use http::header::ETAG;

use super::shown;
use crate::http::Web;
use crate::http::command::Command;
use crate::http::etag::etag;
use crate::http::parts::At;
use crate::http::problem::Answer;

pub async fn update(State(app): State<Web>, At(id): At<RequestId>, command: Command<RequestFile>) -> Answer {
    let call = command.call(&app, "update_request", id);
    let file = command.document.clone();
    let done = update_request(&app.store, &call.act(), id, command.expected, file).await?;
    let version = done.object.version;
    Ok(([(ETAG, etag(version))], Json(shown(&app, done.object).await?)).into_response())
}
