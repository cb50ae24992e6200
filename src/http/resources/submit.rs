//! `POST /resources/{code}/submit`

use axum::Json;
use axum::extract::State;
use changtong_catalog::actions::submit_resource;
use changtong_catalog::ids::ResourceCode;

use super::Shown;
use crate::http::Web;
use crate::http::command::{Command, Nothing};
use crate::http::parts::At;
use crate::http::problem::Answer;

pub async fn submit(
    State(app): State<Web>,
    At(code): At<ResourceCode>,
    command: Command<Nothing>,
) -> Answer<Json<Shown>> {
    let call = command.call(&app, "submit_resource", &code);
    let done = submit_resource(&app.store, &call.act(), &code, command.expected).await?;
    Ok(Json(Shown::to(&command.caller, &done.object)?))
}
