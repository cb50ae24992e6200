//! The way out for a store that is older than its log (protocol.md 4): runs of exported events are adopted, what
//! nobody knows is declared dead, and no number that was ever given out is given again. One commit.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use sqlx::{query, query_scalar};

use super::super::dispatch::{on, rows};
use super::super::error::internal;
use super::super::visibility::{TopicKey, of};
use super::super::{Lease, LockClass, Store, Tx};
use super::exported::{Exported, Says, numbers};
use crate::audit::{Actor, Event, LogReconciled, Settled, What};
use crate::clock::{Ids, Time};
use crate::error::{Code, Refusal};
use crate::ids::{EventId, SchemaId};
use crate::ports::Topic;
use crate::visibility::{PartitionView, Run, Settlement, StoredRun, Verdict};

/// What the log holds, as far as a decision needs it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogHolds {
    /// Of each topic the first record kept and the end, by partition.
    pub topics: BTreeMap<TopicKey, Vec<(i64, i64)>>,
    /// The largest schema id that a record's prefix shows.
    pub schema: Option<SchemaId>,
}

/// What is decided.
#[derive(Debug, Clone, Copy)]
pub struct Decision<'a> {
    pub holds: &'a LogHolds,
    pub events: &'a [Exported],
    /// What no event covers is dead. Without it such records leave everything undecided.
    pub declare_dead: bool,
    /// The epoch noted outside the store: the next is above it.
    pub noted_epoch: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decided {
    pub events: i64,
    pub records: i64,
    pub dead: i64,
    /// Events of publishes to topics that the store does not know.
    pub elsewhere: i64,
    /// Events of other kinds that the store lacks, by code: what they tell of is to be done again.
    pub missing: BTreeMap<String, i64>,
}

impl Store {
    pub async fn decide(
        &self,
        decision: &Decision<'_>,
        lease: Lease,
        now: Time,
        ids: &dyn Ids,
    ) -> Result<Decided, Refusal> {
        let mut tx = self.begin().await?;
        tx.hold_epoch(lease.epoch).await?;
        let mut deciding =
            Deciding { holds: decision.holds, views: BTreeMap::new(), done: Decided::default() };
        let mut fresh = BTreeMap::new();
        for event in decision.events {
            if !tx.has_event(event).await? {
                deciding.adopt(&mut tx, event, &mut fresh).await?;
            }
        }
        let runs: Vec<_> = fresh
            .iter()
            .flat_map(|(topic, runs)| runs.iter().map(|run| (*topic, *run, Verdict::Committed)))
            .collect();
        tx.insert_runs(&runs).await?;
        let mut said = deciding.settle(&mut tx, decision.declare_dead).await?;
        tx.raise_counters(decision).await?;
        let done = deciding.done;
        said.push(LogReconciled { events: done.events, records: done.records, dead: done.dead }.into());
        let event = |what| Event::new(EventId(ids.uuid(now)), now, Actor::Server, what);
        tx.record_all(&said.into_iter().map(event).collect::<Vec<_>>()).await?;
        tx.raise_epoch(lease.epoch, decision.noted_epoch).await?;
        tx.finish().await?;
        Ok(done)
    }
}

struct Deciding<'a> {
    holds: &'a LogHolds,
    views: BTreeMap<TopicKey, Vec<PartitionView>>,
    done: Decided,
}

