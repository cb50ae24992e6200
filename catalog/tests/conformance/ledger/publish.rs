//! Which attempts count, what is recorded of those that don't, and their events.

use changtong_catalog::audit::EventCode;
use changtong_catalog::conformance;
use changtong_catalog::error::Code;
use changtong_catalog::ids::{Generation, ResourceNumber};
use changtong_catalog::ports::{Attempt, DeadRuns, Group, Ledger};
use changtong_catalog::resource::ResourceState;
use changtong_catalog::store::{QuarantineState, Store};
use changtong_catalog::visibility::{PartitionView, StoredRun, Verdict};
use serde_json::json;

use super::world::{code, run, world};
use crate::fixture::at;

const NONE: [i64; 0] = [];

async fn what_was_committed_is_visible_with_its_event(store: &Store) {
    let world = world(store).await;
    let attempt = world.attempt(&[run(0, 0, 9), run(2, 0, 4)]);
    let receipt = world.publish(vec![attempt.clone()]).await.remove(0).unwrap();

    assert_eq!((receipt.batch, receipt.accepted, receipt.quarantined), (attempt.batch, 15, 0));
    assert_eq!((receipt.runs, receipt.replayed), (attempt.runs, false));
    assert_eq!(world.visible(0).await, (0..10).collect::<Vec<_>>());
    assert_eq!(world.visible(1).await, NONE);
    assert_eq!(world.visible(2).await, (0..5).collect::<Vec<_>>());
    let events = world.events(EventCode::Published).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["id"], receipt.event.to_string());
    assert_eq!(events[0]["batches"][0]["id"], attempt.batch.to_string());
    assert_eq!(events[0]["batches"][0]["runs"], json!([[0, 0, 9], [2, 0, 4]]));
}

async fn a_group_merges_its_runs_and_shares_its_event(store: &Store) {
    let world = world(store).await;
    let attempts: Vec<Attempt> = (0..20).map(|n| world.attempt(&[run(0, 10 * n, 10 * n + 9)])).collect();
    let receipts = world.publish(attempts).await;
    let events: std::collections::BTreeSet<_> =
        receipts.iter().map(|receipt| receipt.as_ref().unwrap().event).collect();
    assert_eq!(events.len(), 1);
    let whole = StoredRun { first: 0, last: 199, verdict: Verdict::Committed };
    assert_eq!(world.views().await[0].runs, [whole]);
}

async fn a_large_group_needs_further_events(store: &Store) {
    let world = world(store).await;
    let scattered =
        |n: i64| (0..20).map(move |k| run(0, 100 * n + 2 * k, 100 * n + 2 * k)).collect::<Vec<_>>();
    let attempts: Vec<Attempt> = (0..40).map(|n| world.attempt(&scattered(n))).collect();
    let batches: Vec<String> = attempts.iter().map(|attempt| attempt.batch.to_string()).collect();
    let receipts = world.publish(attempts).await;
    let events = world.events(EventCode::Published).await;
    assert!(events.len() > 1, "{}", events.len());
    for (batch, receipt) in batches.iter().zip(&receipts) {
        let event = receipt.as_ref().unwrap().event.to_string();
        let event = events.iter().find(|stored| stored["id"] == event).unwrap();
        let batches = event["batches"].as_array().unwrap();
        assert_eq!(batches.iter().filter(|stored| stored["id"] == *batch).count(), 1);
    }
}

async fn one_loser_harms_nobody(store: &Store) {
    let world = world(store).await;
    let late = Attempt { generation: Generation(2), ..world.attempt(&[run(0, 0, 4)]) };
    let foreign = Attempt { caller: world.fixture.consumer.clone(), ..world.attempt(&[run(0, 5, 9)]) };
    let good = world.attempt(&[run(0, 10, 14)]);
    let malformed = Attempt { fingerprint: "none".to_owned(), ..world.attempt(&[run(0, 15, 19)]) };
    let overlapping = world.attempt(&[run(0, 12, 21)]);
    let answers = world.publish(vec![late, foreign, good, malformed, overlapping]).await;
    let codes: Vec<_> = answers.iter().map(code).collect();
    let late = Some(Code::AttemptTooLate);
    assert_eq!(codes, [late, Some(Code::Forbidden), None, Some(Code::Internal), late]);
    // Of those that lost in this generation the offsets are dead, where no run lies.
    let runs = |first, last, verdict| StoredRun { first, last, verdict };
    let expected = [runs(5, 9, Verdict::Dead), runs(10, 14, Verdict::Committed), runs(15, 21, Verdict::Dead)];
    assert_eq!(world.views().await[0].runs, expected);
    assert_eq!(world.visible(0).await, NONE, "a hole lies before them");
    world.settle([5, 0, 0], [0; 3]).await;
    assert_eq!(world.visible(0).await, (10..15).collect::<Vec<_>>());
}

