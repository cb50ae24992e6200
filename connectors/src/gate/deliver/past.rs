//! Earlier generations of a stream (protocol.md 6): a reader goes on in the one it stands in to its end, then in the
//! next behind what was copied there.

use std::collections::HashMap;
use std::ops::Range as Offsets;
use std::sync::Arc;
use std::time::Duration;

use changtong_catalog::cursor::not_beyond;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::{Generation, ResourceNumber};
use changtong_catalog::ports::{Topic, TopicEdges};
use changtong_catalog::visibility::{PartitionView, StoredRun, Verdict};
use parking_lot::Mutex;

use super::super::permit::Permit;
use super::super::settle::ROLLED_BACK_AFTER;
use super::super::{Gate, refusals};
use super::stand::skip_dead;
use crate::commit::{Partitions, TopicKey, key_of};
use crate::log::{LogRecord, Range, damaged_offsets, expired_firsts};

/// How far the clocks of log and store may lie apart.
const APART: Duration = Duration::from_secs(5);

/// What is known of generations that are over; of what the store says of them nothing ever changes.
#[derive(Default)]
pub struct Past(Mutex<HashMap<TopicKey, Arc<Over>>>);

impl Past {
    /// Whether the views in memory are those of a generation that is over.
    pub(in crate::gate) fn is_over(&self, topic: TopicKey) -> bool {
        self.0.lock().contains_key(&topic)
    }
}

/// A generation that is over.
#[derive(Debug)]
pub(in crate::gate) struct Over {
    pub topic: Topic,
    ends: Vec<i64>,
    views: Vec<PartitionView>,
    /// The next generation, and where a reader goes on in it.
    next: (Generation, Vec<i64>),
    /// The latest append time of a record of it.
    latest_ms: i64,
    /// What its log has been found to lack by partition, although it was copied: whoever stands there begins anew in
    /// the generation in force, where it lies.
    cut_off: Mutex<Vec<(i32, Offsets<i64>)>>,
    /// What the log has said to lack, and has not given since.
    doubted: Mutex<Vec<Doubt>>,
    missing: Mutex<Option<Missing>>,
}

/// That the log says that there is no such topic.
#[derive(Debug, Clone, Copy)]
struct Missing {
    since: Duration,
    /// Every broker was asked.
    believed: bool,
}

/// What of a range can't be read, and never again if that is believed.
struct Gone {
    offsets: Offsets<i64>,
    /// Whoever was asked has it, and not as it was; else it has nothing there, and another may.
    spoilt: bool,
}

/// What one answer said to be gone of a partition, at that time: it may be a broker on its way back.
#[derive(Debug)]
struct Doubt {
    partition: i32,
    gone: Offsets<i64>,
    since: Duration,
}

impl Doubt {
    fn meets(&self, partition: i32, offsets: &Offsets<i64>) -> bool {
        self.partition == partition && self.gone.start < offsets.end && offsets.start < self.gone.end
    }
}

/// Where a reader of an earlier generation stands.
pub(in crate::gate) enum Onward {
    /// There is more of that generation.
    Within(Arc<Over>, Vec<i64>),
    /// It has read all earlier ones: these are offsets of the generation in force.
    Behind(Vec<i64>),
    /// There was more, and its log no longer has it: what was left when the next generation began lies there.
    Gone,
}

impl Gate {
    /// From a place in an earlier generation to where there is something left to read.
    pub(in crate::gate) async fn onward(
        &self,
        resource: ResourceNumber,
        current: Generation,
        mut generation: Generation,
        mut next: Vec<i64>,
    ) -> Result<Onward, Refusal> {
        while generation < current {
            let over = self.over(resource, generation).await?;
            // From before its first record: everything that is still there lies in the next too.
            if next.is_empty() {
                (generation, _) = over.next.clone();
                continue;
            }
            if next.len() != over.ends.len() {
                return Err(refusals::cursor_foreign());
            }
            let there = skip_dead(&over.views, &next);
            if !not_beyond(&over.ends, &there) {
                if over.is_cut_off(&there) || over.is_missing(self).await? {
                    return Ok(Onward::Gone);
                }
                // Whoever waits or reads by the views of the topic finds the closed ones.
                self.committer.close_topic(&over.topic, over.views.clone());
                return Ok(Onward::Within(over, next));
            }
            (generation, next) = over.next.clone();
        }
        Ok(Onward::Behind(next))
    }

