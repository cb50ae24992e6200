//! Receipts, made again from a stored row and the event's own bytes (protocol.md 5).

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate};
use serde::Deserialize;
use sqlx::QueryBuilder;

use super::super::dispatch::on;
use super::super::error::internal;
use super::super::{EventRef, Session, Tx};
use super::commit::receipt;
use super::publishing::Fate;
use crate::audit::leaf_sha256;
use crate::error::Refusal;
use crate::ids::{BatchId, EventId, SchemaId};
use crate::ports::{Group, Receipt};
use crate::visibility::Run;

/// The part of a `publish` body that a receipt needs.
#[derive(Debug, Deserialize)]
struct PublishBody {
    schema: SchemaId,
    batches: Vec<BatchBody>,
}

#[derive(Debug, Deserialize)]
struct BatchBody {
    id: BatchId,
    runs: Vec<(i32, i64, i64)>,
    n: i64,
}

pub(super) fn count<T>(members: &[T]) -> i64 {
    i64::try_from(members.len()).unwrap_or(i64::MAX)
}

/// The answer to every attempt, in the order of the group.
pub(super) async fn answers(
    tx: &mut Tx,
    group: &Group,
    fates: Vec<Fate>,
    batches: &BTreeMap<BatchId, EventRef>,
) -> Result<Vec<Result<Receipt, Refusal>>, Refusal> {
    let stored = fates.iter().filter_map(|fate| match fate {
        Fate::Stored { event, .. } => Some(*event),
        _ => None,
    });
    let bodies = tx.bodies(&Vec::from_iter(stored)).await?;
    let own = |place: usize| {
        let attempt = group.attempts.get(place)?;
        batches.get(&attempt.batch).map(|event| receipt(attempt, event))
    };
    let answer = |(place, fate)| match fate {
        Fate::Committed => own(place).ok_or_else(internal).map(Ok),
        Fate::SameAs(winner) => {
            own(winner).ok_or_else(internal).map(|winner| Ok(Receipt { replayed: true, ..winner }))
        }
        Fate::Stored { batch, quarantined, event } => {
            let body = bodies.get(&event).ok_or_else(internal)?;
            rebuild(event, body, batch, quarantined).map(Ok)
        }
        Fate::Lost(refusal) => Ok(Err(refusal)),
    };
    fates.into_iter().enumerate().map(answer).collect()
}

/// A receipt from an event's bytes; `replayed` is for the caller to lower.
pub(super) fn rebuild(
    event: EventId,
    body: &[u8],
    batch: BatchId,
    quarantined: i64,
) -> Result<Receipt, Refusal> {
    let read: PublishBody = serde_json::from_slice(body).map_err(|_| internal())?;
    let found = read.batches.into_iter().find(|it| it.id == batch).ok_or_else(internal)?;
    let run = |(partition, first, last)| Run { partition, first, last };
    Ok(Receipt {
        batch,
        accepted: found.n,
        quarantined,
        schema: read.schema,
        runs: found.runs.into_iter().map(run).collect(),
        event,
        leaf_sha256: leaf_sha256(body),
        replayed: true,
    })
}

/// The UTC day of an event's row, from the time in its id: both were made from one reading of the clock.
pub(super) fn day_of(event: EventId) -> Option<NaiveDate> {
    let (seconds, nanos) = event.0.get_timestamp()?.to_unix();
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos).map(|at| at.date_naive())
}

impl Session {
    /// The bytes of several events.
    pub(super) async fn bodies(&mut self, events: &[EventId]) -> Result<BTreeMap<EventId, Vec<u8>>, Refusal> {
        if events.is_empty() {
            return Ok(BTreeMap::new());
        }
        let rows: Vec<(EventId, Vec<u8>)> = on!(self, |conn| async {
            let mut select = QueryBuilder::new("SELECT id, body FROM audit_event WHERE (day, id) IN (");
            select.push_values(events, |mut row, event| {
                row.push_bind(day_of(*event)).push_bind(event);
            });
            select.push(")").build_query_as().fetch_all(conn).await
        })?;
        Ok(rows.into_iter().collect())
    }
}