impl Deciding<'_> {
    /// Takes an event that the store lacks, where it concerns a topic that the store knows.
    async fn adopt(
        &mut self,
        tx: &mut Tx,
        event: &Exported,
        fresh: &mut BTreeMap<TopicKey, Vec<Run>>,
    ) -> Result<(), Refusal> {
        match &event.says {
            Says::TopicWanted(topic) if self.is_lacking(tx, topic).await? => {
                tx.insert_topic(topic).await?;
                tx.first_marks((topic.resource, topic.generation), topic.partitions).await?;
                tx.keep_event(event).await
            }
            Says::Published { topic, runs, records } => {
                let Some(views) = self.views(tx, *topic).await? else {
                    self.done.elsewhere += 1;
                    return Ok(());
                };
                for run in runs {
                    let view = usize::try_from(run.partition).ok().and_then(|at| views.get_mut(at));
                    let stored = StoredRun { first: run.first, last: run.last, verdict: Verdict::Committed };
                    let taken = view.map(|view| view.insert(stored));
                    taken.and_then(Result::ok).ok_or_else(|| contradicts(event, run))?;
                }
                self.is_held(*topic, runs).then_some(()).ok_or_else(|| not_held(event))?;
                fresh.entry(*topic).or_default().extend(runs);
                self.done.events += 1;
                self.done.records += records;
                tx.keep_event(event).await
            }
            _ => {
                *self.done.missing.entry(event.code.clone()).or_default() += 1;
                Ok(())
            }
        }
    }

    /// A topic of the generation in force that the store forgot and the log has.
    async fn is_lacking(&self, tx: &mut Tx, topic: &Topic) -> Result<bool, Refusal> {
        let key = (topic.resource, topic.generation);
        let entry = tx.resource(topic.resource).await?;
        let in_force = entry.is_some_and(|entry| entry.generation == topic.generation);
        let known = tx.topic(topic.resource, topic.generation).await?.is_some();
        Ok(in_force && !known && self.holds.topics.contains_key(&key))
    }

    async fn views(
        &mut self,
        tx: &mut Tx,
        topic: TopicKey,
    ) -> Result<Option<&mut Vec<PartitionView>>, Refusal> {
        let place = match self.views.entry(topic) {
            Entry::Occupied(known) => return Ok(Some(known.into_mut())),
            Entry::Vacant(place) => place,
        };
        tx.lock_exclusive(LockClass::Topic, topic.0).await?;
        let Some(stored) = tx.topic(topic.0, topic.1).await? else { return Ok(None) };
        let mut views = tx.views(&[topic]).await?.remove(&topic).unwrap_or_default();
        views.resize_with(usize::try_from(stored.partitions).unwrap_or(0), PartitionView::default);
        Ok(Some(place.insert(views)))
    }

    fn is_held(&self, topic: TopicKey, runs: &[Run]) -> bool {
        let held = self.holds.topics.get(&topic);
        runs.iter().all(|run| {
            let at = usize::try_from(run.partition).ok();
            at.and_then(|at| held?.get(at)).is_some_and(|(_, end)| run.last < *end)
        })
    }

    /// What nobody knows below the log's end is dead, in every topic.
    async fn settle(&mut self, tx: &mut Tx, declare_dead: bool) -> Result<Vec<What>, Refusal> {
        let mut said: Vec<What> = Vec::new();
        for (topic, held) in &self.holds.topics.clone() {
            let Some(views) = self.views(tx, *topic).await? else { continue };
            let mut changes: BTreeMap<i32, Settlement> = BTreeMap::new();
            for ((part, view), (first, end)) in (0..).zip(views).zip(held) {
                if let Some(change) = view.settle(*end, *first) {
                    changes.insert(part, change);
                }
            }
            let (resource, generation) = *topic;
            let holes: Vec<Run> =
                changes.iter().flat_map(|(part, it)| it.holes.iter().map(|hole| of(*part, hole))).collect();
            self.done.dead += holes.iter().map(|hole| hole.last + 1 - hole.first).sum::<i64>();
            tx.settle_runs(*topic, &changes).await?;
            if !holes.is_empty() {
                let parts = Settled { resource, generation, holes }.split(&Actor::Server)?;
                said.extend(parts.into_iter().map(What::from));
            }
        }
        if self.done.dead > 0 && !declare_dead {
            return Err(undecided(self.done.dead));
        }
        Ok(said)
    }
}

impl Tx {
    async fn has_event(&mut self, event: &Exported) -> Result<bool, Refusal> {
        const SELECT: &str = "SELECT count(*) FROM audit_event WHERE day = $1 AND id = $2";
        let found: i64 =
            on!(self, |conn| query_scalar(SELECT).bind(event.day()).bind(event.id).fetch_one(conn))?;
        Ok(found > 0)
    }

