//! Settling, and a log that lost records (protocol.md 4), under the topic's lock taken alone.

use std::collections::BTreeMap;

use super::super::visibility::{TopicKey, of};
use super::super::{LockClass, Tx};
use super::StoreLedger;
use crate::audit::{Actor, Event, LogRolledBack, Settled};
use crate::clock::Time;
use crate::error::Refusal;
use crate::ids::{EventId, Generation, ResourceNumber};
use crate::ports::{Settling, store_older};
use crate::visibility::{PartitionView, Run, Settlement, is_older};

pub(super) async fn settle(
    ledger: &StoreLedger,
    settling: &Settling,
    known: &[PartitionView],
) -> Result<Vec<PartitionView>, Refusal> {
    let topic = (settling.topic.resource, settling.topic.generation);
    let mut tx = ledger.committing.begin_moving().await?;
    tx.lock_exclusive(LockClass::Topic, topic.0).await?;
    let mut views = tx.views(&[topic]).await?.remove(&topic).unwrap_or_default();
    if is_older(&views, known) {
        return Err(store_older());
    }
    let mut changes: BTreeMap<i32, Settlement> = BTreeMap::new();
    for (part, view) in (0..).zip(&mut views) {
        let at = usize::try_from(part).unwrap_or_default();
        let noted_end = settling.noted_ends.get(at).copied().unwrap_or_default();
        let first_kept = settling.first_kept.get(at).copied().unwrap_or_default();
        if let Some(change) = view.settle(noted_end, first_kept) {
            view.apply(&change);
            changes.insert(part, change);
        }
    }
    if changes.is_empty() {
        return Ok(views);
    }
    tx.settle_runs(topic, &changes).await?;
    record_holes(ledger, &mut tx, topic, &changes).await?;
    tx.finish().await?;
    Ok(views)
}

/// All holes of the topic in one event, cut only where it grows too large.
async fn record_holes(
    ledger: &StoreLedger,
    tx: &mut Tx,
    (resource, generation): TopicKey,
    changes: &BTreeMap<i32, Settlement>,
) -> Result<(), Refusal> {
    let holes: Vec<Run> =
        changes.iter().flat_map(|(part, change)| change.holes.iter().map(|hole| of(*part, hole))).collect();
    if holes.is_empty() {
        return Ok(());
    }
    let now: Time = ledger.clock.now();
    let parts = Settled { resource, generation, holes }.split(&Actor::Server)?;
    let event = |what: Settled| Event::new(EventId(ledger.ids.uuid(now)), now, Actor::Server, what);
    let events: Vec<Event> = parts.into_iter().map(event).collect();
    tx.record_all(&events).await.map(drop)
}

/// The resource stands still from this commit on; said once.
pub(super) async fn rolled_back(
    ledger: &StoreLedger,
    resource: ResourceNumber,
    generation: Generation,
) -> Result<(), Refusal> {
    let mut tx = ledger.store.begin().await?;
    tx.lock_exclusive(LockClass::Topic, resource).await?;
    if !tx.stop_resource(resource, generation).await? {
        return Ok(());
    }
    let now = ledger.clock.now();
    let what = LogRolledBack { resource, generation };
    tx.record(&Event::new(EventId(ledger.ids.uuid(now)), now, Actor::Server, what)).await?;
    tx.finish().await
}
