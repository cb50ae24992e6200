//! `DELETE /connectors/{name}`: what it published or wrote stays.

use axum::extract::State;
use changtong_catalog::actions::remove_connector;
use http::StatusCode;

use crate::http::Web;
use crate::http::command::{Command, Nothing};
use crate::http::parts::At;
use crate::http::problem::Answer;

pub async fn remove(
    State(app): State<Web>,
    At(name): At<String>,
    command: Command<Nothing>,
) -> Answer<StatusCode> {
    let call = command.call(&app, "remove_connector", &name);
    remove_connector(&app.store, &call.act(), &name).await?;
    app.connectors.wake();
    Ok(StatusCode::NO_CONTENT)
}
