//! A connector as it is shown.

use changtong_catalog::clock::Time;
use changtong_catalog::connector::{Connector, Desired, Process};
use changtong_catalog::ids::{AccountId, AgencyId, ConnectorId};
use serde::Serialize;
use serde_json::Value;

#[derive(Debug, Serialize)]
pub struct Shown {
    id: ConnectorId,
    name: String,
    agency: AgencyId,
    account: AccountId,
    /// Its file; an operator sees states only.
    #[serde(skip_serializing_if = "Option::is_none")]
    spec: Option<Value>,
    process: Process,
    desired: Desired,
    resets: i32,
    confirmations: i32,
    status: Value,
    version: i32,
    created_at: Time,
}

impl Shown {
    /// As it stands at that moment.
    pub fn whole(connector: Connector, now: Time) -> Self {
        let spec = Some(connector.spec.clone());
        Self { spec, ..Self::state(connector, now) }
    }

    pub fn state(connector: Connector, now: Time) -> Self {
        Self {
            process: connector.process(),
            status: connector.shown_status(now),
            id: connector.id,
            name: connector.name,
            agency: connector.agency,
            account: connector.account,
            spec: None,
            desired: connector.desired,
            resets: connector.resets,
            confirmations: connector.confirmations,
            version: connector.version,
            created_at: connector.created_at,
        }
    }
}
