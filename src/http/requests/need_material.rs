//! `POST /requests/{id}/need-material`

use axum::Json;
use axum::extract::State;
use changtong_catalog::ids::RequestId;
use serde::Deserialize;

use super::{Shown, shown};
use crate::http::Web;
use crate::http::command::Command;
use crate::http::parts::At;
use crate::http::problem::Answer;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Missing {
    /// What is missing.
    text: String,
}

pub async fn need_material(
    State(app): State<Web>,
    At(id): At<RequestId>,
    command: Command<Missing>,
) -> Answer<Json<Shown>> {
    let call = command.call(&app, "need_material", id);
    let (act, text) = (call.act(), &command.document.text);
    let done =
        changtong_catalog::actions::need_material(&app.store, &act, id, command.expected, text).await?;
    Ok(Json(shown(&app, done.object).await?))
}
