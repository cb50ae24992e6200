//! What a log says to lack is doubted before it is believed for good (protocol.md 4): one answer may be that of a broker
//! on its way back, or of one that is parted from the others and takes itself for the leader still.

use changtong_catalog::clock::Time;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::TopicName;
use changtong_catalog::ports::Topic;
use changtong_catalog::visibility::PartitionView;

use super::permit::Permit;
use super::{Gate, refusals};
use crate::log::{Extent, Log, LogRecord, Range, damaged_offsets};

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
    /// Whether no broker has that offset.
    pub(super) async fn lacks(
        &self,
        topic: &TopicName,
        partition: i32,
        offset: i64,
    ) -> Result<bool, Refusal> {
        let widest = self.log.widest(topic).await?;
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
        let farthest = self.log.farthest_at(&topic.name, time).await?;
        if farthest.len() < views.len() {
            return Err(refusals::log_silent(&topic.name));
        }
        Ok(farthest)
    }
}
