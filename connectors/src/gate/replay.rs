//! A record set aside, published after all: as it came or corrected. A table that has a newer record of the key is asked
//! about first: what was set aside is older than what would be overwritten.

use std::ops::Range as Offsets;
use std::sync::Arc;

use bytes::Bytes;
use changtong_catalog::account::Caller;
use changtong_catalog::clock::{Time, rfc3339};
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::{BatchId, Generation};
use changtong_catalog::partition;
use changtong_catalog::ports::{DeadRuns, Receipt, ResourceStanding, Topic, TopicEdges};
use changtong_catalog::resource::Kind;
use changtong_catalog::visibility::{PartitionView, Run, Verdict};
use chrono::DateTime;

use super::calls::{Body, OnInvalid, Publish, Replay, SetAside};
use super::deliver::{Over, READ, RECORDS};
use super::permit::{Permit, PermitKind};
use super::publish::Replayed;
use super::{Gate, claims, refusals};
use crate::avro::{Checked, Format};
use crate::commit::{Partitions, key_of};
use crate::events::AttemptDied;
use crate::log::{LogRecord, Range};

/// Records that are looked through for a newer one; a table that took more since is asked about too.
const MOST_LOOKED_THROUGH: usize = 1_000_000;
/// The same between what was looked through and what has been appended, whose commit waits meanwhile.
const MOST_BETWEEN: usize = 20_000;

/// What stands in the way of a replay.
enum Newer {
    Nothing,
    Record(Topic, LogRecord),
    /// So many records came since that nobody looked through them all.
    TooMany,
    /// The log of an earlier generation lacks some of what came since.
    Lacking,
}

/// How far the partitions of a table have been looked through for newer records.
pub(super) struct Looked {
    generation: Generation,
    ends: Vec<i64>,
}

impl Gate {
    /// Publishes a record set aside again: once, however often and by whomever of its agency it is asked: its index row
    /// is decided in the commit of the batch.
    pub async fn replay(self: &Arc<Self>, replay: Replay) -> Result<Receipt, Refusal> {
        let Replay { caller, aside, corrected, overwrite } = replay;
        let standing = self.aside_standing(&caller, &aside).await?;
        let (format, body) = match corrected {
            Some(corrected) => corrected,
            None => self.as_it_came(&caller, &aside).await?,
        };
        let publish = Publish {
            caller,
            resource: standing.resource.code.clone(),
            format,
            on_invalid: OnInvalid::Reject,
            body,
            idempotency_key: None,
            source: None,
        };
        let claim = claims::of_replay(&publish, &aside);
        match self.ledger.stored_receipt(&claim, standing.resource.generation).await {
            Ok(Some(before)) => return Ok(Receipt { replayed: true, ..before }),
            Ok(None) if aside.waiting => {}
            Err(refusal) if refusal.code != Code::IdempotencyKeyReused => return Err(refusal),
            _ => return Err(refusals::not_waiting()),
        }
        let looked = self.check_replay(&publish, &standing, aside.published_at, overwrite).await?;
        self.publish_under(publish, Some(Replayed { id: aside.id, claim, looked })).await
    }

    async fn as_it_came(&self, caller: &Caller, aside: &SetAside) -> Result<(Format, Body), Refusal> {
        let original = self.original(caller, aside).await?;
        let held = self.budget.take(original.bytes.len() as u64)?;
        Ok((original.format, Body { bytes: original.bytes, held }))
    }

    /// One record, and no newer one of its key. What does not fit the schema is left to the publish to refuse.
    async fn check_replay(
        &self,
        publish: &Publish,
        standing: &ResourceStanding,
        since: Time,
        overwrite: bool,
    ) -> Result<Option<Looked>, Refusal> {
        let known = self.topics.known(standing).or_else(|| standing.topic.clone());
        let partitions = known.as_ref().map_or(self.settings.partitions, |topic| topic.partitions);
        let batch = BatchId(self.ids.uuid(self.clock.now()));
        let (body, _held) = self.read_body(publish, standing, partitions, batch).await?;
        if body.records.len() + body.bad.len() != 1 {
            return Err(one_record(body.records.len() + body.bad.len()));
        }
        if overwrite || standing.resource.file.kind != Kind::Table {
            return Ok(None);
        }
        let (generation, mut ends) = (standing.resource.generation, Vec::new());
        if let (Some(topic), [record]) = (known, body.records.as_slice()) {
            let views = self.committer.load(&topic).await?;
            ends = views.iter().map(|view| view.stable_end()).collect();
            let newer = self.newer(standing, &topic, &views, record, since).await?;
            newer.refuse()?;
        }
        Ok(Some(Looked { generation, ends }))
    }

