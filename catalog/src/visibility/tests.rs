//! Visibility by example and by property, offset by offset.

use proptest::prelude::*;

use super::*;
use crate::error::{Code, Refusal};

fn view(settled: i64, runs: &[(i64, i64, Verdict)]) -> PartitionView {
    let runs = runs.iter().map(|&(first, last, verdict)| StoredRun { first, last, verdict }).collect();
    PartitionView { settled, runs }
}

use Verdict::{Committed as C, Dead as D};

fn ranges(view: &PartitionView, from: i64, to: i64) -> Vec<Range<i64>> {
    view.visible(from, to).collect()
}

#[test]
fn an_empty_partition_shows_nothing() {
    assert_eq!(PartitionView::default().stable_end(), 0);
    assert!(ranges(&PartitionView::default(), 0, 100).is_empty());
}

#[test]
fn readers_stop_at_the_first_hole() {
    let view = view(3, &[(1, 1, D), (3, 5, C), (6, 6, D), (7, 9, C), (12, 20, C)]);
    assert_eq!(view.stable_end(), 10);
    assert_eq!(view.known_end(), 21);
    assert_eq!(ranges(&view, 0, 100), [0..1, 2..6, 7..10]);
    assert_eq!(ranges(&view, 4, 8), [4..6, 7..8]);
    assert_eq!(ranges(&view, 6, 7), []);
    assert_eq!(ranges(&view, 12, 20), []);
    assert_eq!(ranges(&view, 8, 2), []);
}

#[test]
fn a_run_commits_only_where_nothing_is_decided() {
    let mut view = view(10, &[(2, 3, D), (12, 14, C), (20, 21, D)]);
    assert_eq!(view.admit(9, 11), Err(Clash::Settled));
    assert_eq!(view.admit(11, 12), Err(Clash::Covered));
    assert_eq!(view.admit(13, 13), Err(Clash::Covered));
    assert_eq!(view.admit(15, 25), Err(Clash::Covered));
    assert_eq!(view.admit(10, 11), Ok(()));
    assert_eq!(view.insert(StoredRun { first: 15, last: 19, verdict: C }), Ok(()));
    assert_eq!(view.runs.iter().map(|run| run.first).collect::<Vec<_>>(), [2, 12, 15, 20]);
    assert_eq!(view.insert(StoredRun { first: 15, last: 19, verdict: C }), Err(Clash::Covered));
    assert_eq!(view.runs.len(), 4);
}

#[test]
fn the_dead_are_recorded_only_where_no_run_lies() {
    let view = view(10, &[(2, 3, D), (12, 14, C), (20, 21, D)]);
    let free =
        |first, last| view.free(first, last).iter().map(|run| (run.first, run.last)).collect::<Vec<_>>();
    assert_eq!(free(0, 9), []);
    assert_eq!(free(5, 25), [(10, 11), (15, 19), (22, 25)]);
    assert_eq!(free(12, 14), []);
    assert_eq!(free(30, 30), [(30, 30)]);
}

#[test]
fn runs_of_a_group_are_joined() {
    let run = |partition, first, last| Run { partition, first, last };
    let joined =
        merge(vec![run(1, 4, 5), run(0, 7, 9), run(0, 0, 3), run(0, 4, 6), run(1, 7, 7), run(2, 8, 8)]);
    assert_eq!(joined, [run(0, 0, 9), run(1, 4, 5), run(1, 7, 7), run(2, 8, 8)]);
}

#[test]
fn settling_kills_holes_and_drops_what_is_not_needed() {
    let before = view(4, &[(1, 1, D), (3, 3, D), (4, 6, C), (9, 9, D), (12, 14, C)]);
    let change = before.settle(11, 2).unwrap();
    let run = |first, last, verdict| StoredRun { first, last, verdict };
    assert_eq!(change.settled, 11);
    assert_eq!(change.holes, [run(7, 8, D), run(10, 10, D)], "11 was not noted yet");
    let change_at_12 = before.settle(12, 2).unwrap();
    assert_eq!(change_at_12.holes, [run(7, 8, D), run(10, 11, D)]);
    assert_eq!(change_at_12.settled, 15);
    assert_eq!(change_at_12.delete, [run(1, 1, D), run(4, 6, C), run(9, 9, D), run(12, 14, C)]);
    assert_eq!(change_at_12.insert, [run(7, 11, D)]);
    let mut after = before;
    after.apply(&change_at_12);
    assert_eq!(after, view(15, &[(3, 3, D), (7, 11, D)]));
    assert_eq!(after.settle(12, 2), None);
    assert_eq!(after.settle(0, 0), None);
}

fn gather(offsets: &[(i32, i64)]) -> Result<Vec<Run>, Misreport> {
    let mut gather = Gather::default();
    offsets.iter().for_each(|&(partition, offset)| gather.push(partition, offset));
    gather.finish()
}

#[test]
fn offsets_become_runs() {
    let run = |partition, first, last| Run { partition, first, last };
    let runs = gather(&[(1, 5), (0, 0), (1, 6), (0, 1), (1, 9), (2, 3)]).unwrap();
    assert_eq!(runs, [run(0, 0, 1), run(1, 5, 6), run(1, 9, 9), run(2, 3, 3)]);
    assert_eq!(gather(&[]).unwrap(), []);
}

