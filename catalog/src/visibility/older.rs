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
    use proptest::prelude::*;

    use super::super::{StoredRun, Verdict};
    use super::*;

    /// What may happen to a partition, at offsets from zero or from the log's end on.
    #[derive(Debug, Clone)]
    enum Step {
        /// An attempt's run of so many, behind a gap that others wrote.
        Append {
            gap: i64,
            length: i64,
            verdict: Verdict,
        },
        /// An attempt's that lies anywhere before: late, or its offsets false.
        Late {
            first: i64,
            length: i64,
            verdict: Verdict,
        },
        Settle {
            noted: i64,
            first_kept: i64,
        },
    }

    impl Step {
        fn take(&self, view: &mut PartitionView) {
            let (first, length, verdict) = match *self {
                Self::Append { gap, length, verdict } => (view.known_end() + gap, length, verdict),
                Self::Late { first, length, verdict } => (first, length, verdict),
                Self::Settle { noted, first_kept } => {
                    if let Some(change) = view.settle(noted, first_kept) {
                        view.apply(&change);
                    }
                    return;
                }
            };
            let last = first + length - 1;
            match verdict {
                // A store refuses one that may not count.
                Verdict::Committed => drop(view.insert(StoredRun { first, last, verdict })),
                Verdict::Dead => {
                    view.free(first, last).into_iter().for_each(|part| view.insert(part).unwrap());
                }
            }
        }
    }

    fn verdict() -> impl Strategy<Value = Verdict> {
        prop_oneof![Just(Verdict::Committed), Just(Verdict::Dead)]
    }

    fn append() -> impl Strategy<Value = Step> {
        (0..3_i64, 1..6_i64, verdict()).prop_map(|(gap, length, verdict)| Step::Append {
            gap,
            length,
            verdict,
        })
    }

    fn step() -> impl Strategy<Value = Step> {
        let late = (0..80_i64, 1..6_i64, verdict()).prop_map(|(first, length, verdict)| Step::Late {
            first,
            length,
            verdict,
        });
        let settle =
            (0..90_i64, 0..90_i64).prop_map(|(noted, first_kept)| Step::Settle { noted, first_kept });
        prop_oneof![4 => append(), 2 => late, 2 => settle]
    }

    fn many<T: std::fmt::Debug>(step: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<T>> {
        prop::collection::vec(step, 0..24)
    }

    proptest! {
        #[test]
        fn a_store_that_goes_on_is_never_older(steps in many(step())) {
            let mut looks = vec![PartitionView::default()];
            for step in &steps {
                let mut now = looks[looks.len() - 1].clone();
                step.take(&mut now);
                for before in &looks {
                    prop_assert!(
                        !is_older(std::slice::from_ref(&now), std::slice::from_ref(before)),
                        "{now:?} after {before:?}"
                    );
                }
                looks.push(now);
            }
        }

        /// Whatever was appended behind it since.
        #[test]
        fn one_that_lost_any_run_is_older(before in many(step()), since in many(append())) {
            let mut view = PartitionView::default();
            before.iter().for_each(|step| step.take(&mut view));
            for (at, run) in view.runs.iter().enumerate().filter(|(_, run)| run.verdict == Verdict::Committed) {
                let mut now = view.clone();
                now.runs.remove(at);
                // It goes on where the log does.
                let end = view.known_end();
                now.runs.push(StoredRun { first: end, last: end, verdict: Verdict::Dead });
                since.iter().for_each(|step| step.take(&mut now));
                prop_assert!(
                    is_older(std::slice::from_ref(&now), std::slice::from_ref(&view)),
                    "{now:?} without {run:?} of {view:?}"
                );
            }
        }
    }

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