async fn an_attempt_lives_or_dies_whole(store: &Store) {
    let world = world(store).await;
    world.publish(vec![world.attempt(&[run(1, 0, 4)])]).await;
    let answers = world.publish(vec![world.attempt(&[run(0, 0, 4), run(1, 3, 6), run(2, 0, 0)])]).await;
    assert_eq!(code(&answers[0]), Some(Code::AttemptTooLate));
    assert_eq!(world.visible(0).await, NONE);
    assert_eq!(world.visible(1).await, (0..5).collect::<Vec<_>>());
    assert_eq!(world.visible(2).await, NONE);
    assert_eq!(world.views().await[1].stable_end(), 7);
}

async fn a_resource_that_does_not_stand_takes_nothing(store: &Store) {
    let world = world(store).await;
    let mut resource = world.fixture.resource.clone();
    for (state, expected) in
        [(ResourceState::Suspended, Code::ResourceSuspended), (ResourceState::Retired, Code::ResourceRetired)]
    {
        let mut tx = store.begin().await.unwrap();
        (resource.state, resource.version) = (state, resource.version + 1);
        let change = changtong_catalog::store::ResourceChange {
            action: "suspend",
            by: world.fixture.provider.account,
            at: at(2000),
        };
        tx.update_resource(&resource, change).await.unwrap();
        tx.finish().await.unwrap();
        let answers = world.publish(vec![world.attempt(&[run(0, 0, 4)])]).await;
        assert_eq!(code(&answers[0]), Some(expected));
    }
}

async fn a_log_that_lost_records_stops_the_resource(store: &Store) {
    let world = world(store).await;
    world.ledger.log_rolled_back(world.number(), Generation(1)).await.unwrap();
    world.ledger.log_rolled_back(world.number(), Generation(1)).await.unwrap();
    let answers = world.publish(vec![world.attempt(&[run(0, 0, 4)])]).await;
    assert_eq!(code(&answers[0]), Some(Code::LogRolledBack));
    assert_eq!(world.events(EventCode::LogRolledBack).await.len(), 1);
}

async fn a_credential_that_ended_publishes_nothing(store: &Store) {
    let world = world(store).await;
    world.clock.advance(std::time::Duration::from_secs(31_536_000));
    let answers = world.publish(vec![world.attempt(&[run(0, 0, 4)])]).await;
    assert_eq!(code(&answers[0]), Some(Code::Unauthenticated));
}

async fn dead_offsets_never_hide_what_counts(store: &Store) {
    let world = world(store).await;
    world.publish(vec![world.attempt(&[run(0, 0, 9)])]).await;
    world.settle([10, 0, 0], [0; 3]).await;
    world.publish(vec![world.attempt(&[run(0, 12, 15)])]).await;
    let dead = DeadRuns {
        resource: world.number(),
        generation: Generation(1),
        runs: vec![run(0, 5, 20), run(1, 0, 3), run(7, 0, 3)],
    };
    world.commit(Group { dead: vec![dead], ..Group::default() }).await;
    let expected: Vec<i64> = (0..10).chain(12..16).collect();
    assert_eq!(world.visible(0).await, expected);
    assert_eq!(world.views().await[0].stable_end(), 21);
    assert_eq!(world.views().await[1].stable_end(), 4);
}

async fn what_lies_far_below_others_is_still_in_the_way(store: &Store) {
    let world = world(store).await;
    for first in [0, 20, 40, 60] {
        world.publish(vec![world.attempt(&[run(0, first, first + 9), run(1, first, first)])]).await;
    }
    let attempts = [run(0, 25, 26), run(0, 30, 39), run(0, 12, 22), run(0, 69, 75), run(1, 0, 0)];
    let answers = world.publish(attempts.iter().map(|run| world.attempt(&[*run])).collect()).await;
    let codes: Vec<_> = answers.iter().map(code).collect();
    let late = Some(Code::AttemptTooLate);
    assert_eq!(codes, [late, None, late, late, late]);
    let dead = |runs| DeadRuns { resource: world.number(), generation: Generation(1), runs };
    world.commit(Group { dead: vec![dead(vec![run(0, 5, 15), run(2, 1, 1)])], ..Group::default() }).await;
    let runs = |first, last, verdict| StoredRun { first, last, verdict };
    let (committed, dead) = (Verdict::Committed, Verdict::Dead);
    let seen: Vec<StoredRun> = world.views().await[0].runs.clone();
    let covered = |at: i64| seen.iter().find(|run| run.first <= at && at <= run.last).map(|run| run.verdict);
    for (range, verdict) in
        [(0..10, committed), (10..20, dead), (20..50, committed), (60..70, committed), (70..76, dead)]
    {
        assert!(range.clone().all(|at| covered(at) == Some(verdict)), "{range:?} in {seen:?}");
    }
    assert_eq!(covered(50), None);
    assert_eq!(world.views().await[2].runs, [runs(1, 1, dead)]);
}

