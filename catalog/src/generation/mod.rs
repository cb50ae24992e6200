//! A new generation of a resource (protocol.md 2): in which order what is still there is copied, where each grant's
//! floor comes to lie, and what the cut-over is told. Pure; the gate moves the records, an action cuts over.

mod lost;
mod merge;
mod plan;
#[cfg(test)]
mod tests;
mod witness;

use std::collections::BTreeMap;
use std::ops::Range;

use crate::audit::Batch;
use crate::clock::Time;
use crate::ids::{GrantId, SchemaId};
use crate::ports::Topic;
use crate::visibility::{self, PartitionView, Run};
pub use lost::Lost;
pub use merge::{Merge, Turn};
pub use plan::{check_partitions, into};
pub use witness::Witness;

/// A batch of the copy: records of one schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedBatch {
    pub schema: SchemaId,
    /// Hex SHA-256 of the schema's text.
    pub fingerprint: String,
    pub batch: Batch,
}

/// What was copied, for the cut-over.
#[derive(Debug, Clone, PartialEq)]
pub struct Copied {
    /// The generation in force while it was copied.
    pub from: Topic,
    pub to: Topic,
    /// When the copy began; nothing was published since.
    pub began: Time,
    /// Per partition of the old topic the first record it kept then.
    pub first_kept: Vec<i64>,
    /// What counted from there on, by partition: what still counts then must be this.
    pub seen: Vec<Vec<Range<i64>>>,
    /// Where the readers of the old generation stop.
    pub ends: Vec<i64>,
    /// Where those that come from it go on.
    pub begins: Vec<i64>,
    pub batches: Vec<CopiedBatch>,
    /// The floors of the grants there were.
    pub floors: BTreeMap<GrantId, Vec<i64>>,
    pub records: i64,
    /// Records that stand where others were published: left out.
    pub strange: i64,
    /// What of `seen` was not copied: the log had lost it, or held others there.
    pub lost: Vec<Run>,
}

impl Copied {
    /// What counts in the new topic: everything below is final, and what no batch holds is dead.
    #[must_use]
    pub fn views(&self) -> Vec<PartitionView> {
        let mut counting: Vec<Vec<Range<i64>>> = vec![Vec::new(); self.begins.len()];
        let runs = self.batches.iter().flat_map(|copied| copied.batch.runs.iter().copied());
        for run in visibility::merge(runs.collect()) {
            if let Some(ranges) = usize::try_from(run.partition).ok().and_then(|at| counting.get_mut(at)) {
                ranges.push(run.first..run.last + 1);
            }
        }
        let closed = |(ranges, end): (Vec<_>, &i64)| PartitionView::closed(&ranges, *end);
        counting.into_iter().zip(&self.begins).map(closed).collect()
    }

    /// The floor of a grant that was made while it was copied; `None`: it can only be found by copying again.
    #[must_use]
    pub fn late_floor(&self, floor: Option<Time>) -> Option<Vec<i64>> {
        match floor {
            None => Some(vec![0; self.begins.len()]),
            // Nothing was published since, so everything that was copied lies before it.
            Some(time) if time >= self.began => Some(self.begins.clone()),
            Some(_) => None,
        }
    }
}