#[test]
fn false_offsets_make_no_attempt() {
    assert_eq!(gather(&[(0, -1), (0, 0)]), Err(Misreport::False));
    assert_eq!(gather(&[(0, 5), (0, 5)]), Err(Misreport::False));
    assert_eq!(gather(&[(0, 5), (1, 9), (0, 4)]), Err(Misreport::False));
    assert_eq!(Refusal::from(Misreport::False).code, Code::BrokerUnavailable);
}

#[test]
fn a_batch_may_have_128_runs_and_no_more() {
    let scattered = |n: i64| (0..n).map(|i| (0, 2 * i)).collect::<Vec<_>>();
    assert_eq!(gather(&scattered(128)).unwrap().len(), MOST_RUNS);
    let Err(Misreport::Scattered(runs)) = gather(&scattered(129)) else { panic!("129 runs were taken") };
    assert_eq!(runs.len(), 129);
    assert_eq!(Refusal::from(Misreport::Scattered(runs)).code, Code::BatchScattered);
}

/// The definition of protocol.md 4, offset by offset.
fn counts(view: &PartitionView, offset: i64) -> bool {
    match view.runs.iter().find(|run| (run.first..=run.last).contains(&offset)) {
        Some(run) => run.verdict == C,
        None => offset < view.settled,
    }
}

prop_compose! {
    /// A view a store can hold: below `settled` dead runs only (and committed ones not yet deleted).
    fn any_view()(settled in 0..60_i64, steps in prop::collection::vec((0..4_i64, 1..6_i64, any::<bool>()), 0..16)) -> PartitionView {
        let mut at = 0;
        let mut runs = Vec::new();
        for (gap, length, committed) in steps {
            let first = at + gap;
            at = first + length;
            runs.push(StoredRun { first, last: at - 1, verdict: if committed { C } else { D } });
        }
        PartitionView { settled, runs }
    }
}

proptest! {
    #[test]
    fn what_is_visible_is_what_counts_below_the_stable_end(view in any_view(), from in 0..90_i64, to in 0..90_i64) {
        let end = view.stable_end();
        let covered = |o| view.runs.iter().any(|run| (run.first..=run.last).contains(&o));
        prop_assert!((view.settled..end).all(covered) && !covered(end));
        let seen: Vec<i64> = view.visible(from, to).flatten().collect();
        let should: Vec<i64> = (from..to.min(end)).filter(|&o| counts(&view, o)).collect();
        prop_assert_eq!(seen, should);
    }

    #[test]
    fn settling_changes_nothing_that_was_decided(view in any_view(), noted in 0..90_i64, kept in 0..90_i64) {
        let mut after = view.clone();
        if let Some(change) = view.settle(noted, kept) {
            after.apply(&change);
        }
        prop_assert!(after.settled >= view.settled.max(noted));
        prop_assert_eq!(after.settled, after.stable_end());
        prop_assert!(after.runs.is_sorted_by_key(|run| run.first));
        prop_assert!(after.runs.windows(2).all(|two| two[0].last < two[1].first));
        prop_assert!(after.runs.iter().all(|run| run.verdict == D || run.first > after.settled));
        prop_assert!(after.runs.iter().all(|run| run.first > after.settled || run.last >= kept.min(after.settled)));
        // Before the first kept record there is nothing to see any more.
        for offset in kept..120 {
            prop_assert_eq!(counts(&after, offset), counts(&view, offset), "offset {}", offset);
        }
        prop_assert_eq!(after.settle(noted, kept), None, "settling twice changes nothing");
    }

    #[test]
    fn what_is_free_is_exactly_what_no_run_covers(view in any_view(), first in 0..90_i64, length in 1..30_i64) {
        let last = first + length - 1;
        let free: Vec<i64> = view.free(first, last).iter().flat_map(|run| run.first..=run.last).collect();
        let covered = |o: i64| view.runs.iter().any(|run| (run.first..=run.last).contains(&o));
        let should: Vec<i64> = (first..=last).filter(|&o| o >= view.settled && !covered(o)).collect();
        prop_assert_eq!(view.admit(first, last).is_ok(), should.len() as i64 == length);
        prop_assert_eq!(free, should);
    }

    #[test]
    fn gathered_runs_hold_exactly_the_offsets(gaps in prop::collection::vec((0..3_i32, 1..3_i64), 0..80)) {
        let mut next = [0_i64; 3];
        let offsets: Vec<(i32, i64)> = gaps.iter().map(|&(p, gap)| {
            next[p as usize] += gap;
            (p, next[p as usize])
        }).collect();
        let runs = gather(&offsets).unwrap();
        let mut sorted = offsets;
        sorted.sort_unstable();
        let held: Vec<(i32, i64)> = runs.iter().flat_map(|run| (run.first..=run.last).map(|o| (run.partition, o))).collect();
        prop_assert_eq!(held, sorted);
        prop_assert_eq!(merge(runs.clone()), runs);
    }
}
