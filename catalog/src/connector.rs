//! A managed connector as the catalog keeps it: what it is, what was ordered, what it last reported.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::Time;
use crate::ids::{AccountId, AgencyId, ConnectorId};

/// What a person ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Desired {
    Running,
    Paused,
    Stopped,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Connector {
    pub id: ConnectorId,
    /// Unique within its agency.
    pub name: String,
    pub agency: AgencyId,
    /// As whom it publishes or reads.
    pub account: AccountId,
    /// Its file (interface.md 7).
    pub spec: Value,
    pub desired: Desired,
    /// Raised by every reset: the runner begins anew when it sees another number.
    pub resets: i32,
    /// Raised by every confirmation of what it waits with.
    pub confirmations: i32,
    /// What the runner last reported.
    pub status: Value,
    /// Raised by every change a person makes; the `ETag`.
    pub version: i32,
    pub created_at: Time,
}
