//! Events of agencies, accounts and keys.

use super::events;
use crate::account::Roles;
use crate::audit::fact::Digest;
use crate::clock::Time;
use crate::grant::Cause;
use crate::ids::{AccountId, AgencyId, KeyId};

events! {
    /// An agency joined.
    AgencyAdded {
        agency: AgencyId,
        /// Of credit code, name and alias.
        file: Digest,
    }
    /// Its credit code, name or alias changed.
    AgencyChanged {
        agency: AgencyId,
        file: Digest,
    }
    AgencySuspended {
        agency: AgencyId,
        cause: Option<Cause>,
    }
    AgencyResumed {
        agency: AgencyId,
    }
    AgencyRemoved {
        agency: AgencyId,
    }
    AccountAdded {
        account: AccountId,
        agency: AgencyId,
        roles: Roles,
    }
    AccountSuspended {
        account: AccountId,
        agency: AgencyId,
        cause: Option<Cause>,
    }
    AccountResumed {
        account: AccountId,
        agency: AgencyId,
    }
    /// A key was made; its secret is nowhere but with its owner.
    KeyIssued {
        key: KeyId,
        account: AccountId,
        agency: AgencyId,
        roles: Roles,
        expires_at: Time,
    }
    KeyRevoked {
        key: KeyId,
        account: AccountId,
        agency: AgencyId,
        cause: Option<Cause>,
    }
}
