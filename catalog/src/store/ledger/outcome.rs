//! What stands when nobody heard the answer (protocol.md 3): the topics are taken alone, which waits for that COMMIT;
//! then the store is asked.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::idempotency::{Stored, lock_text, reused, scope};
use super::super::{EventFilter, EventPlace, Lock, LockClass, Session};
use super::StoreLedger;
use super::receipts::{count, day_of, rebuild};
use crate::audit::EventCode;
use crate::error::{Code, Refusal};
use crate::ids::{EventId, ResourceNumber};
use crate::ports::{Attempt, Claim, Receipt};

/// Events read at a time when a batch without a key is looked for.
const PAGE: i64 = 500;

pub(super) async fn outcome(
    ledger: &StoreLedger,
    attempts: &[Attempt],
) -> Result<Vec<Result<Receipt, Refusal>>, Refusal> {
    let mut tx = ledger.committing.begin().await?;
    let claims = attempts.iter().filter_map(|attempt| attempt.claim.as_ref());
    let mut locks: BTreeSet<Lock> =
        claims.map(|claim| Lock::on(LockClass::Idempotency, lock_text(claim))).collect();
    locks.extend(attempts.iter().map(|attempt| Lock::on(LockClass::Topic, attempt.resource)));
    tx.lock_all_exclusive(Vec::from_iter(locks)).await?;
    let mut answers = Vec::with_capacity(attempts.len());
    for attempt in attempts {
        let stored = match &attempt.claim {
            Some(claim) => stored_for(&mut tx, claim, attempt).await,
            None => find(&mut tx, attempt).await,
        };
        answers.push(match stored {
            Ok(Some(receipt)) => Ok(receipt),
            Ok(None) => Err(unknown()),
            Err(refusal) if refusal.code == Code::IdempotencyKeyReused => Err(refusal),
            Err(refusal) => return Err(refusal),
        });
    }
    Ok(answers)
}

/// Nothing is read: what waited for these locks, or held them, is over once they are had.
pub(super) async fn decided(ledger: &StoreLedger, resources: &[ResourceNumber]) -> Result<(), Refusal> {
    let mut tx = ledger.committing.begin().await?;
    let locks = resources.iter().map(|resource| Lock::on(LockClass::Topic, resource));
    tx.lock_all_exclusive(locks.collect()).await
}

/// What counts under the attempt's key: itself, or another attempt of the same body.
async fn stored_for(
    session: &mut Session,
    claim: &Claim,
    attempt: &Attempt,
) -> Result<Option<Receipt>, Refusal> {
    let receipt = stored(session, claim).await?;
    Ok(receipt.map(|receipt| Receipt { replayed: receipt.batch != attempt.batch, ..receipt }))
}

/// The receipt under a key; `None` if the key is free.
async fn stored(session: &mut Session, claim: &Claim) -> Result<Option<Receipt>, Refusal> {
    let scope = scope(claim);
    let Some(stored) = session.claims(std::slice::from_ref(&scope)).await?.remove(&scope) else {
        return Ok(None);
    };
    receipt_of(session, claim, stored).await.map(Some)
}

/// The receipt of what counts under a key.
pub(super) async fn receipt_of(
    session: &mut Session,
    claim: &Claim,
    stored: Stored,
) -> Result<Receipt, Refusal> {
    if stored.hash != claim.hash {
        return Err(reused());
    }
    let body = session.bodies(&[stored.event]).await?.remove(&stored.event);
    let body = body.ok_or_else(super::super::error::internal)?;
    rebuild(stored.event, &body, stored.batch, stored.quarantined)
}

/// A batch without a key is known by its event alone, which is not older than the batch.
async fn find(session: &mut Session, attempt: &Attempt) -> Result<Option<Receipt>, Refusal> {
    let filter = EventFilter {
        resource: Some(attempt.resource),
        code: Some(EventCode::Published),
        ..EventFilter::default()
    };
    let born = EventId(attempt.batch.0);
    let Some(day) = day_of(born) else { return Ok(None) };
    // Batch and event are UUIDv7: an event of a later millisecond has a larger id.
    let millisecond = uuid::Uuid::from_u128(born.0.as_u128() & !((1 << 80) - 1));
    let mut after = Some(EventPlace { day, id: EventId(millisecond) });
    loop {
        let page = session.events(&filter, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(None) };
        after = Some(last.place());
        for event in &page {
            if let Ok(receipt) = rebuild(event.id, &event.body, attempt.batch, count(&attempt.quarantined)) {
                return Ok(Some(Receipt { replayed: false, ..receipt }));
            }
        }
    }
}

fn unknown() -> Refusal {
    Refusal::new(
        Code::OutcomeUnknown,
        "数据库未答复提交;请用同一 Idempotency-Key 重试,将得到唯一真实的结果",
        "the database did not answer the commit; retry with the same Idempotency-Key for the one true result",
    )
    .retry_after(Duration::from_secs(2))
}