async fn rejected_records_are_indexed_with_their_attempt(store: &Store) {
    let world = world(store).await;
    let mut attempt = world.claimed("k1", 1, &[run(0, 0, 1)]);
    attempt.quarantined = vec![world.rejected("items.a\0b"), world.rejected("")];
    let receipt = world.publish(vec![attempt.clone()]).await.remove(0).unwrap();
    assert_eq!(receipt.quarantined, 2);
    // One that loses leaves no row.
    let mut lost = Attempt { generation: Generation(2), ..world.attempt(&[run(0, 2, 3)]) };
    lost.quarantined = vec![world.rejected("x")];
    world.publish(vec![lost]).await;
    // Nor an event; what counts has one, however many records were set aside.
    let events = world.events(EventCode::QuarantineAdded).await;
    assert_eq!(events.len(), 1);
    assert_eq!((&events[0]["batch"], &events[0]["records"]), (&attempt.batch.to_string().into(), &2.into()));

    let mut rows = store.quarantine(world.number(), None, None, 10).await.unwrap();
    rows.sort_by_key(|row| std::cmp::Reverse(row.path.len()));
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0].path.as_str(), rows[0].batch), ("items.a\u{fffd}b", attempt.batch));
    assert!(rows.iter().all(|row| row.marked), "their records bear their ids");
    store.discard_quarantined(&world.fixture.provider, &rows[1], at(3000), &*world.ids).await.unwrap();
    let waiting = store.quarantine(world.number(), Some(QuarantineState::Waiting), None, 10).await.unwrap();
    assert_eq!(waiting, [rows[0].clone()]);
    assert_eq!(world.events(EventCode::QuarantineDiscarded).await.len(), 1);
}

async fn a_record_set_aside_is_decided_once_in_the_commit_of_its_batch(store: &Store) {
    let world = world(store).await;
    let mut bad = world.attempt(&[run(0, 0, 1)]);
    bad.quarantined = vec![world.rejected("a"), world.rejected("b")];
    world.publish(vec![bad.clone()]).await.remove(0).unwrap();
    let [first, second] = [bad.quarantined[0].id, bad.quarantined[1].id];
    let replay = |id, runs| Attempt { replays: Some(id), ..world.attempt(&[runs]) };

    // Of two in one group one counts; the other's offsets are dead.
    let both = vec![replay(first, run(0, 2, 2)), replay(first, run(0, 3, 3))];
    let batch = both[0].batch;
    let answers = world.publish(both).await;
    assert_eq!(answers[0].as_ref().unwrap().accepted, 1);
    assert_eq!(code(&answers[1]), Some(Code::InvalidState));
    let row = store.read().await.unwrap().quarantined(first).await.unwrap().unwrap();
    assert_eq!((row.state, row.replayed_as), (QuarantineState::Replayed, Some(batch)));
    let events = world.events(EventCode::QuarantineReplayed).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["batch"], batch.to_string());

    // A later one finds it decided, whatever was forgotten of its key; so does who discards it.
    assert_eq!(code(&world.publish(vec![replay(first, run(0, 4, 4))]).await[0]), Some(Code::InvalidState));
    let (caller, now) = (&world.fixture.provider, at(3000));
    assert_eq!(
        code(&store.discard_quarantined(caller, &row, now, &*world.ids).await),
        Some(Code::InvalidState)
    );
    let other = store.read().await.unwrap().quarantined(second).await.unwrap().unwrap();
    store.discard_quarantined(caller, &other, now, &*world.ids).await.unwrap();
    assert_eq!(code(&world.publish(vec![replay(second, run(0, 5, 5))]).await[0]), Some(Code::InvalidState));
    assert_eq!(world.visible(0).await, [0, 1, 2]);
}

/// More partitions than one statement may name, and each judged by its own runs.
async fn a_group_may_touch_any_number_of_partitions(store: &Store) {
    let world = world(store).await;
    world.publish(vec![world.attempt(&[run(0, 0, 4), run(2, 0, 4)])]).await.remove(0).unwrap();
    let generation = Generation(1);
    let runs = |partitions| (0..partitions).map(|partition| run(partition, 3, 6)).collect();
    // Before it in every list stand those of a topic that is none.
    let none = DeadRuns { resource: ResourceNumber(0), generation, runs: runs(20_000) };
    let dead = DeadRuns { resource: world.number(), generation, runs: runs(3) };
    world.commit(Group { dead: vec![dead, none], ..Group::default() }).await;
    let views = world.views().await;
    let kept = |view: &PartitionView| view.runs.iter().map(|run| (run.first, run.last)).collect::<Vec<_>>();
    assert_eq!(kept(&views[0]), [(0, 4), (5, 6)]);
    assert_eq!(kept(&views[1]), [(3, 6)]);
    assert_eq!(kept(&views[2]), [(0, 4), (5, 6)]);
}

conformance!(
    a_group_may_touch_any_number_of_partitions,
    what_was_committed_is_visible_with_its_event,
    a_group_merges_its_runs_and_shares_its_event,
    a_large_group_needs_further_events,
    one_loser_harms_nobody,
    an_attempt_lives_or_dies_whole,
    a_resource_that_does_not_stand_takes_nothing,
    a_log_that_lost_records_stops_the_resource,
    a_credential_that_ended_publishes_nothing,
    dead_offsets_never_hide_what_counts,
    what_lies_far_below_others_is_still_in_the_way,
    rejected_records_are_indexed_with_their_attempt,
    a_record_set_aside_is_decided_once_in_the_commit_of_its_batch,
);
