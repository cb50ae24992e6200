//! `POST /resources/{code}/publish`

use axum::Json;
use axum::extract::State;
use changtong_catalog::actions::publish_resource;
use changtong_catalog::ids::ResourceCode;

use super::Shown;
use crate::http::Web;
use crate::http::command::{Command, Nothing};
use crate::http::parts::At;
use crate::http::problem::Answer;

pub async fn publish(
    State(app): State<Web>,
    At(code): At<ResourceCode>,
    command: Command<Nothing>,
) -> Answer<Json<Shown>> {
    let call = command.call(&app, "publish_resource", &code);
    let done = publish_resource(&app.store, &call.act(), &code, command.expected).await?;
    Ok(Json(Shown::to(&command.caller, &done.object)?))
}
