//! What a log says to lack is doubted before it is believed for good (protocol.md 4): one answer may be that of a broker
//! on its way back, or of one that is parted from the others and takes itself for the leader still.

use std::collections::HashMap;
use std::sync::Arc;
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

/// How long what they said is said again.
const FRESH: Duration = Duration::from_secs(3);

/// What every broker said a moment ago, of the topics that callers made it ask for. They ask one after the other: of the
/// log's few turns the settling job always finds one.
#[derive(Default)]
pub(super) struct Asked(Arc<tokio::sync::Mutex<HashMap<TopicName, Told>>>);

struct Told {
    at: Duration,
    extents: Vec<Extent>,
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
    /// What every broker says of a topic, on a caller's behalf.
    pub(super) async fn widest(&self, topic: &TopicName) -> Result<Vec<Extent>, Refusal> {
        let asking = async {
            let mut asked = self.asked.0.clone().lock_owned().await;
            let now = self.clock.monotonic();
            asked.retain(|_, told| now.saturating_sub(told.at) < FRESH);
            if let Some(told) = asked.get(topic) {
                return Ok(told.extents.clone());
            }
            // Whoever leaves meanwhile does not leave the turn to the next while brokers are still asked.
            let (log, topic) = (self.log.clone(), topic.clone());
            let round = tokio::spawn(async move {
                let extents = log.widest(&topic).await?;
                asked.insert(topic, Told { at: now, extents: extents.clone() });
                Ok(extents)
            });
            round.await.unwrap_or_else(|_| Err(refusals::fault()))
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
        let widest = self.widest(topic).await?;
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
            let _turn = self.asked.0.lock().await;
            self.log.farthest_at(&topic.name, time).await
        };
        let farthest = timeout(LONGEST, asking).await;
        let farthest = farthest.unwrap_or_else(|_| Err(refusals::log_silent(&topic.name)))?;
        if farthest.len() < views.len() {
            return Err(refusals::log_silent(&topic.name));
        }
        Ok(farthest)
    }
}
