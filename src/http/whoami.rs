//! `GET /whoami`: the caller's account, agency and roles, and what is left of its limits.

use axum::Json;
use axum::extract::State;
use changtong_catalog::account::{Account, Roles};
use changtong_catalog::agency::Agency;
use changtong_catalog::error::Refusal;
use changtong_catalog::ids::KeyId;
use changtong_connectors::limit::Left;
use serde::Serialize;

use super::problem::Answer;
use super::{Known, Web};

#[derive(Debug, Serialize)]
pub struct Whoami {
    agency: Agency,
    account: Account,
    key: KeyId,
    /// Roles of the account, cut to the scopes of the key.
    roles: Roles,
    limits: Vec<Left>,
}

pub async fn show(State(app): State<Web>, Known(caller): Known) -> Answer<Json<Whoami>> {
    let mut session = app.store.read().await?;
    let account = session.account(caller.account).await?;
    let agency = session.agency(caller.agency).await?;
    let (Some(account), Some(agency)) = (account, agency) else {
        return Err(Refusal::not_found("账号", "account").into());
    };
    let limits = app.gate.left(&caller, None);
    Ok(Json(Whoami { agency, account, key: caller.key, roles: caller.roles, limits }))
}
