//! What a log says to lack is doubted before it is believed for good (protocol.md 4): one answer may be that of a broker
//! on its way back, or of one that is parted from the others and takes itself for the leader still.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use changtong_catalog::clock::Time;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::TopicName;
use changtong_catalog::ports::Topic;
use changtong_catalog::visibility::PartitionView;
use tokio::time::timeout;

use super::permit::Permit;
use super::{Gate, refusals};
use crate::log::{Extent, Log, LogRecord, Range, damaged_offsets};

/// How long a caller waits until every broker was asked for it, its turn included.
const LONGEST: Duration = Duration::from_secs(10);

/// How long what they said is said again to who finds there what it looks for.
const FRESH: Duration = Duration::from_secs(3);

/// What every broker said a moment ago, of the topics that callers made it ask for. They ask one after the other, and who
/// waited takes what was said meanwhile: however many callers there are, they have one of the log's few turns.
#[derive(Default)]
pub(super) struct Asked {
    told: Arc<tokio::sync::Mutex<HashMap<TopicName, Told>>>,
    /// Rounds of questions that have begun.
    rounds: AtomicU64,
}

struct Told {
    round: u64,
    ended: Duration,
    said: Result<Vec<Extent>, Refusal>,
}

/// How old what brokers said may be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    /// A moment: to find what is kept.
    Recent,
    /// Of a round that began after this one: what was not there before may be by now, and its lack is believed for good.
    After(u64),
}

/// Reads a range; the second answer counts where the first names a loss.
pub(super) async fn read_twice(
    log: &dyn Log,
    permit: impl Fn() -> Permit,
    range: Range,
    bytes: usize,
) -> Result<Vec<LogRecord>, Refusal> {
    match log.read(permit(), &[range], bytes).await {
        Err(refusal) if refusal.code == Code::PositionExpired || damaged_offsets(&refusal).is_some() => {
            log.read(permit(), &[range], bytes).await
        }
        read => read,
    }
}

/// Whether the log ends below what the store knows it to have held.
pub(super) fn ends_below(extents: &[Extent], views: &[PartitionView]) -> bool {
    extents.len() < views.len()
        || extents.iter().zip(views).any(|(extent, view)| extent.end < view.known_end())
}

impl Gate {
    /// What brokers are asked for from now on.
    pub(super) fn since_now(&self) -> Age {
        Age::After(self.asked.rounds.load(Ordering::Acquire))
    }

    /// What every broker says of a topic, on a caller's behalf.
    pub(super) async fn widest(&self, topic: &TopicName, age: Age) -> Result<Vec<Extent>, Refusal> {
        let serves = |told: &&Told| match age {
            Age::Recent => true,
            Age::After(round) => told.round > round,
        };
        let asking = async {
            let mut told = self.asked.told.clone().lock_owned().await;
            let now = self.clock.monotonic();
            told.retain(|_, told| now.saturating_sub(told.ended) < FRESH);
            if let Some(told) = told.get(topic).filter(serves) {
                return told.said.clone();
            }
            let round = self.asked.rounds.fetch_add(1, Ordering::AcqRel) + 1;
            let (log, clock, topic) = (self.log.clone(), self.clock.clone(), topic.clone());
            // Whoever leaves meanwhile does not leave the turn to the next while brokers are still asked.
            let asking = tokio::spawn(async move {
                let said = log.widest(&topic).await;
                told.insert(topic, Told { round, ended: clock.monotonic(), said: said.clone() });
                said
            });
            asking.await.unwrap_or_else(|_| Err(refusals::fault()))
        };
        timeout(LONGEST, asking).await.unwrap_or_else(|_| Err(refusals::log_silent(topic)))
    }

    /// Where what is kept begins, for a reader at `next` who was told that some of it is gone: by one who may have
    /// removed what others keep.
    pub(super) async fn kept_behind(&self, topic: &Topic, next: &[i64]) -> Result<Vec<i64>, Refusal> {
        let kept = self.first_kept(topic, next).await?;
        if kept == next { Err(refusals::log_silent(&topic.name)) } else { Ok(kept) }
    }

    /// Whether no broker has that offset.
    pub(super) async fn lacks(
        &self,
        topic: &TopicName,
        partition: i32,
        offset: i64,
    ) -> Result<bool, Refusal> {
        let widest = self.widest(topic, self.since_now()).await?;
        let extent = usize::try_from(partition).ok().and_then(|at| widest.get(at));
        Ok(extent.is_none_or(|extent| !(extent.first..extent.end).contains(&offset)))
    }

    /// Where what was appended since begins, for a floor, which stands for as long as the generation does: whoever does
    /// not know the last records would name a place before those that were appended earlier.
    pub(super) async fn floor_at(&self, topic: &Topic, time: Time) -> Result<Vec<i64>, Refusal> {
        let views = self.committer.load(topic).await?;
        let found = self.log.extents(std::slice::from_ref(&topic.name)).await?.remove(&topic.name);
        if found.is_none_or(|extents| !ends_below(&extents, &views)) {
            return self.log.offsets_at(&topic.name, time).await;
        }
        let asking = async {
            let turn = self.asked.told.clone().lock_owned().await;
            let (log, name) = (self.log.clone(), topic.name.clone());
            let asking = tokio::spawn(async move {
                let _turn = turn;
                log.farthest_at(&name, time).await
            });
            asking.await.unwrap_or_else(|_| Err(refusals::fault()))
        };
        let farthest = timeout(LONGEST, asking).await;
        let farthest = farthest.unwrap_or_else(|_| Err(refusals::log_silent(&topic.name)))?;
        if farthest.len() < views.len() {
            return Err(refusals::log_silent(&topic.name));
        }
        Ok(farthest)
    }
}
