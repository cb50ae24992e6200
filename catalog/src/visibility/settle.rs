//! What the settling job changes (protocol.md 4): holes become dead, `settled` moves over what is covered, and what
//! is needed no longer is dropped.

use super::commit::dead;
use super::{PartitionView, StoredRun, Verdict};

/// The change of one partition. Rows are named by their `first`; delete before you insert.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settlement {
    /// The new settled mark.
    pub settled: i64,
    /// What no run covered and is dead now, for the event.
    pub holes: Vec<StoredRun>,
    /// Stored runs to delete: committed ones below the mark, dead ones that were joined or lie before every record.
    pub delete: Vec<StoredRun>,
    /// Dead runs to write: holes, and those joined from several.
    pub insert: Vec<StoredRun>,
}

impl PartitionView {
    /// Settles up to `noted_end`, the log's end as noted `settle_after` ago; `first_kept` is the first record that
    /// the log still has. `None`: nothing to do.
    #[must_use]
    pub fn settle(&self, noted_end: i64, first_kept: i64) -> Option<Settlement> {
        let holes =
            if self.settled < noted_end { self.free(self.settled, noted_end - 1) } else { Vec::new() };
        let mut all = self.runs.clone();
        all.extend(&holes);
        all.sort_unstable_by_key(|run| run.first);
        let settled = Self { settled: self.settled, runs: all.clone() }.stable_end();

        let final_ones = all.partition_point(|run| run.first < settled);
        let drop_below = first_kept.min(settled);
        let kept = join_dead(&all[..final_ones], drop_below);
        let before = &self.runs[..self.runs.partition_point(|run| run.first < settled)];
        let change = Settlement {
            settled,
            holes,
            delete: before.iter().filter(|run| !holds(&kept, run)).copied().collect(),
            insert: kept.iter().filter(|run| !holds(before, run)).copied().collect(),
        };
        let idle = settled == self.settled && change.delete.is_empty() && change.insert.is_empty();
        (!idle).then_some(change)
    }

    /// The view after the change.
    pub fn apply(&mut self, change: &Settlement) {
        self.settled = change.settled;
        self.runs.retain(|run| !holds(&change.delete, run));
        self.runs.extend(&change.insert);
        self.runs.sort_unstable_by_key(|run| run.first);
    }
}

/// Whether a list in order of `first` has exactly this run.
fn holds(runs: &[StoredRun], run: &StoredRun) -> bool {
    runs.binary_search_by_key(&run.first, |stored| stored.first).is_ok_and(|at| runs[at] == *run)
}

/// The dead runs among final ones, neighbours joined, without those that end before the first kept record.
fn join_dead(runs: &[StoredRun], first_kept: i64) -> Vec<StoredRun> {
    let mut joined: Vec<StoredRun> = Vec::new();
    for run in runs.iter().filter(|run| run.verdict == Verdict::Dead) {
        match joined.last_mut() {
            Some(before) if before.last + 1 == run.first => *before = dead(before.first..run.last + 1),
            _ => joined.push(*run),
        }
    }
    joined.retain(|run| run.last >= first_kept);
    joined
}
