//! Puts a new generation of a resource in force: what was copied counts from this commit on, its readers go on there
//! or begin anew (protocol.md 2 and 6).

use std::collections::BTreeMap;

use super::act::{Act, Done};
use super::registry::put_in_force::carry_over;
use super::resource::{Opened, open, save};
use crate::audit::{Actor, Event, Published, ResourceNewGeneration, Settled, What};
use crate::error::Refusal;
use crate::generation::Copied;
use crate::grant::decide::POLICY;
use crate::ids::{EventId, GrantId, ResourceCode, SchemaId};
use crate::resource::Resource;
use crate::resource::lifecycle::Act as Step;
use crate::store::{Store, Tx};
use crate::visibility::{PartitionView, Run, Settlement, Verdict};

/// What became of a cut-over.
#[derive(Debug)]
pub enum CutOver {
    Done(Box<Done<Resource>>),
    /// Something was committed, or a grant made, that the copy doesn't have: it is made again.
    Changed,
}

/// Whether the caller may do it, and what an earlier call with its idempotency key did.
pub async fn may_move(
    store: &Store,
    act: &Act<'_>,
    code: &ResourceCode,
    expected: Option<i32>,
) -> Result<Option<Done<Resource>>, Refusal> {
    match open(store, act, code, Step::NewGeneration, expected).await? {
        Opened::Fresh(..) => Ok(None),
        Opened::Before(done) => Ok(Some(done)),
    }
}

/// One commit, under the topic's lock taken alone.
pub async fn new_generation(
    store: &Store,
    act: &Act<'_>,
    code: &ResourceCode,
    expected: Option<i32>,
    copied: &Copied,
) -> Result<CutOver, Refusal> {
    let (mut tx, mut entry) = match open(store, act, code, Step::NewGeneration, expected).await? {
        Opened::Fresh(tx, entry) => (tx, entry),
        Opened::Before(done) => return Ok(CutOver::Done(Box::new(done))),
    };
    let (from, to) = (&copied.from, &copied.to);
    if entry.generation != from.generation || !still_counts(&mut tx, copied).await? {
        return Ok(CutOver::Changed);
    }
    let Some(floors) = floors(&mut tx, copied).await? else { return Ok(CutOver::Changed) };
    let views = copied.views();
    // Nothing was published since the copy began, however long it took.
    tx.end_topic(from, &copied.ends, &copied.lost, Some(copied.began)).await?;
    tx.begin_topic(to, &copied.begins).await?;
    tx.open_topic((to.resource, to.generation), &settlements(&views)).await?;
    for (grant, floor) in &floors {
        tx.insert_floor(*grant, to.generation, floor).await?;
    }
    tx.record_all(&of_the_bus(act, copied, &views)?).await?;
    entry.generation = to.generation;
    entry.log_rolled_back = false;
    carry_over(&mut tx, act, &entry, from.generation).await?;
    let event = ResourceNewGeneration {
        resource: entry.number,
        version: entry.version,
        generation: to.generation,
        topic: to.name.clone(),
        partitions: to.partitions,
        records: copied.records,
    };
    let done = save(tx, act, entry, Step::NewGeneration, vec![event.into()]).await?;
    Ok(CutOver::Done(Box::new(done)))
}

/// Whether exactly what was copied counts in the old generation.
async fn still_counts(tx: &mut Tx, copied: &Copied) -> Result<bool, Refusal> {
    let topic = (copied.from.resource, copied.from.generation);
    let views = tx.views(&[topic]).await?.remove(&topic).unwrap_or_default();
    let none = PartitionView::default();
    let counts = |(at, first): (usize, &i64)| views.get(at).unwrap_or(&none).counting(*first, i64::MAX);
    Ok(copied.first_kept.iter().enumerate().map(counts).eq(copied.seen.iter().cloned()))
}

/// A floor for every grant there is; `None` if one was made meanwhile whose floor only another copy can tell.
async fn floors(tx: &mut Tx, copied: &Copied) -> Result<Option<BTreeMap<GrantId, Vec<i64>>>, Refusal> {
    let stored = tx.floors(copied.from.resource, copied.from.generation).await?;
    let floor = |stored: crate::ports::GrantFloor| {
        let known = copied.floors.get(&stored.grant).cloned();
        Some((stored.grant, known.or_else(|| copied.late_floor(stored.time))?))
    };
    Ok(stored.into_iter().map(floor).collect())
}

fn settlements(views: &[PartitionView]) -> BTreeMap<i32, Settlement> {
    let settlement = |view: &PartitionView| Settlement {
        settled: view.settled,
        holes: view.runs.clone(),
        delete: Vec::new(),
        insert: view.runs.clone(),
    };
    (0..).zip(views.iter().map(settlement)).collect()
}

/// The bus's own publishes, and what in the new topic never counts.
fn of_the_bus(act: &Act<'_>, copied: &Copied, views: &[PartitionView]) -> Result<Vec<Event>, Refusal> {
    let (resource, generation) = (copied.to.resource, copied.to.generation);
    let mut by_schema: BTreeMap<(SchemaId, &str), Vec<_>> = BTreeMap::new();
    for batch in &copied.batches {
        by_schema.entry((batch.schema, batch.fingerprint.as_str())).or_default().push(batch.batch.clone());
    }
    let mut said: Vec<What> = Vec::new();
    for ((schema, fingerprint), batches) in by_schema {
        let fingerprint = fingerprint.parse()?;
        let whole = Published { resource, generation, schema, fingerprint, batches, policy: POLICY };
        said.extend(whole.split(&Actor::Server)?.into_iter().map(What::from));
    }
    let dead = (0..).zip(views).flat_map(|(partition, view)| {
        let dead = view.runs.iter().filter(|run| run.verdict == Verdict::Dead);
        dead.map(move |run| Run { partition, first: run.first, last: run.last })
    });
    let holes: Vec<Run> = dead.collect();
    if !holes.is_empty() {
        let whole = Settled { resource, generation, holes };
        said.extend(whole.split(&Actor::Server)?.into_iter().map(What::from));
    }
    let event = |what| Event::new(EventId(act.ids.uuid(act.now)), act.now, Actor::Server, what);
    Ok(said.into_iter().map(event).collect())
}
