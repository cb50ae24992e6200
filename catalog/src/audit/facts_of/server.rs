//! Events of the server and of connectors.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::events;
use crate::audit::fact::{Build, Digest};
use crate::error::Code;
use crate::ids::{ConnectorId, GrantId, ResourceNumber};

/// What a connector is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectorState {
    Running,
    Paused,
    Stopped,
    /// It gave up and says why.
    Failed,
    /// It waits for a person to confirm (`max_deletes`, an earlier file).
    Confirm,
}

events! {
    ConnectorCreated {
        connector: ConnectorId,
        resource: Option<ResourceNumber>,
        grant: Option<GrantId>,
        file: Digest,
    }
    ConnectorChanged {
        connector: ConnectorId,
        file: Digest,
    }
    ConnectorMoved {
        connector: ConnectorId,
        state: ConnectorState,
        /// Why it failed.
        error: Option<Code>,
    }
    /// It begins anew.
    ConnectorReset {
        connector: ConnectorId,
    }
    /// A person confirmed what it waited with.
    ConnectorConfirmed {
        connector: ConnectorId,
    }
    ConnectorRemoved {
        connector: ConnectorId,
    }
    ServerStarted {
        node: Uuid,
        epoch: i64,
        build: Build,
    }
    ServerStopped {
        node: Uuid,
        epoch: i64,
    }
    /// The database was taken over from a server whose lease had run out.
    ServerLease {
        node: Uuid,
        epoch: i64,
        from_node: Uuid,
    }
}
