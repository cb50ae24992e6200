//! Removes a connector; what it published or wrote stays.

use super::act::{Act, Begun, Done};
use super::connector::not_found;
use crate::account::Role;
use crate::audit::ConnectorRemoved;
use crate::error::Refusal;
use crate::ids::ConnectorId;
use crate::store::Store;

pub async fn remove_connector(
    store: &Store,
    act: &Act<'_>,
    name: &str,
) -> Result<Done<ConnectorId>, Refusal> {
    act.caller.require(Role::Integrator)?;
    let mut tx = match act.begin(store).await? {
        Begun::Fresh(tx) => tx,
        Begun::Before(_, result) => return Done::before(result.object.parse().ok()),
    };
    let id = tx.connector_to_change(act.caller.agency, name).await?.ok_or_else(not_found)?.id;
    tx.delete_connector(id).await?;
    act.finish(tx, 204, id, vec![ConnectorRemoved { connector: id }.into()]).await?;
    Ok(Done::now(id))
}
