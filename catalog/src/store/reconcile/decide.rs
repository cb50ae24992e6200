//! The way out for a store that is older than its log (protocol.md 4): runs of exported events are adopted, what
//! nobody knows is declared dead, and no number that was ever given out is given again. One commit.

use std::collections::BTreeMap;

use super::super::visibility::{TopicKey, of};
use super::super::{Lease, LockClass, Store, Tx};
use super::exported::{Exported, Says};
use super::report::{Decided, Repeatable, contradicts, not_held, undecided};
use crate::audit::{Actor, Event, LogReconciled, LogRolledBack, Settled, TopicWanted, What};
use crate::clock::{Ids, Time};
use crate::error::Refusal;
use crate::ids::{AccountId, EventId, ResourceNumber, SchemaId, TopicName};
use crate::ports::Topic;
use crate::resource::Kind;
use crate::visibility::{PartitionView, Run, Settlement, StoredRun, Verdict};

/// What the log holds, as far as a decision needs it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogHolds {
    /// What the names of the topics begin with.
    pub prefix: String,
    /// Of each topic the first record kept and the end, by partition.
    pub topics: BTreeMap<TopicKey, Vec<(i64, i64)>>,
    /// The largest schema id that a record's prefix shows.
    pub schema: Option<SchemaId>,
}

impl LogHolds {
    fn name(&self, (resource, generation): TopicKey) -> TopicName {
        TopicName::records(&self.prefix, resource, generation)
    }
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
        let mut deciding = Deciding::new(decision.holds, tx.number_given("resource").await?);
        let mut lacking = Vec::new();
        for event in decision.events {
            if !tx.has_event(event).await? {
                lacking.push(event);
            }
        }
        // Topics first: a file may have been put together in any order.
        lacking.sort_by_key(|event| !matches!(event.says, Says::TopicWanted(_)));
        for event in lacking {
            deciding.adopt(&mut tx, event).await?;
        }
        deciding.write_runs(&mut tx).await?;
        deciding.settle(&mut tx).await?;
        if deciding.done.dead > 0 && !decision.declare_dead {
            return Err(undecided(&deciding.done));
        }
        deciding.name_repeatable(&mut tx).await?;
        tx.raise_counters(decision).await?;
        let Deciding { mut said, done, .. } = deciding;
        said.push(LogReconciled { events: done.events, records: done.records, dead: done.dead }.into());
        let event = |what| Event::new(EventId(ids.uuid(now)), now, Actor::Server, what);
        tx.record_all(&said.into_iter().map(event).collect::<Vec<_>>()).await?;
        tx.raise_epoch(lease.epoch, decision.noted_epoch).await?;
        tx.finish().await?;
        Ok(done)
    }
}

/// What the store makes of a topic that the log has.
enum Stands {
    Ours(Topic),
    /// Of the generation in force, and the store does not know of it: it is taken as it lies.
    Forgotten,
    /// An earlier decision passed it over.
    GivenUp,
    /// Of a resource or a generation that the store does not know.
    Strange,
}

struct Deciding<'a> {
    holds: &'a LogHolds,
    /// The largest resource number that the store has given out.
    given_out: i64,
    views: BTreeMap<TopicKey, Vec<PartitionView>>,
    fresh: BTreeMap<TopicKey, Vec<Run>>,
    /// Batches and records adopted, by whose they are.
    adopted: BTreeMap<(ResourceNumber, Option<AccountId>), (i64, i64)>,
    said: Vec<What>,
    done: Decided,
}

impl<'a> Deciding<'a> {
    fn new(holds: &'a LogHolds, given_out: i64) -> Self {
        Self {
            holds,
            given_out,
            views: BTreeMap::new(),
            fresh: BTreeMap::new(),
            adopted: BTreeMap::new(),
            said: Vec::new(),
            done: Decided::default(),
        }
    }

