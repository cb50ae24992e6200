//! What is known in memory of the topics: kept equal to the file by the writer, asked by everyone.

use std::collections::BTreeMap;
use std::sync::Arc;

use changtong_catalog::error::Refusal;
use changtong_catalog::ids::TopicName;
use parking_lot::RwLock;

use crate::log::{Extent, Range, refusals};

/// One partition: its extent and the append time of its last record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PartitionState {
    pub first: i64,
    pub end: i64,
    pub last_ms: i64,
}

#[derive(Debug, Clone)]
pub(super) struct TopicState {
    pub id: i64,
    pub retention_ms: Option<i64>,
    pub partitions: Vec<PartitionState>,
}

pub(super) type Topics = Arc<RwLock<BTreeMap<String, TopicState>>>;

pub(super) fn topic(topics: &Topics, name: &TopicName) -> Result<TopicState, Refusal> {
    topics.read().get(name.as_str()).cloned().ok_or_else(|| refusals::unknown_topic(name))
}

impl TopicState {
    pub(super) fn partition(&self, name: &TopicName, number: i32) -> Result<PartitionState, Refusal> {
        let found = usize::try_from(number).ok().and_then(|index| self.partitions.get(index));
        found.copied().ok_or_else(|| refusals::unknown_partition(name, number))
    }

    pub(super) fn extents(&self) -> Vec<Extent> {
        self.partitions.iter().map(|p| Extent { first: p.first, end: p.end }).collect()
    }

    /// The ranges cut at the end and without the empty ones, or why they can't be read.
    pub(super) fn readable(&self, name: &TopicName, ranges: &[Range]) -> Result<Vec<Range>, Refusal> {
        let mut readable = Vec::with_capacity(ranges.len());
        let mut expired = Vec::new();
        for range in ranges {
            let held = self.partition(name, range.partition)?;
            if range.from >= range.to {
                continue;
            }
            if range.from < held.first {
                expired.push((range.partition, held.first));
            } else if range.from > held.end {
                return Err(refusals::behind_the_end(name, range.partition, range.from, held.end));
            }
            let range = Range { to: range.to.min(held.end), ..*range };
            if range.from < range.to {
                readable.push(range);
            }
        }
        if expired.is_empty() { Ok(readable) } else { Err(refusals::position_expired(name, &expired)) }
    }
}
