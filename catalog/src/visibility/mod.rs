//! What counts (protocol.md 4): settled marks, runs, the stable end. Pure arithmetic; the store keeps the numbers.
//!
//! | question | asked of |
//! |---|---|
//! | which offsets may a reader deliver | [`PartitionView::stable_end`], [`PartitionView::visible`] |
//! | may an attempt count, and what of a dead one is recorded | `commit.rs`: [`PartitionView::admit`], [`PartitionView::free`] |
//! | which offsets did an append really get | `gather.rs`: [`Gather`] |
//! | what does the settling job change | `settle.rs`: [`PartitionView::settle`] |
//! | did the store go back | `older.rs`: [`is_older`] |

mod commit;
mod gather;
mod older;
mod settle;

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use std::iter::once;
use std::ops::Range;

use serde::{Deserialize, Serialize};

pub use commit::{Clash, merge};
pub use gather::{Gather, MOST_RUNS, Misreport};
pub use older::is_older;
pub use settle::Settlement;

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

impl PartitionView {
    /// The first offset from `settled` on that no run covers; readers stop there.
    #[must_use]
    pub fn stable_end(&self) -> i64 {
        let mut end = self.settled;
        for run in self.reaching(self.settled) {
            if run.first > end {
                break;
            }
            end = end.max(run.last + 1);
        }
        end
    }

    /// The offsets of `[from, to)` that a reader may deliver, as half-open ranges in order. Nothing at or above the
    /// stable end is among them, so a reader that has looked at all of them stands at `min(to, stable_end)`.
    pub fn visible(&self, from: i64, to: i64) -> impl Iterator<Item = Range<i64>> {
        let end = to.min(self.stable_end());
        // Below the stable end everything is final or covered, so what is not dead is visible.
        let dead = self.reaching(from).iter().filter(|run| run.verdict == Verdict::Dead);
        let gaps = dead.map(|run| run.first..run.last + 1).chain(once(end..end));
        gaps.scan(from, move |at, gap| {
            let seen = *at..gap.start.min(end);
            *at = gap.end.max(*at);
            Some(seen)
        })
        .filter(|range| range.start < range.end)
    }

    /// Everything of `[from, to)` that counts, or will once a hole before it is settled, as joined ranges in order.
    #[must_use]
    pub fn counting(&self, from: i64, to: i64) -> Vec<Range<i64>> {
        let end = self.stable_end();
        let behind = self.reaching(end).iter();
        let behind = behind.filter(|run| run.first >= end && run.verdict == Verdict::Committed);
        let behind = behind.map(|run| run.first.max(from)..to.min(run.last + 1));
        let mut joined: Vec<Range<i64>> = Vec::new();
        for range in self.visible(from, to).chain(behind).filter(|range| range.start < range.end) {
            match joined.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => joined.push(range),
            }
        }
        joined
    }

    /// A partition to which nothing comes any more: below `end` these ranges count, in order and apart, and nothing
    /// else.
    #[must_use]
    pub fn closed(counting: &[Range<i64>], end: i64) -> Self {
        let mut view = Self { settled: end, runs: Vec::new() };
        let mut at = 0;
        for range in counting.iter().cloned().chain(once(end..end)) {
            let before = at..range.start.min(end);
            if before.start < before.end {
                view.runs.push(StoredRun {
                    first: before.start,
                    last: before.end - 1,
                    verdict: Verdict::Dead,
                });
            }
            at = range.end.max(at);
        }
        view
    }

    /// The runs from the first one on that reaches up to the offset or behind it: readers near the end look at none of
    /// the dead runs before them, of which a topic that is kept forever gathers ever more.
    fn reaching(&self, offset: i64) -> &[StoredRun] {
        &self.runs[self.runs.partition_point(|run| run.last < offset)..]
    }

    /// How far this store has ever known the log to reach: `settled` or the last run's end. A log that ends below it,
    /// or an append that is answered with an offset below it, has lost records (protocol.md 4).
    #[must_use]
    pub fn known_end(&self) -> i64 {
        self.runs.last().map_or(self.settled, |run| self.settled.max(run.last + 1))
    }
}
