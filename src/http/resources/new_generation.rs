//! `POST /resources/{code}/new-generation`

use axum::Json;
use axum::extract::State;
use changtong_catalog::ids::ResourceCode;
use serde::{Deserialize, Serialize};

use super::Shown;
use crate::generation::{self, move_on};
use crate::http::Web;
use crate::http::command::Command;
use crate::http::parts::At;
use crate::http::problem::Answer;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// As many as before if left out.
    partitions: Option<i32>,
    /// How many records may be left out that stand where others were published; none if left out.
    #[serde(default)]
    leave_out: i64,
}

#[derive(Debug, Serialize)]
pub struct Moved {
    #[serde(flatten)]
    entry: Shown,
    /// How many records were copied; left out where the same call had done it before.
    #[serde(skip_serializing_if = "Option::is_none")]
    copied: Option<i64>,
    /// How many were left out, as they stand where others were published.
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<i64>,
}

pub async fn new_generation(
    State(app): State<Web>,
    At(code): At<ResourceCode>,
    command: Command<Wanted>,
) -> Answer<Json<Moved>> {
    let caller = command.caller.clone();
    let Wanted { partitions, leave_out } = command.document;
    let moved = move_on(app, code, command, generation::Wanted { partitions, leave_out }).await?;
    let entry = Shown::to(&caller, &moved.entry)?;
    Ok(Json(Moved { entry, copied: moved.records, left_out: moved.left_out }))
}
