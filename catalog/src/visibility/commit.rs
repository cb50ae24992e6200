//! May an attempt's offsets count, and what of a dead attempt is recorded (protocol.md 3).

use std::iter::once;
use std::ops::Range;

use super::{PartitionView, Run, StoredRun, Verdict};

/// Why a run can't be committed any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clash {
    /// It reaches below `settled`: what lies there is final.
    Settled,
    /// It touches a stored run of any verdict.
    Covered,
}

impl PartitionView {
    /// Whether the closed range may be committed: not below `settled`, and no stored run touched.
    pub fn admit(&self, first: i64, last: i64) -> Result<(), Clash> {
        if first < self.settled {
            return Err(Clash::Settled);
        }
        if self.touched(first, last).next().is_some() {
            return Err(Clash::Covered);
        }
        Ok(())
    }

    /// Adds a run that `admit` lets in. Nothing changes otherwise.
    pub fn insert(&mut self, run: StoredRun) -> Result<(), Clash> {
        self.admit(run.first, run.last)?;
        let at = self.runs.partition_point(|stored| stored.first < run.first);
        self.runs.insert(at, run);
        Ok(())
    }

    /// The parts of the closed range where a dead attempt may be recorded: only where no run lies, and never below
    /// `settled`, where it would hide what is visible.
    #[must_use]
    pub fn free(&self, first: i64, last: i64) -> Vec<StoredRun> {
        let mut at = first.max(self.settled);
        let mut parts = Vec::new();
        let covered = self.touched(first, last).map(|run| run.first..run.last + 1);
        for taken in covered.chain(once(last + 1..last + 1)) {
            if at < taken.start {
                parts.push(dead(at..taken.start));
            }
            at = at.max(taken.end);
        }
        parts
    }

    fn touched(&self, first: i64, last: i64) -> impl Iterator<Item = &StoredRun> {
        self.reaching(first).iter().take_while(move |run| run.first <= last)
    }
}

/// The runs of a whole group in order of (partition, first), neighbours joined: what the store writes as committed.
#[must_use]
pub fn merge(mut runs: Vec<Run>) -> Vec<Run> {
    runs.sort_unstable();
    runs.dedup_by(|run, before| {
        let joins = run.partition == before.partition && run.first <= before.last + 1;
        if joins {
            before.last = before.last.max(run.last);
        }
        joins
    });
    runs
}

pub(super) fn dead(range: Range<i64>) -> StoredRun {
    StoredRun { first: range.start, last: range.end - 1, verdict: Verdict::Dead }
}
