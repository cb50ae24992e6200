//! `POST /grants/{id}/resume`

use axum::Json;
use axum::extract::State;
use changtong_catalog::actions::resume_grant;
use changtong_catalog::clock::Clock as _;
use changtong_catalog::ids::GrantId;

use super::{Shown, without_entry};
use crate::http::Web;
use crate::http::command::{Command, Nothing};
use crate::http::parts::At;
use crate::http::problem::Answer;

pub async fn resume(
    State(app): State<Web>,
    At(id): At<GrantId>,
    command: Command<Nothing>,
) -> Answer<Json<Shown>> {
    let call = command.call(&app, "resume_grant", id);
    let grant = resume_grant(&app.store, &call.act(), id, command.expected).await?.object;
    let entry = app.store.read().await?.resource(grant.resource).await?.ok_or_else(without_entry)?;
    Ok(Json(Shown::of(&command.caller, grant, &entry, app.clock.now())))
}
