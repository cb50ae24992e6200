//! What the actions on a connector share: opening it for a change, and saving it with its event.

use super::act::{Act, Begun, Done, check_version};
use crate::account::Role;
use crate::audit::What;
use crate::connector::Connector;
use crate::error::Refusal;
use crate::store::{Store, Tx};

pub(super) enum Opened {
    Fresh(Tx, Connector),
    Before(Done<Connector>),
}

/// Opens a connector of the caller's agency: its version is already one above the stored.
pub(super) async fn open(
    store: &Store,
    act: &Act<'_>,
    name: &str,
    expected: Option<i32>,
) -> Result<Opened, Refusal> {
    act.caller.require(Role::Integrator)?;
    let mut tx = match act.begin(store).await? {
        Begun::Fresh(tx) => tx,
        Begun::Before(tx, result) => return before(tx, &result.object).await.map(Opened::Before),
    };
    let mut connector = tx.connector_to_change(act.caller.agency, name).await?.ok_or_else(not_found)?;
    check_version(expected, connector.version)?;
    connector.version += 1;
    Ok(Opened::Fresh(tx, connector))
}

/// Saves the connector, writes its event, commits.
pub(super) async fn save(
    mut tx: Tx,
    act: &Act<'_>,
    connector: Connector,
    event: impl Into<What>,
) -> Result<Done<Connector>, Refusal> {
    tx.update_connector(&connector).await?;
    act.finish(tx, 200, connector.id, vec![event.into()]).await?;
    Ok(Done::now(connector))
}

/// The connector of an earlier call with the same idempotency key.
pub(super) async fn before(mut tx: Tx, object: &str) -> Result<Done<Connector>, Refusal> {
    Done::before(tx.connector(object.parse()?).await?)
}

pub(super) fn not_found() -> Refusal {
    Refusal::not_found("连接器", "connector")
}
