//! The merge of the old partitions into one order, by append time, and where that order passes each floor.
//!
//! Append times may go back within a partition, so a record stands by the largest one up to it: then a partition's
//! records keep their order, and all that lies before a floor (the first record of that time or later, in each
//! partition) comes before all that lies behind it. A floor that a generation before stored as offsets is no time of
//! this one: so how many floors a record has passed is looked at first.

use std::collections::BTreeMap;

/// A record's place in the merge: the smaller comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn {
    passed: usize,
    appended_ms: i64,
    partition: usize,
}

#[derive(Debug, Clone, Default)]
pub struct Merge {
    /// By old partition the offsets of all floors, in order.
    cuts: Vec<Vec<i64>>,
    /// By old partition the largest append time so far.
    latest: Vec<i64>,
    /// By old and new partition: behind how many floors, and the offset behind the last record from there.
    reached: BTreeMap<(usize, usize), Vec<(usize, i64)>>,
}

impl Merge {
    /// `floors` are offsets of the old topic; several grants may share one.
    #[must_use]
    pub fn new(partitions: usize, floors: &[Vec<i64>]) -> Self {
        let cuts = (0..partitions).map(|partition| {
            let mut cuts: Vec<i64> =
                floors.iter().map(|floor| floor.get(partition).copied().unwrap_or_default()).collect();
            cuts.sort_unstable();
            cuts
        });
        Self { cuts: cuts.collect(), latest: vec![i64::MIN; partitions], reached: BTreeMap::new() }
    }

    /// The turn of a partition's next record, asked once for each in their order.
    pub fn turn(&mut self, partition: usize, offset: i64, appended_ms: i64) -> Turn {
        let latest = self.latest.get_mut(partition).map_or(appended_ms, |latest| {
            *latest = appended_ms.max(*latest);
            *latest
        });
        Turn { passed: self.passed(partition, offset), appended_ms: latest, partition }
    }

    /// A record was copied. Told in the order of the merge.
    pub fn copied(&mut self, from: (usize, i64), to: (usize, i64)) {
        let passed = self.passed(from.0, from.1);
        let reached = self.reached.entry((from.0, to.0)).or_default();
        match reached.last_mut() {
            Some((last, behind)) if *last == passed => *behind = to.1 + 1,
            _ => reached.push((passed, to.1 + 1)),
        }
    }

    /// Where the merge passed a floor: in each new partition behind the last record from before it.
    #[must_use]
    pub fn floor(&self, floor: &[i64], partitions: usize) -> Vec<i64> {
        let mut passed_at = vec![0; partitions];
        for ((from, to), reached) in &self.reached {
            let cut = floor.get(*from).copied().unwrap_or_default();
            let before = self.cuts.get(*from).map_or(0, |cuts| cuts.partition_point(|other| *other < cut));
            let upto = reached.partition_point(|(passed, _)| *passed <= before);
            let behind =
                upto.checked_sub(1).and_then(|last| reached.get(last)).map_or(0, |(_, behind)| *behind);
            if let Some(at) = passed_at.get_mut(*to) {
                *at = behind.max(*at);
            }
        }
        passed_at
    }

    /// How many floors lie at or before a record.
    fn passed(&self, partition: usize, offset: i64) -> usize {
        self.cuts.get(partition).map_or(0, |cuts| cuts.partition_point(|cut| *cut <= offset))
    }
}