    /// What counts in a generation that is over.
    pub(in crate::gate) async fn closed_views(
        &self,
        resource: ResourceNumber,
        generation: Generation,
    ) -> Result<Partitions, Refusal> {
        Ok(self.over(resource, generation).await?.views.as_slice().into())
    }

    pub(in crate::gate) async fn over(
        &self,
        resource: ResourceNumber,
        generation: Generation,
    ) -> Result<Arc<Over>, Refusal> {
        if let Some(known) = self.past.0.lock().get(&(resource, generation)) {
            return Ok(known.clone());
        }
        let generations = self.directory.generations(resource).await?;
        let mut from = generations.into_iter().skip_while(|edges| edges.topic.generation != generation);
        let Some(TopicEdges { topic, ends: Some(ends), ended_at, lost, .. }) = from.next() else {
            return Err(refusals::fault());
        };
        // Those in between were copied into and never in force.
        let next = from.find(|edges| !edges.begins.is_empty()).ok_or_else(refusals::fault)?;
        let mut views = self.ledger.views(resource, generation).await?;
        views.resize_with(ends.len(), PartitionView::default);
        let closed = views.iter().zip(&ends).map(|(view, end)| {
            let counting = view.counting(0, *end);
            PartitionView::closed(&counting, *end)
        });
        let mut views: Vec<PartitionView> = closed.collect();
        for run in &lost {
            if let Some(view) = usize::try_from(run.partition).ok().and_then(|at| views.get_mut(at)) {
                view.runs.push(StoredRun { first: run.first, last: run.last, verdict: Verdict::Dead });
            }
        }
        views.iter_mut().for_each(|view| view.runs.sort_unstable_by_key(|run| run.first));
        let over = Arc::new(Over {
            views,
            next: (next.topic.generation, next.begins),
            latest_ms: ended_at.map_or(i64::MAX, |at| (at + APART).timestamp_millis()),
            topic,
            ends,
            cut_off: Mutex::default(),
            doubted: Mutex::default(),
            missing: Mutex::default(),
        });
        self.past.0.lock().insert(key_of(&over.topic), over.clone());
        Ok(over)
    }
}

impl Over {
    /// Reads of the first of these ranges of which its log still has something. What it has lost since it was copied, or
    /// holds others in the place of, is found here.
    pub async fn read(
        &self,
        gate: &Gate,
        ranges: &[Range],
        permit: impl Fn() -> Permit,
        bytes: usize,
    ) -> Result<Vec<LogRecord>, Refusal> {
        for asked in ranges {
            while let Some(range) = self.whole(*asked) {
                let read = gate.tail.read(permit(), &[range], bytes).await;
                let gone = match read {
                    Ok(records) if records.first().is_some_and(|first| self.is_ours(first)) => {
                        let ours: Vec<LogRecord> =
                            records.into_iter().take_while(|record| self.is_ours(record)).collect();
                        self.trust(range.partition, &ours);
                        return Ok(ours);
                    }
                    Ok(records) if !records.is_empty() => {
                        Some(Gone { offsets: range.from..range.to, spoilt: true })
                    }
                    read => self.gone(gate, range, read.err()).await?,
                };
                // Of a topic that is gone nothing is kept in mind: `onward` asks for it each time.
                let Some(Gone { offsets, spoilt }) = gone else { return Ok(Vec::new()) };
                let here = offsets.start <= range.from;
                let (name, now) = (&self.topic.name, gate.clock.monotonic());
                let believed = self.believes(range.partition, &offsets, now)
                    && (spoilt || gate.lacks(name, range.partition, offsets.start).await?);
                if believed {
                    self.cut_off.lock().push((range.partition, offsets));
                } else if here {
                    return Err(refusals::log_silent(name));
                }
            }
        }
        Ok(Vec::new())
    }

    /// Whether a reader stands where its log lacks what comes next.
    pub fn is_cut_off(&self, next: &[i64]) -> bool {
        self.cut_off.lock().iter().any(|(partition, gone)| {
            let next = usize::try_from(*partition).ok().and_then(|at| next.get(at));
            next.is_some_and(|next| gone.contains(next))
        })
    }

