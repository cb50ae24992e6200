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
    let web = app.clone();
    let change = async move {
        let call = command.call(&web, "suspend_grant", id);
        suspend_grant(&web.store, &call.act(), id, command.expected, command.document.cause).await.map(drop)
    };
    end(&app, Ended::Grant(id), change).await
}
