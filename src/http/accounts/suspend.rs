//! `POST /accounts/{id}/suspend`

use axum::extract::State;
use changtong_catalog::actions::suspend_account;
use changtong_catalog::ids::AccountId;
use changtong_catalog::ports::Ended;

use crate::http::Web;
use crate::http::command::Command;
use crate::http::ended::{MaybeReason, end};
use crate::http::parts::At;
use crate::http::problem::Answer;

pub async fn suspend(
    State(app): State<Web>,
    At(account): At<AccountId>,
    command: Command<MaybeReason>,
) -> Answer {
    let web = app.clone();
    let change = async move {
        let call = command.call(&web, "suspend_account", account);
        suspend_account(&web.store, &call.act(), account, command.document.cause).await.map(drop)
    };
    end(&app, Ended::Account(account), change).await
}
