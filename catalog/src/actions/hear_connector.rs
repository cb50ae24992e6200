//! What a connector in its own process reports; the answer holds what is ordered of it.

use super::act::Act;
use super::connector::not_found;
use super::report_connector::{Report, keep};
use crate::account::Role;
use crate::audit::Actor;
use crate::connector::{Connector, Reporter, check_report};
use crate::error::Refusal;
use crate::store::Store;

/// Answers the connector as it is then. Reporting twice does what once does, so it takes no idempotency key.
pub async fn hear_connector(
    store: &Store,
    act: &Act<'_>,
    name: &str,
    reporter: &Reporter,
    report: &Report,
) -> Result<Connector, Refusal> {
    act.caller.require(Role::Integrator)?;
    let found = store.read().await?.connector_named(act.caller.agency, name).await?.ok_or_else(not_found)?;
    check_report(reporter, &report.details)?;
    found.may_report(act.caller.account, reporter, act.now)?;
    let status = report.status(act.now, Some(reporter));
    if !found.is_news(&status, act.now) {
        return Ok(found);
    }
    let mut tx = store.begin().await?;
    let mut connector = tx.connector_to_report(found.id).await?.ok_or_else(not_found)?;
    connector.may_report(act.caller.account, reporter, act.now)?;
    let actor = Actor::from(act.caller);
    keep(&mut tx, (act.now, act.ids), actor, &connector, report, status.clone()).await?;
    tx.finish().await?;
    connector.status = status;
    Ok(connector)
}
