//! `POST /accounts/{id}/keys`: the text of the key is in this answer and nowhere else.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse as _;
use changtong_catalog::account::Roles;
use changtong_catalog::actions::issue_key;
use changtong_catalog::clock::Time;
use changtong_catalog::ids::AccountId;
use http::StatusCode;
use serde::Deserialize;

use super::{Shown, expiry, fresh};
use crate::http::Web;
use crate::http::command::Command;
use crate::http::parts::At;
use crate::http::problem::Answer;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct New {
    /// Roles the key is cut to.
    roles: Roles,
    #[serde(default)]
    expires_at: Option<Time>,
}

pub async fn issue(State(app): State<Web>, At(account): At<AccountId>, command: Command<New>) -> Answer {
    let call = command.call(&app, "issue_key", account);
    let (text, new) = fresh(&app)?;
    let expires_at = expiry(&app, command.document.expires_at);
    let done = issue_key(&app.store, &call.act(), account, command.document.roles, expires_at, &new).await?;
    let shown = Shown { key: done.object, text: (!done.replayed).then(|| text.text()) };
    Ok((StatusCode::CREATED, Json(shown)).into_response())
}
