//! `POST /resources/{code}/resume`

use axum::Json;
use axum::extract::State;
use changtong_catalog::actions::resume_resource;
use changtong_catalog::ids::ResourceCode;

use super::Shown;
use crate::http::Web;
use crate::http::command::{Command, Nothing};
use crate::http::parts::At;
use crate::http::problem::Answer;

pub async fn resume(
    State(app): State<Web>,
    At(code): At<ResourceCode>,
    command: Command<Nothing>,
) -> Answer<Json<Shown>> {
    let call = command.call(&app, "resume_resource", &code);
    let done = resume_resource(&app.store, &call.act(), &code, command.expected).await?;
    Ok(Json(Shown::to(&command.caller, &done.object)?))
}
