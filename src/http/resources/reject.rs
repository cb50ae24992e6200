//! `POST /resources/{code}/reject`

use axum::Json;
use axum::extract::State;
use changtong_catalog::actions::reject_resource;
use changtong_catalog::ids::ResourceCode;
use serde::Deserialize;

use super::Shown;
use crate::http::Web;
use crate::http::command::Command;
use crate::http::parts::At;
use crate::http::problem::Answer;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rejection {
    #[serde(default)]
    reason: Option<String>,
}

pub async fn reject(
    State(app): State<Web>,
    At(code): At<ResourceCode>,
    command: Command<Rejection>,
) -> Answer<Json<Shown>> {
    let call = command.call(&app, "reject_resource", &code);
    let reason = command.document.reason.as_deref();
    let done = reject_resource(&app.store, &call.act(), &code, command.expected, reason).await?;
    Ok(Json(Shown::to(&command.caller, &done.object)?))
}
