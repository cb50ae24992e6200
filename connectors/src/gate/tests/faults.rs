//! Publish when log or store fail at each step: visible whole, or not at all, and the answer is true.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use changtong_catalog::error::Code;
use changtong_catalog::ids::{GrantId, WindowId};
use changtong_catalog::ports::{CloseReason, Closing, Ended};
use changtong_catalog::visibility::Verdict;

use super::log::LogFault;
use super::store::StoreFault;
use super::world::{SUBSCRIPTION, World, code, lines, until};
use crate::commit::Done;

async fn keyed(
    world: &World,
    ids: std::ops::Range<i64>,
) -> Result<changtong_catalog::ports::Receipt, changtong_catalog::error::Refusal> {
    let mut ask = world.ask(&lines(ids));
    ask.idempotency_key = Some("k".to_owned());
    world.gate.publish(ask).await
}

/// Reads all there is, once the runs of dead attempts are recorded.
async fn all(world: &World) -> usize {
    world.subscribe(SUBSCRIPTION);
    world.read(None).await.unwrap().records.len()
}

#[tokio::test]
async fn a_commit_not_sent_is_dead_and_the_retry_counts() {
    let world = World::new();
    world.store.faults.lock().push_back(StoreFault::NotSent);
    let refusal = keyed(&world, 0..9).await.unwrap_err();
    assert_eq!(refusal.code, Code::StoreUnavailable);
    assert!(refusal.retry_after.is_some());
    let receipt = keyed(&world, 0..9).await.unwrap();
    assert!(!receipt.replayed);
    assert!(receipt.runs.iter().any(|run| run.first > 0), "behind the dead ones");
    until(async || all(&world).await >= 9).await;
    let state = world.store.state.lock();
    let dead = state.views.values().flatten().flat_map(|view| &view.runs);
    let dead: i64 = dead.filter(|run| run.verdict == Verdict::Dead).map(|run| run.last - run.first + 1).sum();
    assert_eq!(dead, 9, "its true offsets are recorded");
}

#[tokio::test]
async fn a_commit_nobody_heard_of_is_answered_as_it_stands() {
    let world = World::new();
    world.store.faults.lock().push_back(StoreFault::Unheard);
    let receipt = world.rows(0..9).await.unwrap();
    assert!(!receipt.replayed);
    assert_eq!(all(&world).await, 9);
}

#[tokio::test]
async fn a_commit_lost_on_its_way_is_unknown_and_nothing_is_recorded() {
    let world = World::new();
    world.rows(0..1).await.unwrap();
    world.store.faults.lock().push_back(StoreFault::Lost);
    assert_eq!(code(keyed(&world, 1..9).await), Code::OutcomeUnknown);
    assert_eq!(all(&world).await, 1);
    let runs: usize = world.store.state.lock().views.values().flatten().map(|view| view.runs.len()).sum();
    assert_eq!(runs, 1, "a hole, for the settling job to judge");
    assert!(!keyed(&world, 1..9).await.unwrap().replayed);
}

#[tokio::test]
async fn a_silent_store_leaves_the_outcome_unknown_and_the_key_tells_later() {
    let world = World::new();
    world.store.faults.lock().push_back(StoreFault::Unheard);
    *world.store.silent.lock() = true;
    assert_eq!(code(keyed(&world, 0..9).await), Code::OutcomeUnknown);
    *world.store.silent.lock() = false;
    let receipt = keyed(&world, 0..9).await.unwrap();
    assert!(receipt.replayed, "it had been done");
    assert_eq!(all(&world).await, 9);
}

#[tokio::test]
async fn an_append_that_breaks_is_dead_where_it_landed() {
    let world = World::new();
    world.rows(0..3).await.unwrap();
    world.log.faults.lock().push_back(LogFault::Breaks(4));
    assert_eq!(code(world.rows(3..9).await), Code::BrokerUnavailable);
    world.rows(10..13).await.unwrap();
    until(async || all(&world).await >= 6).await;
    assert_eq!(world.log.ends(&world.topic()).iter().sum::<i64>(), 10);
}

#[tokio::test]
async fn acknowledgements_that_fit_nothing_kill_the_attempt() {
    let world = World::new();
    world.log.faults.lock().push_back(LogFault::Misreports);
    assert_eq!(code(world.rows(0..6).await), Code::BrokerUnavailable);
    assert_eq!(all(&world).await, 0);
}

