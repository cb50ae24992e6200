//! `POST /resources/{code}/suspend`

use axum::extract::State;
use changtong_catalog::actions::suspend_resource;
use changtong_catalog::ids::ResourceCode;
use changtong_catalog::ports::Ended;

use crate::http::Web;
use crate::http::command::Command;
use crate::http::ended::{Reason, end};
use crate::http::parts::At;
use crate::http::problem::Answer;

pub async fn suspend(State(app): State<Web>, At(code): At<ResourceCode>, command: Command<Reason>) -> Answer {
    let call = command.call(&app, "suspend_resource", &code);
    let cause = command.document.cause;
    let done = suspend_resource(&app.store, &call.act(), &code, command.expected, cause).await?;
    end(&app, Ended::Resource(done.object.number)).await
}