    async fn stands(&self, tx: &mut Tx, topic: TopicKey) -> Result<Stands, Refusal> {
        let (number, generation) = topic;
        let Some(entry) = tx.resource(number).await? else {
            // Its number is never given again: so it was when an earlier decision was made.
            return Ok(if number.0 <= self.given_out { Stands::GivenUp } else { Stands::Strange });
        };
        let known = tx.generations(number).await?;
        let known = known.into_iter().find(|known| known.topic.generation == generation);
        Ok(match known {
            Some(known) if generation <= entry.generation => Stands::Ours(known.topic),
            Some(known) if known.ends.is_some() => Stands::GivenUp,
            None if generation == entry.generation => Stands::Forgotten,
            _ => Stands::Strange,
        })
    }

    /// Takes an event that the store lacks, where it concerns a topic of a generation that the store knows.
    async fn adopt(&mut self, tx: &mut Tx, event: &Exported) -> Result<(), Refusal> {
        match &event.says {
            Says::TopicWanted(topic) if self.is_lacking(tx, topic).await? => {
                tx.insert_topic(topic).await?;
                tx.first_marks((topic.resource, topic.generation), topic.partitions).await?;
                tx.keep_event(event).await
            }
            Says::Published { topic, runs, records, batches, schema, fingerprint } => {
                // Records that nobody could read back are not brought back: the id may be another schema's by now.
                let known = tx.schema(*schema).await?;
                let readable = known.is_some_and(|known| known.fingerprint == fingerprint.to_string());
                let views = if readable { self.views(tx, *topic).await? } else { None };
                let Some(views) = views else {
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
                self.fresh.entry(*topic).or_default().extend(runs);
                self.done.events += 1;
                self.done.records += records;
                let whose = self.adopted.entry((topic.0, event.account)).or_default();
                *whose = (whose.0 + batches, whose.1 + records);
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
        let forgotten = matches!(self.stands(tx, key).await?, Stands::Forgotten);
        Ok(forgotten && self.holds.topics.contains_key(&key))
    }

    /// What counts in a topic of the store's own, one that it forgot included; `None` of any other.
    async fn views(
        &mut self,
        tx: &mut Tx,
        topic: TopicKey,
    ) -> Result<Option<&mut Vec<PartitionView>>, Refusal> {
        if !self.views.contains_key(&topic) {
            tx.lock_exclusive(LockClass::Topic, topic.0).await?;
            let ours = match self.stands(tx, topic).await? {
                Stands::Ours(stored) => stored,
                Stands::Forgotten => match self.take_forgotten(tx, topic).await? {
                    Some(taken) => taken,
                    None => return Ok(None),
                },
                Stands::GivenUp | Stands::Strange => return Ok(None),
            };
            let mut views = tx.views(&[topic]).await?.remove(&topic).unwrap_or_default();
            views.resize_with(usize::try_from(ours.partitions).unwrap_or(0), PartitionView::default);
            self.views.insert(topic, views);
        }
        Ok(self.views.get_mut(&topic))
    }

    /// Makes a topic as it lies in the log the store's own, so that the next publish finds it; `None` if it is not there.
    async fn take_forgotten(&mut self, tx: &mut Tx, key: TopicKey) -> Result<Option<Topic>, Refusal> {
        let Some(held) = self.holds.topics.get(&key) else { return Ok(None) };
        let (resource, generation) = key;
        let (name, partitions) = (self.holds.name(key), i32::try_from(held.len()).unwrap_or(0));
        let topic = Topic { name: name.clone(), resource, generation, partitions, made: true };
        tx.insert_topic(&topic).await?;
        tx.first_marks(key, partitions).await?;
        self.said.push(TopicWanted { resource, generation, topic: name, partitions }.into());
        Ok(Some(topic))
    }

    fn is_held(&self, topic: TopicKey, runs: &[Run]) -> bool {
        let held = self.holds.topics.get(&topic);
        runs.iter().all(|run| {
            let at = usize::try_from(run.partition).ok();
            at.and_then(|at| held?.get(at)).is_some_and(|(_, end)| run.last < *end)
        })
    }

    async fn write_runs(&mut self, tx: &mut Tx) -> Result<(), Refusal> {
        let fresh = std::mem::take(&mut self.fresh);
        let runs =
            fresh.iter().flat_map(|(topic, runs)| runs.iter().map(|run| (*topic, *run, Verdict::Committed)));
        tx.insert_runs(&runs.collect::<Vec<_>>()).await
    }

    /// What nobody knows below the log's end is dead, in every topic.
    async fn settle(&mut self, tx: &mut Tx) -> Result<(), Refusal> {
        let holds = self.holds;
        for (topic, held) in &holds.topics {
            let dead: i64 = match self.stands(tx, *topic).await? {
                Stands::GivenUp => continue,
                Stands::Strange => held.iter().map(|(first, end)| end - first).sum(),
                Stands::Ours(stored) => {
                    // Made after the backup: what the log has is what was wanted.
                    if !stored.made {
                        tx.set_topic_made(&stored).await?;
                    }
                    self.settle_own(tx, *topic, held).await?
                }
                Stands::Forgotten => self.settle_own(tx, *topic, held).await?,
            };
            if dead > 0 {
                self.done.dead += dead;
                self.done.given_up.insert(self.holds.name(*topic), dead);
                self.stop_table(tx, *topic).await?;
            }
        }
        Ok(())
    }

    /// A copy of a table may hold a row that was delivered and is dead now, and nothing that is still to come would take it
    /// away: only another view does, which a new generation is.
    async fn stop_table(&mut self, tx: &mut Tx, (resource, generation): TopicKey) -> Result<(), Refusal> {
        let entry = tx.resource(resource).await?.filter(|entry| entry.file.kind == Kind::Table);
        let Some(entry) = entry else { return Ok(()) };
        if tx.stop_resource(resource, generation).await? {
            self.done.stopped.push(entry.code);
            self.said.push(LogRolledBack { resource, generation }.into());
        }
        Ok(())
    }

    /// Answers how many records of the topic are dead from now on.
    async fn settle_own(
        &mut self,
        tx: &mut Tx,
        topic: TopicKey,
        held: &[(i64, i64)],
    ) -> Result<i64, Refusal> {
        let Some(views) = self.views(tx, topic).await? else { return Ok(0) };
        let mut changes: BTreeMap<i32, Settlement> = BTreeMap::new();
        for ((part, view), (_, end)) in (0..).zip(views).zip(held) {
            // Nothing dead is forgotten here: the server does it once no broker has its records.
            if let Some(change) = view.settle(*end, 0) {
                changes.insert(part, change);
            }
        }
        let holes: Vec<Run> =
            changes.iter().flat_map(|(part, it)| it.holes.iter().map(|hole| of(*part, hole))).collect();
        let dead = holes.iter().map(|hole| hole.last + 1 - hole.first).sum();
        tx.settle_runs(topic, &changes).await?;
        if !holes.is_empty() {
            let (resource, generation) = topic;
            let parts = Settled { resource, generation, holes }.split(&Actor::Server)?;
            self.said.extend(parts.into_iter().map(What::from));
        }
        Ok(dead)
    }

    /// Keys and source positions are in no event: who published what was adopted may publish it once more.
    async fn name_repeatable(&mut self, tx: &mut Tx) -> Result<(), Refusal> {
        for ((number, account), (batches, records)) in std::mem::take(&mut self.adopted) {
            let Some(entry) = tx.resource(number).await? else { continue };
            let sources = tx.sources_of(number, account).await?;
            let (resource, kind) = (entry.code, entry.file.kind);
            self.done.repeatable.push(Repeatable { resource, kind, account, batches, records, sources });
        }
        Ok(())
    }
}
