//! `POST /agencies/{code}/accounts`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse as _;
use changtong_catalog::account::Roles;
use changtong_catalog::actions::add_account;
use http::StatusCode;
use serde::Deserialize;

use crate::http::Web;
use crate::http::agencies::named;
use crate::http::command::Command;
use crate::http::parts::At;
use crate::http::problem::Answer;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct New {
    name: String,
    roles: Roles,
}

pub async fn add(State(app): State<Web>, At(agency): At<String>, command: Command<New>) -> Answer {
    let agency = named(&mut app.store.read().await?, &agency).await?.id;
    let call = command.call(&app, "add_account", agency);
    let New { name, roles } = &command.document;
    let done = add_account(&app.store, &call.act(), agency, name, *roles).await?;
    Ok((StatusCode::CREATED, Json(done.object)).into_response())
}
