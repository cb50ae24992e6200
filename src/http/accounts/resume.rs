//! `POST /accounts/{id}/resume`

use axum::Json;
use axum::extract::State;
use changtong_catalog::account::Account;
use changtong_catalog::actions::resume_account;
use changtong_catalog::ids::AccountId;

use crate::http::Web;
use crate::http::command::{Command, Nothing};
use crate::http::parts::At;
use crate::http::problem::Answer;

pub async fn resume(
    State(app): State<Web>,
    At(account): At<AccountId>,
    command: Command<Nothing>,
) -> Answer<Json<Account>> {
    let call = command.call(&app, "resume_account", account);
    Ok(Json(resume_account(&app.store, &call.act(), account).await?.object))
}