    /// The last visible record of the key that was published since, whichever generation it lies in.
    async fn newer(
        &self,
        standing: &ResourceStanding,
        topic: &Topic,
        views: &Partitions,
        record: &Checked,
        since: Time,
    ) -> Result<Newer, Refusal> {
        let Some(key) = &record.key else { return Err(refusals::fault()) };
        let mut look = Look::new(key, MOST_LOOKED_THROUGH);
        for before in self.directory.generations(standing.resource.number).await? {
            let in_force = before.topic.generation == topic.generation;
            let Some(views) = self.views_of(&before, topic, views).await? else { continue };
            if before.ended_at.is_some_and(|ended| ended < since) {
                continue;
            }
            if !in_force && !self.log.has_topic(&before.topic.name).await? {
                return Ok(Newer::Lacking);
            }
            let partition = partition::of_key(key, before.topic.partitions);
            let part = usize::try_from(partition).map_err(|_| refusals::fault())?;
            let begins = self.log.offsets_at(&before.topic.name, since).await?;
            let (Some(view), Some(begin)) = (views.get(part), begins.get(part)) else {
                return Err(refusals::fault());
            };
            // What was copied is as old as it was where it was copied from, whatever its append time.
            let begin = before.begins.get(part).copied().unwrap_or_default().max(*begin);
            let visible = view.visible(begin, i64::MAX).collect();
            let over = match in_force {
                true => None,
                false => Some(self.over(before.topic.resource, before.topic.generation).await?),
            };
            if !self.look_through(&before.topic, over.as_deref(), partition, visible, &mut look).await? {
                break;
            }
        }
        Ok(look.found())
    }

    /// What counts of a generation that was or is in force.
    async fn views_of(
        &self,
        of: &TopicEdges,
        current: &Topic,
        views: &Partitions,
    ) -> Result<Option<Partitions>, Refusal> {
        if of.topic.generation == current.generation {
            return Ok(Some(views.clone()));
        }
        match of.ends {
            Some(_) if of.topic.generation < current.generation => {
                self.closed_views(of.topic.resource, of.topic.generation).await.map(Some)
            }
            // One that was copied into and never came into force.
            _ => Ok(None),
        }
    }

    /// The record that was appended dies where a newer one of its key lies before it.
    pub(super) async fn stays_newest(
        &self,
        topic: &Topic,
        batch: BatchId,
        looked: &Looked,
        key: Option<Bytes>,
        runs: &[Run],
    ) -> Result<(), Refusal> {
        let (Some(key), [run]) = (key, runs) else { return Err(refusals::fault()) };
        let between = match looked.generation == topic.generation {
            true => self.nothing_between(topic, looked, &key, run).await,
            false => Err(refusals::too_late()),
        };
        between.inspect_err(|refusal| {
            let (resource, generation) = key_of(topic);
            AttemptDied { resource, batch, refusal }.emit(&self.metrics);
            self.committer.dead(DeadRuns { resource, generation, runs: runs.to_vec() });
        })
    }

    /// After the record was appended, and before it asks to count: of what lies before it in its partition, what was
    /// not there to be looked through is looked through now. Nothing comes there any more.
    async fn nothing_between(
        &self,
        topic: &Topic,
        looked: &Looked,
        key: &Bytes,
        run: &Run,
    ) -> Result<(), Refusal> {
        let part = usize::try_from(run.partition).map_err(|_| refusals::fault())?;
        let views = self.committer.load(topic).await?;
        let view = views.get(part).ok_or_else(refusals::fault)?;
        let from = looked.ends.get(part).copied().unwrap_or_default();
        let dead = view.runs.iter().filter(|stored| stored.verdict == Verdict::Dead);
        let mut between = PartitionView { settled: run.first, runs: dead.copied().collect() };
        between.runs.retain(|stored| stored.first < run.first);
        let mut look = Look::new(key, MOST_BETWEEN);
        let stretches = between.visible(from, run.first).collect();
        self.look_through(topic, None, run.partition, stretches, &mut look).await?;
        match look.found() {
            // Whether it counts is being decided: whoever asks again is told.
            Newer::Record(topic, newer) if !view.counting(newer.offset, newer.offset + 1).is_empty() => {
                Err(newer_record(&topic, &newer))
            }
            // Asked again, it is looked through before anything is appended.
            Newer::Record(..) | Newer::TooMany => Err(refusals::too_late()),
            found => found.refuse(),
        }
    }

