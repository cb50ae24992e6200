//! `POST /requests/{id}/agree`: the provider may add masks, a filter and an end, never loosen.

use axum::Json;
use axum::extract::State;
use changtong_catalog::actions::agree_request;
use changtong_catalog::ids::RequestId;
use changtong_catalog::request::Agreement;

use super::{Shown, shown};
use crate::http::Web;
use crate::http::command::Command;
use crate::http::parts::At;
use crate::http::problem::Answer;

pub async fn agree(
    State(app): State<Web>,
    At(id): At<RequestId>,
    command: Command<Agreement>,
) -> Answer<Json<Shown>> {
    let call = command.call(&app, "agree_request", id);
    let done = agree_request(&app.store, &call.act(), id, command.expected, &command.document).await?;
    Ok(Json(shown(&app, done.object).await?))
}
