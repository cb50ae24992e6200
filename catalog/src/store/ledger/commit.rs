//! One transaction for a group (protocol.md 3c): locks, what stands, judgement, rows and events, COMMIT.

use std::collections::BTreeMap;

use super::super::idempotency::Stored;
use super::super::{EventRef, QuarantineState, Tx};
use super::StoreLedger;
use super::delivering::Delivering;
use super::facts::Facts;
use super::publishing::Publishing;
use super::receipts;
use crate::audit::{Actor, Batch, Event, Published, QuarantineAdded, QuarantineReplayed, What};
use crate::clock::Time;
use crate::error::Refusal;
use crate::grant::decide::POLICY;
use crate::ids::{AccountId, AgencyId, BatchId, EventId, Generation, KeyId, ResourceNumber, SchemaId};
use crate::ports::{Answers, Attempt, Claim, CommitError, Group, Receipt};

/// Everything that must be equal for batches to share an event.
type Together<'g> = (AgencyId, AccountId, &'g KeyId, ResourceNumber, Generation, SchemaId, &'g str);

pub(super) async fn commit(ledger: &StoreLedger, group: &Group) -> Result<Answers, CommitError> {
    let mut tx = ledger.committing.begin_group().await.map_err(CommitError::NotSent)?;
    let answers = write(ledger, &mut tx, group).await.map_err(CommitError::NotSent)?;
    tx.commit().await?;
    Ok(answers)
}

async fn write(ledger: &StoreLedger, tx: &mut Tx, group: &Group) -> Result<Answers, Refusal> {
    super::locks::take(tx, group).await?;
    let now = ledger.clock.now();
    let facts = Facts::read(tx, group, now).await?;
    let publishing = Publishing::judge(&facts, &group.attempts, &group.dead);
    let delivering = Delivering::judge(&facts, group, now);

    let batches = write_events(ledger, tx, group, &publishing, &delivering, now).await?;
    write_publishing(tx, group, &publishing, &batches, now).await?;
    write_delivering(ledger, tx, &delivering, now).await?;
    let attempts = receipts::answers(tx, group, publishing.fates, &batches).await?;
    Ok(Answers { attempts, openings: delivering.openings, acks: delivering.acks, seeks: delivering.seeks })
}

/// Writes all events of the group in one go; answers the event of each batch that counts.
async fn write_events(
    ledger: &StoreLedger,
    tx: &mut Tx,
    group: &Group,
    publishing: &Publishing<'_>,
    delivering: &Delivering<'_>,
    now: Time,
) -> Result<BTreeMap<BatchId, EventRef>, Refusal> {
    let published = published(publishing, &group.attempts)?;
    let committed = || publishing.committed(&group.attempts).map(|(_, attempt)| attempt);
    let decided = committed().filter_map(set_aside).chain(committed().filter_map(replayed));
    let moved = delivering.said.iter().cloned();
    let said = published.into_iter().map(|(actor, it)| (actor, What::from(it))).chain(decided).chain(moved);
    let events: Vec<Event> =
        said.map(|(actor, what)| Event::new(EventId(ledger.ids.uuid(now)), now, actor, what)).collect();
    let refs = tx.record_all(&events).await?;
    let mut batches = BTreeMap::new();
    for (event, stored) in events.iter().zip(refs) {
        if let What::Published(published) = &event.what {
            batches.extend(published.batches.iter().map(|batch| (batch.id, stored.clone())));
        }
    }
    Ok(batches)
}

/// That records of a batch were set aside.
fn set_aside(attempt: &Attempt) -> Option<(Actor, What)> {
    let records = receipts::count(&attempt.quarantined);
    let what = QuarantineAdded { resource: attempt.resource, batch: attempt.batch, records };
    (records > 0).then(|| (Actor::from(&attempt.caller), what.into()))
}