    /// Looks through stretches of a partition; `false` once there are too many records, or where the log of a generation
    /// that is over lacks some.
    async fn look_through(
        &self,
        topic: &Topic,
        over: Option<&Over>,
        partition: i32,
        stretches: Vec<Offsets<i64>>,
        look: &mut Look<'_>,
    ) -> Result<bool, Refusal> {
        let _held = self.budget.take(READ as u64)?;
        for stretch in stretches {
            let mut next = stretch.start;
            while next < stretch.end {
                if look.through >= look.most {
                    look.missed = Some(Newer::TooMany);
                    return Ok(false);
                }
                let ranges = [Range { partition, from: next, to: stretch.end }];
                let read = match over {
                    Some(over) => over.read(self, &ranges, || self.looking(topic), READ).await?,
                    None => self.log.read(self.looking(topic), &ranges, READ).await?,
                };
                let Some(last) = read.last() else {
                    if over.is_none() {
                        return Err(refusals::log_silent(&topic.name));
                    }
                    look.missed = Some(Newer::Lacking);
                    return Ok(false);
                };
                next = last.offset + 1;
                look.take(topic, read);
            }
        }
        Ok(true)
    }

    fn looking(&self, topic: &Topic) -> Permit {
        let (name, deadline) = (topic.name.clone(), self.settings.append_deadline);
        let (resource, generation) = (topic.resource, topic.generation);
        Permit::mint(PermitKind::Steward, name, resource, generation, RECORDS, deadline)
    }
}

/// A look for records of a key.
struct Look<'k> {
    key: &'k Bytes,
    last: Option<(Topic, LogRecord)>,
    through: usize,
    most: usize,
    /// Why not all of it was seen.
    missed: Option<Newer>,
}

impl<'k> Look<'k> {
    fn new(key: &'k Bytes, most: usize) -> Self {
        Self { key, last: None, through: 0, most, missed: None }
    }

    fn take(&mut self, topic: &Topic, read: Vec<LogRecord>) {
        self.through += read.len();
        if let Some(found) = read.into_iter().rfind(|other| other.key.as_ref() == Some(self.key)) {
            self.last = Some((topic.clone(), found));
        }
    }

    fn found(self) -> Newer {
        match self.last {
            Some((topic, record)) => Newer::Record(topic, record),
            None => self.missed.unwrap_or(Newer::Nothing),
        }
    }
}

impl Newer {
    fn refuse(self) -> Result<(), Refusal> {
        match self {
            Self::Nothing => Ok(()),
            Self::Record(topic, newer) => Err(newer_record(&topic, &newer)),
            Self::TooMany => Err(too_many_since()),
            Self::Lacking => Err(log_lacking()),
        }
    }
}

fn one_record(found: usize) -> Refusal {
    Refusal::new(
        Code::Invalid,
        format!("重放只收一条更正后的记录,请求体中有 {found} 条"),
        format!("a replay takes the one corrected record; the body has {found}"),
    )
    .with("records", found)
}

fn newer_record(topic: &Topic, newer: &LogRecord) -> Refusal {
    let id = format!("{}.{}.{}", topic.generation, newer.partition, newer.offset);
    let at = DateTime::from_timestamp_millis(newer.appended_ms).map(rfc3339).unwrap_or_default();
    Refusal::new(
        Code::NewerRecord,
        format!(
            "该主键已有更新的记录 {id}({at} 发布),晚于这条隔离记录;若仍要以它覆盖,请加 overwrite=true(命令行 --force)"
        ),
        format!(
            "the table has a newer record of this key, {id}, published at {at}, after this one was set aside; \
             overwrite=true (--force) publishes it all the same"
        ),
    )
    .with("record", id)
    .with("published_at", at)
}

fn log_lacking() -> Refusal {
    Refusal::new(
        Code::NewerRecord,
        "前一代主题的日志已不完整,无法查明隔离之后该主键是否已有更新的记录;若确定要发布,请加 overwrite=true(命令行 --force)",
        "the log of an earlier generation is no longer whole, so nobody can say whether a record of this key was \
         published since; overwrite=true (--force) publishes it all the same",
    )
}

fn too_many_since() -> Refusal {
    Refusal::new(
        Code::NewerRecord,
        "隔离之后发布的记录过多,未能逐条查看该主键是否已有更新的记录;若确定要发布,请加 overwrite=true(命令行 --force)",
        "so many records were published since that it was not looked whether one of them is of this key; \
         overwrite=true (--force) publishes it all the same",
    )
}
