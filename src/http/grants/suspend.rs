//! `POST /grants/{id}/suspend`

use axum::extract::State;
use changtong_catalog::actions::suspend_grant;
use changtong_catalog::ids::GrantId;
use changtong_catalog::ports::Ended;

use crate::http::Web;
use crate::http::command::Command;
use crate::http::ended::{Reason, end};
use crate::http::parts::At;
use crate::http::problem::Answer;

pub async fn suspend(State(app): State<Web>, At(id): At<GrantId>, command: Command<Reason>) -> Answer {
    let call = command.call(&app, "suspend_grant", id);
    suspend_grant(&app.store, &call.act(), id, command.expected, command.document.cause).await?;
    end(&app, Ended::Grant(id)).await
}
