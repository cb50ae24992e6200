//! `POST /resources/{code}/retire`

use axum::extract::State;
use changtong_catalog::actions::retire_resource;
use changtong_catalog::ids::ResourceCode;
use changtong_catalog::ports::Ended;

use crate::http::Web;
use crate::http::command::Command;
use crate::http::ended::{Reason, end};
use crate::http::parts::At;
use crate::http::problem::Answer;

pub async fn retire(State(app): State<Web>, At(code): At<ResourceCode>, command: Command<Reason>) -> Answer {
    let call = command.call(&app, "retire_resource", &code);
    let (cause, filing) = (command.document.cause, command.document.filing.as_deref());
    let done = retire_resource(&app.store, &call.act(), &code, command.expected, cause, filing).await?;
    end(&app, Ended::Resource(done.object.number)).await
}
