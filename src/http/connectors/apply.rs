//! `POST /connectors`: the file as JSON; a connector of that name gets the new file, else it is made.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse as _;
use changtong_catalog::account::Role;
use changtong_catalog::actions::{ConnectorEnd, ConnectorFile, apply_connector};
use changtong_connectors::runner::{ConnectorSpec, End};
use http::StatusCode;
use http::header::ETAG;
use serde_json::Value;

use super::Shown;
use crate::http::Web;
use crate::http::command::Command;
use crate::http::etag::etag;
use crate::http::problem::Answer;

pub async fn apply(State(app): State<Web>, command: Command<Value>) -> Answer {
    command.caller.require(Role::Integrator)?;
    let spec = ConnectorSpec::from_value(&command.document)?;
    let end = match spec.end {
        End::Source(source) => ConnectorEnd::Source(source.resource),
        End::Sink(sink) => ConnectorEnd::Sink(sink.grant),
    };
    let file = ConnectorFile { name: spec.name, end, spec: command.document.clone() };
    let call = command.call(&app, "apply_connector", &file.name);
    let act = call.act();
    let done = apply_connector(&app.store, &act, file).await?;
    app.connectors.wake();
    let connector = done.object;
    let status = if connector.version == 1 { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, [(ETAG, etag(connector.version))], Json(Shown::whole(connector, act.now))).into_response())
}
