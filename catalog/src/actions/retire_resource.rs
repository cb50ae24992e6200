//! Takes an entry out of the catalog for good; its grants end with it.

use super::act::{Act, Done};
use super::resource::{Opened, open, save};
use crate::audit::{Digest, GrantRevoked, ResourceRetired, What};
use crate::error::Refusal;
use crate::grant::{Cause, lifecycle};
use crate::ids::{ResourceCode, ResourceNumber};
use crate::resource::Resource;
use crate::resource::lifecycle::Act as Step;
use crate::store::{Lock, LockClass, Store, Tx};

pub async fn retire_resource(
    store: &Store,
    act: &Act<'_>,
    code: &ResourceCode,
    expected: Option<i32>,
    cause: Cause,
    filing: Option<&str>,
) -> Result<Done<Resource>, Refusal> {
    let (mut tx, mut entry) = match open(store, act, code, Step::Retire, expected).await? {
        Opened::Fresh(tx, entry) => (tx, entry),
        Opened::Before(done) => return Ok(done),
    };
    let filing = act.note(&mut tx, ("resource", &entry.number), "retire", filing).await?;
    let mut events = end_grants(&mut tx, act, entry.number, cause, filing.as_ref()).await?;
    tx.set_standing_consent(entry.number, None).await?;
    entry.proposal = None;
    let retired = ResourceRetired { resource: entry.number, version: entry.version, cause, filing };
    events.insert(0, retired.into());
    save(tx, act, entry, Step::Retire, events).await
}

/// Revokes every grant that stands. New ones wait for the topic's lock and then find the resource retired.
async fn end_grants(
    tx: &mut Tx,
    act: &Act<'_>,
    resource: ResourceNumber,
    cause: Cause,
    filing: Option<&Digest>,
) -> Result<Vec<What>, Refusal> {
    let standing = tx.standing_grants(resource).await?;
    tx.lock_all_exclusive(standing.iter().map(|id| Lock::on(LockClass::Grant, id)).collect()).await?;
    let mut events = Vec::new();
    for id in standing {
        let Some(mut grant) = tx.grant_to_change(id).await? else { continue };
        // Its time may have run out unmarked: then it expired, and the job says so.
        let Ok(state) = lifecycle::apply(grant.state_at(act.now), lifecycle::Act::Revoke) else { continue };
        grant.state = state;
        grant.version += 1;
        grant.cause = Some(cause);
        grant.suspended_by = None;
        tx.update_grant(&grant).await?;
        let (version, filing) = (grant.version, filing.cloned());
        events.push(GrantRevoked { grant: id, version, resource, cause, filing }.into());
    }
    Ok(events)
}
