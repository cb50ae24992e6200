//! `PUT /connectors/{name}/status`: the report of one in its own process; the answer holds what is ordered of it.

use axum::Json;
use axum::extract::State;
use changtong_catalog::account::Role;
use changtong_catalog::actions::{Report, hear_connector};
use changtong_catalog::audit::ConnectorState;
use changtong_catalog::connector::Reporter;
use changtong_catalog::error::{Code, Refusal};
use serde::Deserialize;
use serde_json::Value;

use super::Shown;
use crate::http::Web;
use crate::http::command::Command;
use crate::http::parts::At;
use crate::http::problem::Answer;

/// What is not known here comes from a newer program, and is passed over.
#[derive(Debug, Deserialize)]
pub struct Said {
    #[serde(flatten)]
    reporter: Reporter,
    state: ConnectorState,
    error: Option<String>,
    details: Value,
}

pub async fn status(
    State(app): State<Web>,
    At(name): At<String>,
    command: Command<Said>,
) -> Answer<Json<Shown>> {
    command.caller.require(Role::Integrator)?;
    let Said { reporter, state, error, details } = &command.document;
    let error = error.as_deref().map(code).transpose()?;
    let report = Report { state: *state, error, details: details.clone() };
    let call = command.call(&app, "report_connector", &name);
    let act = call.act();
    let connector = hear_connector(&app.store, &act, &name, reporter, &report).await?;
    Ok(Json(Shown::whole(connector, act.now)))
}

fn code(word: &str) -> Result<Code, Refusal> {
    Code::named(word).ok_or_else(|| {
        Refusal::new(
            Code::Invalid,
            "error 应为错误代码表中的一个",
            "`error` is one of the closed list of codes",
        )
        .with("path", "error")
    })
}
