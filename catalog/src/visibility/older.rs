//! A store that went back (protocol.md 4): another took its place that had lagged, or it was put back from a backup. What
//! counted at an earlier look counts there no longer.

use std::ops::Range;

use super::PartitionView;

/// Whether a store that says this `now` is older than one that said that `before`.
#[must_use]
pub fn is_older(now: &[PartitionView], before: &[PartitionView]) -> bool {
    now.len() < before.len() || now.iter().zip(before).any(|(now, before)| now.is_older_than(before))
}

impl PartitionView {
    fn is_older_than(&self, before: &Self) -> bool {
        // What is settled is final: of what lies below, a store that has settled as far knows the same.
        let (settled, end) = (before.settled, before.known_end());
        self.settled < settled || self.lacks(&before.counting(settled, end))
    }

    /// Whether some of these offsets (ranges in order, apart) do not count.
    #[must_use]
    pub fn lacks(&self, counted: &[Range<i64>]) -> bool {
        let (Some(first), Some(last)) = (counted.first(), counted.last()) else { return false };
        let now = self.counting(first.start, last.end);
        let mut now = now.iter().peekable();
        counted.iter().any(|was| {
            while now.next_if(|range| range.end <= was.start).is_some() {}
            !now.peek().is_some_and(|range| range.start <= was.start && was.end <= range.end)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{StoredRun, Verdict};
    use super::*;

    fn view(settled: i64, runs: &[(i64, i64, Verdict)]) -> PartitionView {
        let mut view = PartitionView::default();
        for (first, last, verdict) in runs {
            view.insert(StoredRun { first: *first, last: *last, verdict: *verdict }).unwrap();
        }
        view.settled = settled;
        view
    }

    #[test]
    fn what_counted_and_counts_no_longer_makes_a_store_older() {
        use Verdict::{Committed, Dead};
        let before = view(10, &[(10, 14, Committed), (15, 16, Dead), (20, 24, Committed)]);
        let whole = [
            before.clone(),
            // More was committed, some of it in the hole; all of it was settled.
            view(10, &[(10, 14, Committed), (15, 16, Dead), (17, 19, Committed), (20, 24, Committed)]),
            view(25, &[(15, 16, Dead), (17, 19, Dead)]),
            view(25, &[(15, 19, Dead)]),
            // A dead run was dropped, as the log keeps none of its records.
            view(40, &[(30, 31, Dead)]),
        ];
        for now in whole {
            assert!(!is_older(std::slice::from_ref(&now), std::slice::from_ref(&before)), "{now:?}");
        }
        let older = [
            view(9, &[(10, 14, Committed), (15, 16, Dead), (20, 24, Committed)]),
            view(10, &[(10, 14, Committed), (15, 16, Dead)]),
            // What came later hides by its end what is lacking before it.
            view(10, &[(10, 14, Committed), (25, 30, Committed)]),
            view(10, &[(11, 14, Committed), (20, 24, Committed)]),
            view(10, &[(10, 14, Committed), (20, 22, Committed)]),
            view(25, &[(12, 12, Dead)]),
            view(25, &[(15, 20, Dead)]),
        ];
        for now in older {
            assert!(is_older(std::slice::from_ref(&now), std::slice::from_ref(&before)), "{now:?}");
        }
        assert!(is_older(&[], std::slice::from_ref(&before)), "it lost the topic");
        assert!(!is_older(&[before.clone(), before.clone()], &[before]));
    }
}
