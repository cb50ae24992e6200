//! `POST /agencies`: an agency joins with its first account and that account's key, shown once.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse as _;
use changtong_catalog::account::Account;
use changtong_catalog::actions::{NewAgency, add_agency};
use changtong_catalog::agency::{Agency, AgencyNames};
use changtong_catalog::clock::Time;
use changtong_catalog::ids::Alias;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::http::Web;
use crate::http::command::Command;
use crate::http::keys::{Shown, expiry, fresh};
use crate::http::problem::Answer;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Joining {
    code: String,
    name: String,
    #[serde(default)]
    alias: Option<Alias>,
    /// Name of the first account.
    #[serde(default = "first")]
    account: String,
    #[serde(default)]
    key_expires_at: Option<Time>,
}

fn first() -> String {
    "first".to_owned()
}

#[derive(Debug, Serialize)]
struct Joined {
    agency: Agency,
    account: Account,
    key: Shown,
}

pub async fn add(State(app): State<Web>, command: Command<Joining>) -> Answer {
    let call = command.call(&app, "add_agency", "");
    let (text, new) = fresh(&app)?;
    let Joining { code, name, alias, account, key_expires_at } = command.document.clone();
    let names = AgencyNames { code: Some(code), name, alias };
    let key_expires_at = expiry(&app, key_expires_at);
    let new = NewAgency { names, account, key: new, key_expires_at };
    let done = add_agency(&app.store, &call.act(), new).await?;
    let member = done.object;
    let key = Shown { key: member.key, text: (!done.replayed).then(|| text.text()) };
    let joined = Joined { agency: member.agency, account: member.account, key };
    Ok((StatusCode::CREATED, Json(joined)).into_response())
}
