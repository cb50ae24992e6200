//! `POST /resources/{code}/retire`

use axum::extract::State;
use changtong_catalog::actions::retire_resource;
use changtong_catalog::ids::ResourceCode;
use changtong_catalog::ports::Ended;

use super::visible;
use crate::http::Web;
use crate::http::command::Command;
use crate::http::ended::{Reason, end};
use crate::http::parts::At;
use crate::http::problem::Answer;

pub async fn retire(State(app): State<Web>, At(code): At<ResourceCode>, command: Command<Reason>) -> Answer {
    let ended = Ended::Resource(visible(&app, &command.caller, &code).await?.resource.number);
    let web = app.clone();
    let change = async move {
        let call = command.call(&web, "retire_resource", &code);
        let (cause, filing) = (command.document.cause, command.document.filing.as_deref());
        retire_resource(&web.store, &call.act(), &code, command.expected, cause, filing).await.map(drop)
    };
    end(&app, ended, change).await
}
