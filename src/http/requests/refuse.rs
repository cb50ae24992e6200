//! `POST /requests/{id}/refuse`

use axum::Json;
use axum::extract::State;
use changtong_catalog::actions::refuse_request;
use changtong_catalog::ids::RequestId;
use changtong_catalog::request::RefusalReason;
use serde::Deserialize;

use super::{Shown, shown};
use crate::http::Web;
use crate::http::command::Command;
use crate::http::parts::At;
use crate::http::problem::Answer;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    reason: RefusalReason,
    #[serde(default)]
    text: Option<String>,
}

pub async fn refuse(
    State(app): State<Web>,
    At(id): At<RequestId>,
    command: Command<Reason>,
) -> Answer<Json<Shown>> {
    let call = command.call(&app, "refuse_request", id);
    let Reason { reason, text } = &command.document;
    let done =
        refuse_request(&app.store, &call.act(), id, command.expected, *reason, text.as_deref()).await?;
    Ok(Json(shown(&app, done.object).await?))
}