    /// The event as it was, byte for byte.
    async fn keep_event(&mut self, event: &Exported) -> Result<(), Refusal> {
        const INSERT: &str = "INSERT INTO audit_event \
            (day, id, at, code, agency, account, resource, grant_id, body) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let written = rows!(self, |conn| query(INSERT)
            .bind(event.day())
            .bind(event.id)
            .bind(event.at)
            .bind(event.code.as_str())
            .bind(event.agency)
            .bind(event.account)
            .bind(event.resource)
            .bind(event.grant)
            .bind(event.body.as_slice())
            .execute(conn))?;
        if written == 1 { Ok(()) } else { Err(internal()) }
    }

    /// Above everything that topics, prefixes of records and events show to be given out.
    async fn raise_counters(&mut self, decision: &Decision<'_>) -> Result<(), Refusal> {
        const RAISE: &str = "INSERT INTO counter (name, value) VALUES ($1, $2) \
            ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE counter.value < excluded.value";
        let mut shown = numbers(decision.events);
        let mut show = |name: &str, number: i64| {
            let stored = shown.entry(name.to_owned()).or_insert(0);
            *stored = number.max(*stored);
        };
        decision.holds.topics.keys().for_each(|(resource, _)| show("resource", resource.0));
        decision.holds.schema.iter().for_each(|schema| show("schema", i64::from(schema.0)));
        for (name, number) in shown.iter().filter(|(_, number)| **number > 0) {
            rows!(self, |conn| query(RAISE).bind(name.as_str()).bind(*number).execute(conn))?;
        }
        self.take_generations(decision.holds.topics.keys().copied().collect()).await
    }

    /// A topic of a generation that the store forgot is never copied into.
    async fn take_generations(&mut self, held: BTreeSet<TopicKey>) -> Result<(), Refusal> {
        const TAKE: &str = "INSERT INTO topic (resource, generation, name, partitions, made, ends) \
            VALUES ($1, $2, $3, $4, $5, $6)";
        for (resource, generation) in held {
            let known = self.topic(resource, generation).await?.is_some();
            let Some(entry) = self.resource(resource).await?.filter(|_| !known) else { continue };
            if generation <= entry.generation {
                continue;
            }
            let name = format!("forgotten.{resource}.{generation}");
            rows!(self, |conn| query(TAKE)
                .bind(resource)
                .bind(generation)
                .bind(name.as_str())
                .bind(0)
                .bind(false)
                .bind("[]")
                .execute(conn))?;
        }
        Ok(())
    }

    async fn raise_epoch(&mut self, mine: i64, noted: i64) -> Result<(), Refusal> {
        const RAISE: &str = "UPDATE server_lease SET epoch = $1 WHERE id = 1 AND epoch = $2";
        let raised = rows!(self, |conn| query(RAISE).bind(mine.max(noted) + 1).bind(mine).execute(conn))?;
        if raised == 1 { Ok(()) } else { Err(internal()) }
    }
}

fn contradicts(event: &Exported, run: &Run) -> Refusal {
    let place = format!("{}.{}-{}", run.partition, run.first, run.last);
    Refusal::new(
        Code::Conflict,
        format!("事件 {} 的记录 {place} 与数据库已定的结果相抵触;未作任何更改", event.id),
        format!(
            "records {place} of event {} contradict what the store has settled; nothing was changed",
            event.id
        ),
    )
}

fn not_held(event: &Exported) -> Refusal {
    Refusal::new(
        Code::LogRolledBack,
        format!("日志中没有事件 {} 所述的全部记录:这份日志也被回退过;未作任何更改", event.id),
        format!(
            "the log does not hold all records that event {} tells of: it was put back too; nothing was changed",
            event.id
        ),
    )
}

fn undecided(offsets: i64) -> Refusal {
    Refusal::new(
        Code::StoreOlderThanLog,
        format!(
            "日志中尚有 {offsets} 条记录无任何事件说明,未作任何更改:请提供更完整的导出文件(--adopt),或以 \
             --declare-dead 宣告其无效"
        ),
        format!(
            "{offsets} records of the log are covered by no event, so nothing was changed: give a more complete export \
             (--adopt), or add --declare-dead to give them up"
        ),
    )
    .with("undecided", offsets)
}
