//! Into which generation, with how many partitions.

use crate::error::{Code, Refusal};
use crate::ids::Generation;
use crate::ports::TopicEdges;

/// The most partitions that may be asked for, as of a first generation (`log.partitions`): the event of a window names a
/// place in each, and a batch that is scattered over more than [`crate::visibility::MOST_RUNS`] of them never counts.
pub const MOST_PARTITIONS: i32 = 64;

pub fn check_partitions(partitions: i32) -> Result<(), Refusal> {
    if (1..=MOST_PARTITIONS).contains(&partitions) {
        return Ok(());
    }
    Err(Refusal::new(
        Code::Invalid,
        format!("partitions 应为 1 至 {MOST_PARTITIONS}"),
        format!("`partitions` is 1 to {MOST_PARTITIONS}"),
    )
    .with("path", "partitions"))
}

/// The generation to copy into: one that an earlier call left half copied, if its topic has the partitions wanted, else
/// the one behind all there are. One with an end is over or forgotten.
#[must_use]
pub fn into(known: &[TopicEdges], current: Generation, partitions: i32) -> Generation {
    match known.last() {
        Some(TopicEdges { topic, ends: None, .. })
            if topic.generation > current && topic.partitions == partitions =>
        {
            topic.generation
        }
        Some(last) => Generation(last.topic.generation.max(current).0 + 1),
        None => Generation(current.0 + 1),
    }
}
