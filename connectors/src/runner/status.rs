//! How a connector goes, as it is reported: state, position, what is left, counts, the last error.

use std::collections::BTreeMap;
use std::time::Duration;

use changtong_catalog::audit::ConnectorState;
use changtong_catalog::clock::{Time, rfc3339};
use changtong_catalog::error::Refusal;
use serde_json::{Value, json};

use crate::source::Awaited;

/// What it is doing. `Failed` waits for its next attempt, of all of it or of a part.
pub type RunState = ConnectorState;

/// Since it was started here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records that a source read and offered.
    pub offered: u64,
    /// Records that became visible.
    pub accepted: u64,
    /// Deletes among them.
    pub deleted: u64,
    /// Records set aside.
    pub quarantined: u64,
    /// Records that did not fit and stopped their batch.
    pub refused: u64,
    /// Lines that a sink was delivered.
    pub delivered: u64,
    /// Rows or lines it wrote.
    pub upserts: u64,
    pub deletes: u64,
}

/// A failure as people are told of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    pub refusal: Refusal,
    pub at: Time,
    pub retry_in: Duration,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    pub state: RunState,
    pub since: Time,
    /// What is read, for people: a file.
    pub part: Option<String>,
    pub position: Option<String>,
    /// Bytes of the part not read yet.
    pub bytes_left: Option<u64>,
    /// Nothing is there to be read: what it looks for.
    pub awaited: Option<Awaited>,
    /// Everything there was has been read or applied at that moment.
    pub caught_up_at: Option<Time>,
    /// It was told to end then, and has a batch at work.
    pub ends_since: Option<Time>,
    /// How often a sink came too late for records that the log had kept, and when it did so last.
    pub gaps: u64,
    pub gap_at: Option<Time>,
    pub counts: Counts,
    pub failure: Option<Failure>,
    /// Parts that failed while the others go on, by what people call them.
    pub failing: BTreeMap<String, Failure>,
}

/// As many failing parts are named, each with so much of its name: details have a size.
const NAMED: usize = 8;
const NAME: usize = 160;

/// The end of a path tells more than its beginning.
fn tail(name: &str) -> String {
    let skip = name.chars().count().saturating_sub(NAME);
    name.chars().skip(skip).collect()
}

impl Status {
    #[must_use]
    pub fn new(now: Time) -> Self {
        Self {
            state: RunState::Running,
            since: now,
            part: None,
            position: None,
            bytes_left: None,
            awaited: None,
            caught_up_at: None,
            ends_since: None,
            gaps: 0,
            gap_at: None,
            counts: Counts::default(),
            failure: None,
            failing: BTreeMap::new(),
        }
    }

    /// What was wrong with all of it is over; what is wrong with a part of it is still told.
    pub(super) fn goes_on(&mut self) {
        self.failure = self.failing.values().next().cloned();
        self.state = if self.failure.is_some() { RunState::Failed } else { RunState::Running };
    }

    /// The object that is stored and shown; never the content of a record.
    #[must_use]
    pub fn details(&self) -> Value {
        let counts = &self.counts;
        json!({
            "since": rfc3339(self.since),
            "part": self.part,
            "position": self.position,
            "waits_for": self.awaited.as_ref().map(|awaited| json!({
                "path": awaited.path,
                "folder": if awaited.has_folder { "there" } else { "missing" },
            })),
            "lag": {
                "bytes": self.bytes_left,
                "caught_up_at": self.caught_up_at.map(rfc3339),
            },
            "gaps": { "total": self.gaps, "last_at": self.gap_at.map(rfc3339) },
            "ends_since": self.ends_since.map(rfc3339),
            "counts": {
                "offered": counts.offered,
                "accepted": counts.accepted,
                "deleted": counts.deleted,
                "quarantined": counts.quarantined,
                "refused": counts.refused,
                "delivered": counts.delivered,
                "upserts": counts.upserts,
                "deletes": counts.deletes,
            },
            "last_error": self.failure.as_ref().map(|failure| json!({
                "code": failure.refusal.code.as_str(),
                "zh": failure.refusal.text.zh,
                "en": failure.refusal.text.en,
                "at": rfc3339(failure.at),
                "retry_in_seconds": failure.retry_in.as_secs(),
            })),
            "failing": {
                "total": self.failing.len(),
                "parts": self.failing.iter().take(NAMED).map(|(part, failure)| json!({
                    "part": tail(part),
                    "code": failure.refusal.code.as_str(),
                    "line": failure.refusal.extra.get("line"),
                    "at": rfc3339(failure.at),
                    "retry_in_seconds": failure.retry_in.as_secs(),
                })).collect::<Vec<_>>(),
            },
        })
    }
}
