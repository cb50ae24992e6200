//! What counts (protocol.md 4): settled marks, runs, the stable end. Pure arithmetic; the store keeps the numbers.

use serde::{Deserialize, Serialize};

/// A closed range of offsets of one partition, written by one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Run {
    pub partition: i32,
    pub first: i64,
    pub last: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Committed,
    Dead,
}

/// A stored run of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredRun {
    pub first: i64,
    pub last: i64,
    pub verdict: Verdict,
}

/// What the store knows of one partition: everything below `settled` is final.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PartitionView {
    pub settled: i64,
    /// In order of `first`, never overlapping.
    pub runs: Vec<StoredRun>,
}
