//! `POST /requests/{id}/withdraw`

use axum::Json;
use axum::extract::State;
use changtong_catalog::actions::withdraw_request;
use changtong_catalog::ids::RequestId;

use super::{Shown, shown};
use crate::http::Web;
use crate::http::command::{Command, Nothing};
use crate::http::parts::At;
use crate::http::problem::Answer;

pub async fn withdraw(
    State(app): State<Web>,
    At(id): At<RequestId>,
    command: Command<Nothing>,
) -> Answer<Json<Shown>> {
    let call = command.call(&app, "withdraw_request", id);
    let done = withdraw_request(&app.store, &call.act(), id, command.expected).await?;
    Ok(Json(shown(&app, done.object).await?))
}