/// That a record set aside was published again.
fn replayed(attempt: &Attempt) -> Option<(Actor, What)> {
    let quarantine = attempt.replays?;
    let what = QuarantineReplayed { quarantine, resource: attempt.resource, batch: attempt.batch };
    Some((Actor::from(&attempt.caller), what.into()))
}

/// One event per account, credential, resource and schema, cut where it grows too large (protocol.md 3d).
fn published(publishing: &Publishing<'_>, attempts: &[Attempt]) -> Result<Vec<(Actor, Published)>, Refusal> {
    let mut together: BTreeMap<Together<'_>, Vec<&Attempt>> = BTreeMap::new();
    for (_, attempt) in publishing.committed(attempts) {
        let caller = &attempt.caller;
        let key = (
            caller.agency,
            caller.account,
            &caller.key,
            attempt.resource,
            attempt.generation,
            attempt.schema,
            attempt.fingerprint.as_str(),
        );
        together.entry(key).or_default().push(attempt);
    }
    let mut events = Vec::new();
    for ((.., resource, generation, schema, fingerprint), attempts) in together {
        let Some(first) = attempts.first() else { continue };
        let actor = Actor::from(&first.caller);
        let batches = attempts.iter().map(|attempt| Batch {
            id: attempt.batch,
            runs: attempt.runs.clone(),
            n: attempt.accepted,
        });
        let whole = Published {
            resource,
            generation,
            schema,
            fingerprint: fingerprint.parse()?,
            batches: batches.collect(),
            policy: POLICY,
        };
        events.extend(whole.split(&actor)?.into_iter().map(|part| (actor.clone(), part)));
    }
    Ok(events)
}

async fn write_publishing(
    tx: &mut Tx,
    group: &Group,
    publishing: &Publishing<'_>,
    batches: &BTreeMap<BatchId, EventRef>,
    now: Time,
) -> Result<(), Refusal> {
    tx.insert_runs(&publishing.runs()).await?;
    let mut claims: Vec<(&Claim, Stored)> = Vec::new();
    let mut quarantined = Vec::new();
    for (_, attempt) in publishing.committed(&group.attempts) {
        quarantined.extend(attempt.quarantined.iter().map(|record| (attempt, record)));
        if let Some(replayed) = attempt.replays {
            tx.decide_quarantined(replayed, QuarantineState::Replayed, Some(attempt.batch)).await?;
        }
        if let (Some(claim), Some(event)) = (&attempt.claim, batches.get(&attempt.batch)) {
            let stored = Stored {
                hash: claim.hash,
                batch: attempt.batch,
                quarantined: receipts::count(&attempt.quarantined),
                event: event.id,
            };
            claims.push((claim, stored));
        }
    }
    tx.keep_claims(&claims, now).await?;
    tx.move_sources(publishing.sources(), now).await?;
    tx.insert_quarantined(&quarantined, now).await
}

async fn write_delivering(
    ledger: &StoreLedger,
    tx: &mut Tx,
    delivering: &Delivering<'_>,
    now: Time,
) -> Result<(), Refusal> {
    tx.delete_windows(&Vec::from_iter(delivering.closed.iter().copied())).await?;
    tx.set_let_out(&delivering.let_out).await?;
    tx.insert_windows(&delivering.opened, ledger.epoch, now).await?;
    tx.set_quotas(&delivering.quotas).await?;
    let moved: Vec<_> = delivering.positions.iter().map(|(id, position)| (*id, position)).collect();
    tx.set_positions(&moved).await
}

/// The receipt of an attempt that this very commit made count.
pub(super) fn receipt(attempt: &Attempt, event: &EventRef) -> Receipt {
    Receipt {
        batch: attempt.batch,
        accepted: attempt.accepted,
        quarantined: receipts::count(&attempt.quarantined),
        schema: attempt.schema,
        runs: attempt.runs.clone(),
        event: event.id,
        leaf_sha256: event.leaf_sha256.clone(),
        replayed: false,
    }
}