    /// A range up to what is gone of it, or may be; `None` where it begins with what is gone.
    fn whole(&self, range: Range) -> Option<Range> {
        let cut_off = self.cut_off.lock();
        let gone =
            cut_off.iter().filter(|(partition, _)| *partition == range.partition).map(|(_, gone)| gone);
        let behind = gone.filter(|gone| gone.end > range.from).map(|gone| gone.start);
        let doubted = self.doubted.lock();
        let doubted = doubted.iter().filter(|doubt| doubt.partition == range.partition);
        let ahead = doubted.map(|doubt| doubt.gone.start).filter(|start| *start > range.from);
        let to = behind.chain(ahead).min().map_or(range.to, |start| start.min(range.to));
        (range.from < to).then_some(Range { to, ..range })
    }

    /// Whether the same was said before, long enough ago, and nothing of it was given since.
    fn believes(&self, partition: i32, gone: &Offsets<i64>, now: Duration) -> bool {
        let mut doubted = self.doubted.lock();
        let Some(at) = doubted.iter().position(|doubt| doubt.meets(partition, gone)) else {
            doubted.push(Doubt { partition, gone: gone.clone(), since: now });
            return false;
        };
        let believes = now.saturating_sub(doubted[at].since) >= ROLLED_BACK_AFTER;
        if believes {
            doubted.swap_remove(at);
        }
        believes
    }

    /// Something was read: what was said to be gone is there.
    fn trust(&self, partition: i32, read: &[LogRecord]) {
        let (Some(first), Some(last)) = (read.first(), read.last()) else { return };
        let there = first.offset..last.offset + 1;
        self.doubted.lock().retain(|doubt| !doubt.meets(partition, &there));
    }

    /// Whether the log has said twice, some time apart, that there is no such topic, and no broker knows of it.
    async fn is_missing(&self, gate: &Gate) -> Result<bool, Refusal> {
        let name = &self.topic.name;
        if gate.log.has_topic(name).await? {
            *self.missing.lock() = None;
            return Ok(false);
        }
        let now = gate.clock.monotonic();
        let missing = *self.missing.lock().get_or_insert(Missing { since: now, believed: false });
        if missing.believed {
            return Ok(true);
        }
        let long = now.saturating_sub(missing.since) >= ROLLED_BACK_AFTER;
        let believed = long && gate.widest(name, gate.since_now()).await?.is_empty();
        if long {
            *self.missing.lock() = believed.then_some(Missing { believed, ..missing });
        }
        if believed { Ok(true) } else { Err(refusals::log_silent(name)) }
    }

    /// What of a range is gone, of which nothing could be read; `None` if all of the topic is.
    async fn gone(&self, gate: &Gate, range: Range, said: Option<Refusal>) -> Result<Option<Gone>, Refusal> {
        if let Some(gone) = said.as_ref().and_then(|said| said_gone(said, range)) {
            return Ok(Some(gone));
        }
        let name = &self.topic.name;
        let silent = || refusals::log_silent(name);
        let Some(extents) = gate.log.extents(std::slice::from_ref(name)).await?.remove(name) else {
            return match gate.log.has_topic(name).await? {
                true => Err(said.unwrap_or_else(silent)),
                false => Ok(None),
            };
        };
        let end = usize::try_from(range.partition).ok().and_then(|at| extents.get(at)).map_or(0, |at| at.end);
        if end > range.from {
            return Err(said.unwrap_or_else(silent));
        }
        Ok(Some(Gone { offsets: range.from..range.to, spoilt: false }))
    }

    fn is_ours(&self, record: &LogRecord) -> bool {
        record.appended_ms <= self.latest_ms
    }
}

/// What of the beginning of a range, or within it, a refusal of the log names as damaged or past its retention.
fn said_gone(said: &Refusal, range: Range) -> Option<Gone> {
    let (from, until, spoilt) = match said.code {
        Code::PositionExpired => {
            let firsts = expired_firsts(said);
            let (_, first) = firsts.iter().find(|(partition, _)| *partition == range.partition)?;
            (range.from, *first, false)
        }
        _ => {
            let (from, until) = damaged_offsets(said)?;
            (from, until, true)
        }
    };
    let offsets = from.max(range.from)..until.min(range.to);
    (!offsets.is_empty()).then_some(Gone { offsets, spoilt })
}
