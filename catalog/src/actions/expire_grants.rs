//! Marks grants whose time has run out. Nothing waits for it: validity is decided by store time.

use crate::audit::{Actor, Event, GrantExpired};
use crate::clock::{Ids, Time};
use crate::error::Refusal;
use crate::grant::lifecycle::{self, Act as Step};
use crate::grant::{Grant, GrantState};
use crate::ids::{EventId, GrantId};
use crate::store::{LockClass, Store};

/// How many are looked up at once.
const BATCH: i64 = 100;

/// Answers the grants that were marked now, so that their open windows are ended.
pub async fn expire_grants(store: &Store, now: Time, ids: &dyn Ids) -> Result<Vec<Grant>, Refusal> {
    let mut marked = Vec::new();
    loop {
        let overdue = store.read().await?.overdue_grants(now, BATCH).await?;
        if overdue.is_empty() {
            return Ok(marked);
        }
        for id in overdue {
            marked.extend(expire(store, now, ids, id).await?);
        }
    }
}

/// `None` if somebody else ended it first.
async fn expire(store: &Store, now: Time, ids: &dyn Ids, id: GrantId) -> Result<Option<Grant>, Refusal> {
    let mut tx = store.begin().await?;
    // What ends something takes it alone before its change (protocol.md 3).
    tx.lock_exclusive(LockClass::Grant, id).await?;
    let Some(mut grant) = tx.grant_to_change(id).await? else { return Ok(None) };
    let (Ok(state), Some(valid_until)) = (lifecycle::apply(grant.state, Step::Expire), grant.valid_until)
    else {
        return Ok(None);
    };
    if grant.state_at(now) != GrantState::Expired {
        return Ok(None);
    }
    grant.state = state;
    grant.suspended_by = None;
    grant.version += 1;
    tx.update_grant(&grant).await?;
    let event = GrantExpired { grant: id, version: grant.version, resource: grant.resource, valid_until };
    tx.record(&Event::new(EventId(ids.uuid(now)), now, Actor::Server, event)).await?;
    tx.finish().await?;
    Ok(Some(grant))
}