#[tokio::test]
async fn a_log_that_gives_known_offsets_again_stops_the_resource() {
    let world = World::new();
    world.rows(0..30).await.unwrap();
    for partition in 0..3 {
        let end = world.log.ends(&world.topic())[partition];
        world.log.lose(&world.topic(), partition, end as usize);
    }
    assert_eq!(code(world.rows(30..33).await), Code::LogRolledBack);
    assert_eq!(code(world.rows(33..34).await), Code::LogRolledBack);
    assert_eq!(*world.log.appends.lock(), 2, "the second was not appended");
}

#[tokio::test]
async fn a_lease_that_is_over_lets_nothing_in_or_out() {
    let world = World::new();
    world.rows(0..3).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let mut delivery = world.gate.deliver(world.poll(None)).await.unwrap();
    world.alive.lose();
    assert_eq!(code(delivery.next_piece().await.unwrap()), Code::AnotherServerActive);
    assert!(delivery.next_piece().await.is_none());
    assert_eq!(code(world.rows(3..4).await), Code::AnotherServerActive);
    assert_eq!(code(world.read(None).await), Code::AnotherServerActive);
}

#[tokio::test]
async fn attempts_that_are_ready_share_a_commit() {
    let world = World::new();
    world.rows(0..1).await.unwrap();
    world.store.groups.lock().clear();
    world.store.hold.send_replace(true);
    let mut running = Vec::new();
    for n in 0..40 {
        let (gate, ask) = (world.gate.clone(), world.ask(&lines(n..n + 2)));
        running.push(tokio::spawn(async move { gate.publish(ask).await }));
    }
    until(async || *world.log.appends.lock() >= 41).await;
    world.store.hold.send_replace(false);
    for publish in running {
        publish.await.unwrap().unwrap();
    }
    let groups = world.store.groups.lock().clone();
    assert_eq!(groups.iter().sum::<usize>(), 40);
    assert!(groups.len() <= 4, "{groups:?}");
}

#[tokio::test]
async fn a_window_whose_opening_took_effect_late_is_closed_then() {
    let world = World::new();
    world.subscribe(SUBSCRIPTION);
    world.rows(0..9).await.unwrap();
    world.store.faults.lock().push_back(StoreFault::Late);
    assert_eq!(code(world.read(None).await), Code::OutcomeUnknown);
    until(async || {
        let state = world.store.state.lock();
        !state.windows.is_empty() && state.windows.values().all(|(_, closing)| closing.is_some())
    })
    .await;
}

fn closing(window: u128) -> Closing {
    Closing {
        window: WindowId(uuid::Uuid::from_u128(window)),
        reason: CloseReason::Reader,
        through: vec![0],
        let_out: vec![0],
        sent: 0,
        passed_over: 0,
        bytes: 0,
        digest: crate::gate::empty_digest(),
        further_calls: 0,
    }
}

#[tokio::test]
async fn a_closing_that_never_commits_stands_in_nobodys_way() {
    let world = World::new();
    let (never, after) = (closing(1), closing(2));
    *world.store.never_closes.lock() = Some(never.window);
    let committer = &world.gate.committer;
    committer.close(never, Box::new(|| panic!("it is never committed")));
    let tries = || world.store.groups.lock().iter().filter(|attempts| **attempts == 0).count();
    until(async || tries() > 0).await;
    let closed = Arc::new(AtomicBool::new(false));
    let done = closed.clone();
    committer.close(after, Box::new(move || done.store(true, Ordering::SeqCst)));
    for id in 0..12 {
        world.rows(id..id + 1).await.unwrap();
    }
    until(async || closed.load(Ordering::SeqCst) && tries() > 3).await;
    world.rows(12..13).await.unwrap();
}

/// A store that went back takes nothing any more.
#[tokio::test]
async fn what_an_older_store_would_not_take_is_not_tried_again_and_again() {
    let world = World::with(|settings, _| settings.window = Duration::from_secs(600));
    world.rows(0..9).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    world.read(None).await.unwrap();
    let never: Done = Box::new(|| panic!("it is never committed"));
    *world.store.never_closes.lock() = Some(WindowId(uuid::Uuid::from_u128(1)));
    world.gate.committer.close(closing(1), never);
    let tries = || world.gate.metrics().commits.with_label_values(&["not_sent"]).get();
    until(async || tries() > 0).await;
    world.gate.committer.views().found_older();
    let _closing = world.gate.windows.end(&Ended::Grant(GrantId(uuid::Uuid::from_u128(4))));
    // One may be under way.
    let before = tries();
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert!(tries() <= before + 1, "{} tries after {before}", tries());
    let open = world.store.state.lock().windows.values().all(|(_, closing)| closing.is_none());
    assert!(open, "nothing is written to it");
}
