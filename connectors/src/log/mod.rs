//! The log seam: holds bytes, gives offsets, knows nothing of what counts. Two engines behind it (`embedded`,
//! `kafka`), one suite for both (`conformance`).

#[cfg(test)]
mod conformance;
pub mod embedded;
pub mod kafka;
mod kept;
mod refusals;
mod tail;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use changtong_catalog::clock::Time;
use changtong_catalog::error::Refusal;
use changtong_catalog::ids::TopicName;

use crate::gate::Permit;
pub(crate) use kept::is_near;
pub use refusals::{damaged_offsets, expired_firsts};
pub use tail::Tail;

/// The most bytes of key and value together that either engine takes in one record.
pub const RECORD_MAX: usize = 1024 * 1024;

/// One record to append: framed key and framed value, or no value for a delete (protocol.md 2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub partition: i32,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
}

impl Entry {
    /// Bytes of key and value.
    #[must_use]
    pub fn size(&self) -> usize {
        self.key.as_ref().map_or(0, Bytes::len) + self.value.as_ref().map_or(0, Bytes::len)
    }
}

/// One record read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    pub partition: i32,
    pub offset: i64,
    /// Append time by the log, in milliseconds since 1970.
    pub appended_ms: i64,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
}

/// Offsets `[from, to)` of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub partition: i32,
    pub from: i64,
    pub to: i64,
}

/// First kept offset and the end (next offset to be written) of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    pub first: i64,
    pub end: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    pub name: TopicName,
    pub partitions: i32,
    /// `None`: forever.
    pub retention: Option<Duration>,
}

/// An append that did not come to its good end: what is known to have landed, so that it can be recorded as dead.
#[derive(Debug, Clone, PartialEq)]
pub struct AppendError {
    pub refusal: Refusal,
    /// Partition and offset of each record that truly landed.
    pub landed: Vec<(i32, i64)>,
}

#[async_trait]
pub trait Log: Send + Sync + 'static {
    /// `embedded` or `kafka`, for metrics and `doctor`.
    fn engine(&self) -> &'static str;

    /// Makes the topic. One found is ours if `wanted_before` (an earlier call may have been cut off) and it is empty
    /// and of that shape; else `TopicExists`.
    async fn make_topic(&self, spec: &TopicSpec, wanted_before: bool) -> Result<(), Refusal>;

    /// Appends all entries in order and waits for every acknowledgement; answers their offsets in entry order.
    /// Entries of one call are never interleaved with another call's entries of the same topic and process.
    async fn append(&self, permit: Permit, entries: Vec<Entry>) -> Result<Vec<i64>, AppendError>;

    /// Reads ranges, at most one of each partition: up to `permit.most()` records and about `max_bytes` (at least one record if a range holds any), each
    /// partition's in order and without a gap; what is left for the next read lies behind the last record of each
    /// partition. Ranges beyond the end hold nothing. An offset before the first kept record is `PositionExpired`
    /// (`expired_firsts` tells where the kept records begin).
    async fn read(
        &self,
        permit: Permit,
        ranges: &[Range],
        max_bytes: usize,
    ) -> Result<Vec<LogRecord>, Refusal>;

    /// The last records that a read brought of their partitions, in its order, which nobody used: the next read is likely to
    /// begin with them.
    fn put_back(&self, _topic: &TopicName, _unused: Vec<LogRecord>) {}

    /// The extents of all partitions of each topic, in bulk; a topic that cannot be asked is left out.
    async fn extents(&self, topics: &[TopicName]) -> Result<BTreeMap<TopicName, Vec<Extent>>, Refusal>;

    /// The names of all topics that begin so.
    async fn topics(&self, prefix: &str) -> Result<Vec<String>, Refusal>;

    /// Whether there is such a topic; an error if nobody can say.
    async fn has_topic(&self, topic: &TopicName) -> Result<bool, Refusal>;

    /// Per partition the first offset appended at or after the time (the end if there is none).
    async fn offsets_at(&self, topic: &TopicName, time: Time) -> Result<Vec<i64>, Refusal>;

    /// The extents of one topic, and none of one that is gone, for whoever is about to believe that records are: a broker
    /// parted from the others goes on answering for what it led before. So every broker says who leads, and of the
    /// answers the widest counts; an error where most of them say nothing.
    async fn widest(&self, topic: &TopicName) -> Result<Vec<Extent>, Refusal> {
        match self.extents(std::slice::from_ref(topic)).await?.remove(topic) {
            Some(extents) => Ok(extents),
            None if self.has_topic(topic).await? => Err(refusals::timed_out(topic)),
            None => Ok(Vec::new()),
        }
    }

    /// What `offsets_at` answers, asked of all in the same way: the farthest counts.
    async fn farthest_at(&self, topic: &TopicName, time: Time) -> Result<Vec<i64>, Refusal> {
        match self.has_topic(topic).await? {
            true => self.offsets_at(topic, time).await,
            false => Ok(Vec::new()),
        }
    }

    /// Removes what is past its topic's retention, where the engine doesn't do so by itself; for a job to call every
    /// few minutes. Answers how many records went.
    async fn expire(&self) -> Result<u64, Refusal>;

    /// Whether it can be used at this moment: brokers answer, a file can be written. For readiness.
    async fn answers(&self) -> Result<(), Refusal>;

    /// Waits for what is in flight and releases everything, at most this long.
    async fn close(&self, deadline: Duration);
}
