//! The gate's settings; src/settings fills them from the deployment's file.

use std::time::Duration;

use chrono::{FixedOffset, Offset, Utc};

use crate::limit::Rates;

#[derive(Debug, Clone)]
pub struct Settings {
    /// Before every topic name.
    pub topic_prefix: String,
    /// Partitions of a topic that is made.
    pub partitions: i32,
    /// Holes older than this are dead.
    pub settle_after: Duration,
    /// The whole append of one attempt.
    pub append_deadline: Duration,
    /// A group commit waits this long for company.
    pub flush_after: Duration,
    /// Attempts of one group commit.
    pub flush_attempts: usize,
    /// How long the store may stay silent about a COMMIT.
    pub outcome_deadline: Duration,
    /// W: how long a window lasts.
    pub window: Duration,
    /// N: the most records of a window.
    pub window_records: u64,
    /// The longest wait of a poll.
    pub wait_most: Duration,
    /// How often an event stream that has nothing to send says that it lives.
    pub heartbeat: Duration,
    /// Records of one publish.
    pub batch_records: usize,
    /// Bytes of one record.
    pub record_bytes: usize,
    /// Bytes of a container file's blocks once inflated, and how many times larger than they came.
    pub decompressed: usize,
    pub ratio: usize,
    /// Bytes of bodies and answers in flight, all together.
    pub bytes_in_flight: u64,
    /// Lines and bytes of an answer where the call does not say.
    pub answer_lines: u64,
    pub answer_bytes: u64,
    /// Bytes of a container file where the call does not say: all of it must leave within one window.
    pub file_bytes: u64,
    /// The most a call may ask for.
    pub answer_lines_most: u64,
    pub answer_bytes_most: u64,
    /// Quota days run in this zone.
    pub zone: FixedOffset,
    /// Requests waiting for the committer.
    pub queue: usize,
    pub limits: Limits,
}

/// Rates of the levels that settings decide; a grant carries its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    pub bus: Rates,
    pub agency: Rates,
    pub account: Rates,
    pub key: Rates,
    pub resource: Rates,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            topic_prefix: String::new(),
            partitions: 3,
            settle_after: Duration::from_secs(20),
            append_deadline: Duration::from_secs(10),
            flush_after: Duration::from_millis(5),
            flush_attempts: 256,
            outcome_deadline: Duration::from_secs(10),
            window: Duration::from_secs(1),
            window_records: 100_000,
            wait_most: Duration::from_secs(60),
            heartbeat: Duration::from_secs(15),
            batch_records: 10_000,
            record_bytes: 1 << 20,
            decompressed: 64 << 20,
            ratio: 100,
            bytes_in_flight: 256 << 20,
            answer_lines: 10_000,
            answer_bytes: 8 << 20,
            file_bytes: 1 << 20,
            answer_lines_most: 100_000,
            answer_bytes_most: 64 << 20,
            zone: east_eight(),
            queue: 4096,
            limits: Limits::default(),
        }
    }
}

/// Asia/Shanghai, which keeps one offset all year.
fn east_eight() -> FixedOffset {
    FixedOffset::east_opt(8 * 3600).unwrap_or_else(|| Utc.fix())
}
