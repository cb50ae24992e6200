//! Which locks a group takes (protocol.md 3): the epoch's first, keys of clients and sources alone, what can end a
//! publish or a window shared, quotas alone. The lock of a grant's quota also orders all that moves its positions and
//! windows.

use std::collections::BTreeSet;

use super::super::server::epoch_lock;
use super::super::{Lock, LockClass, Tx, idempotency};
use crate::account::Caller;
use crate::error::Refusal;
use crate::ids::{GrantId, ResourceNumber, SubscriptionId, WindowId};
use crate::ports::Group;

/// Everyone whose standing the group depends on.
pub(super) fn callers(group: &Group) -> impl Iterator<Item = &Caller> {
    (group.attempts.iter().map(|attempt| &attempt.caller))
        .chain(group.openings.iter().map(|opening| &opening.caller))
        .chain(group.acks.iter().map(|ack| &ack.caller))
        .chain(group.seeks.iter().map(|seek| &seek.caller))
}

/// Takes all locks of the group in one statement.
pub(super) async fn take(tx: &mut Tx, group: &Group) -> Result<(), Refusal> {
    let grants = grants_of(tx, group).await?;
    let mut shared = vec![epoch_lock()];
    let callers: BTreeSet<_> =
        callers(group).map(|caller| (caller.agency, caller.account, &caller.key)).collect();
    for (agency, account, key) in callers {
        shared.push(Lock::on(LockClass::Agency, agency));
        shared.push(Lock::on(LockClass::Account, account));
        shared.push(Lock::on(LockClass::Key, key));
    }
    let providers: BTreeSet<_> = group.openings.iter().map(|opening| opening.provider).collect();
    shared.extend(providers.into_iter().map(|provider| Lock::on(LockClass::Agency, provider)));
    let resources: BTreeSet<ResourceNumber> = (group.attempts.iter().map(|attempt| attempt.resource))
        .chain(group.openings.iter().map(|opening| opening.resource))
        .chain(group.dead.iter().map(|dead| dead.resource))
        .collect();
    shared.extend(resources.into_iter().map(|resource| Lock::on(LockClass::Topic, resource)));
    shared.extend(grants.iter().map(|grant| Lock::on(LockClass::Grant, grant)));

    let mut alone: Vec<Lock> = grants.iter().map(|grant| Lock::on(LockClass::Quota, grant)).collect();
    for attempt in &group.attempts {
        if let Some(claim) = &attempt.claim {
            alone.push(Lock::on(LockClass::Idempotency, idempotency::lock_text(claim)));
        }
        if let Some((resource, connector)) = super::publishing::source_key(attempt) {
            alone.push(Lock::on(LockClass::Source, format!("{resource} {connector}")));
        }
    }
    tx.lock_mixed(shared, alone).await
}

/// The grants of the group's windows and positions: which grant a window or a subscription belongs to never changes,
/// so it may be read before the locks.
async fn grants_of(tx: &mut Tx, group: &Group) -> Result<BTreeSet<GrantId>, Refusal> {
    let mut grants: BTreeSet<GrantId> = group.openings.iter().map(|opening| opening.grant).collect();
    let closing: BTreeSet<WindowId> = group.closings.iter().map(|closing| closing.window).collect();
    grants.extend(tx.open_windows(&Vec::from_iter(closing)).await?.into_iter().map(|window| window.grant_id));
    let moving: BTreeSet<SubscriptionId> = (group.acks.iter().map(|ack| ack.cursor.subscription))
        .chain(group.seeks.iter().map(|seek| seek.subscription))
        .collect();
    let positions = tx.positions(&Vec::from_iter(moving)).await?;
    grants.extend(positions.into_values().map(|position| position.grant));
    Ok(grants)
}

impl Tx {
    /// The locks that a commit of the group takes, for tests of what waits for it.
    #[cfg(feature = "testing")]
    pub async fn lock_group(&mut self, group: &Group) -> Result<(), Refusal> {
        take(self, group).await
    }
}
