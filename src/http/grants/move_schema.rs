//! `POST /grants/{id}/schema`: the consumer moves to the derived schema of another version.

use axum::Json;
use axum::extract::State;
use changtong_catalog::actions::move_grant_schema;
use changtong_catalog::ids::GrantId;
use serde::Deserialize;

use super::schema::{Held, held};
use crate::http::Web;
use crate::http::command::Command;
use crate::http::parts::At;
use crate::http::problem::Answer;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    version: i32,
}

pub async fn move_schema(
    State(app): State<Web>,
    At(id): At<GrantId>,
    command: Command<Wanted>,
) -> Answer<Json<Held>> {
    let call = command.call(&app, "move_grant_schema", id);
    let version = command.document.version;
    let grant = move_grant_schema(&app.store, &call.act(), id, command.expected, version).await?.object;
    Ok(Json(held(&mut app.store.read().await?, &grant).await?))
}
