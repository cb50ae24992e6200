//! `POST /resources/{code}/suspend`

use axum::extract::State;
use changtong_catalog::actions::suspend_resource;
use changtong_catalog::ids::ResourceCode;
use changtong_catalog::ports::Ended;

use super::visible;
use crate::http::Web;
use crate::http::command::Command;
use crate::http::ended::{Reason, end};
use crate::http::parts::At;
use crate::http::problem::Answer;

pub async fn suspend(State(app): State<Web>, At(code): At<ResourceCode>, command: Command<Reason>) -> Answer {
    let ended = Ended::Resource(visible(&app, &command.caller, &code).await?.resource.number);
    let web = app.clone();
    let change = async move {
        let call = command.call(&web, "suspend_resource", &code);
        let cause = command.document.cause;
        suspend_resource(&web.store, &call.act(), &code, command.expected, cause).await.map(drop)
    };
    end(&app, ended, change).await
}
