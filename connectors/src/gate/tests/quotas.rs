//! Quotas of a day: calls and records, however many windows are open at once.

use std::time::{Duration, Instant};

use changtong_catalog::api_key::Fallen;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::SubscriptionId;
use changtong_catalog::ports::Ended;
use uuid::Uuid;

use super::readers::{FIRST, GRANT, Quotas, SECOND, THIRD, key, told};
use super::store::StoreFault;
use super::world::{SUBSCRIPTION, World, code, consumer, until, whole};
use crate::gate::{Acknowledge, Poll};

const MINUTE: Duration = Duration::from_secs(60);
/// Longer than any test.
const LONG: Duration = Duration::from_secs(600);
/// What a close may take to be committed.
const COMMIT: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_quota_that_others_hold_is_waited_for_and_then_used_up() {
    let world = Quotas::default().records(25).windows_of(Duration::from_millis(60)).world(20).await;
    let first = world.read(None).await.unwrap();
    assert_eq!(first.records.len(), 20, "its window holds all 25");
    let second = world.read(None).await.unwrap();
    assert_eq!(second.records.len(), 5, "it waited for the close, then took what was left");
    until(async || world.gate.windows.count() == 0).await;
    let refusal = world.read(None).await.unwrap_err();
    assert_eq!(refusal.code, Code::QuotaExceeded);
    assert_eq!(refusal.extra["limit"], "records_per_day");
}

#[tokio::test]
async fn calls_that_go_on_with_a_window_count_like_those_that_open_one() {
    let world = Quotas::default().calls(3).world(9).await;
    let mut next = None;
    for _ in 0..3 {
        next = Some(world.one(FIRST, next.as_deref()).await.unwrap().next);
    }
    assert_eq!(code(world.read(next.as_deref()).await), Code::QuotaExceeded);
}

#[tokio::test]
async fn calls_that_go_on_with_several_windows_stay_within_the_day() {
    let world = Quotas::default().calls(5).world(20).await;
    let (mut next, keys) = ([None, None], [FIRST, SECOND]);
    for turn in [0, 1, 0, 1, 0] {
        next[turn] = Some(world.one(keys[turn], next[turn].as_deref()).await.unwrap().next);
    }
    for turn in [0, 1] {
        let refusal = world.one(keys[turn], next[turn].as_deref()).await.unwrap_err();
        assert_eq!((refusal.code, &refusal.extra["limit"]), (Code::QuotaExceeded, &"calls_per_day".into()));
        assert_eq!(refusal.extra["used"], 5);
        assert!(refusal.retry_after.is_some());
    }
    assert_eq!(code(world.read(None).await), Code::QuotaExceeded, "nor does another window open");
    world.gate.drain(Duration::from_secs(5)).await;
    let state = world.store.state.lock();
    assert_eq!((state.windows.len(), state.calls_used), (2, 5));
}

#[tokio::test]
async fn a_call_whose_window_is_ended_in_its_commit_counts_as_the_store_counted_it() {
    let world = Quotas::default().calls(3).windows_of(MINUTE).world(20).await;
    let first = world.one(FIRST, None).await.unwrap();
    let stopped = world.stop(None);
    let reading = world.one_beside(SECOND);
    stopped.is_reached().await;
    let _closing = world.gate.windows.end(&Ended::Key(key(SECOND)));
    stopped.let_go();
    reading.await.unwrap().unwrap_err();
    let third = world.one(FIRST, Some(&first.next)).await.unwrap();
    assert_eq!(code(world.one(FIRST, Some(&third.next)).await), Code::QuotaExceeded);
    world.gate.drain(Duration::from_secs(5)).await;
    assert_eq!(world.store.state.lock().calls_used, 3);
}

#[tokio::test]
async fn a_call_whose_asker_left_while_the_store_refused_it_counts_for_nothing() {
    let world = Quotas::default().calls(3).windows_of(MINUTE).world(20).await;
    let first = world.one(FIRST, None).await.unwrap();
    let stopped = world.stop(Some(StoreFault::NotSent));
    let leaving = world.one_beside(SECOND);
    stopped.is_reached().await;
    leaving.abort();
    let _ = leaving.await;
    stopped.let_go();
    until(async || world.gate.windows.count() == 1).await;
    let second = world.one(FIRST, Some(&first.next)).await.unwrap();
    let third = world.one(FIRST, Some(&second.next)).await.unwrap();
    assert_eq!(code(world.one(FIRST, Some(&third.next)).await), Code::QuotaExceeded);
}

#[tokio::test]
async fn who_waits_for_quota_is_told_when_a_window_that_nobody_heard_of_is_closed() {
    let world = Quotas::default().records(20).windows_of(LONG).world(20).await;
    let stopped = world.stop(Some(StoreFault::Unheard));
    let mut reading = Vec::new();
    for by in [FIRST, SECOND] {
        reading.push(world.one_beside(by));
        let on_their_way = reading.len() as i64;
        until(async || world.gate.metrics().commit_queue.get() == on_their_way).await;
    }
    stopped.is_reached().await;
    // Its window holds all of the day; the other asks right behind it, and waits for the close.
    stopped.let_go();
    let [unheard, waiting] = reading.try_into().ok().unwrap();
    assert_eq!(code(unheard.await.unwrap()), Code::OutcomeUnknown);
    assert_eq!(told(waiting).await.unwrap().records.len(), 1);
}

#[tokio::test]
async fn who_waits_for_quota_under_a_key_that_is_revoked_is_told_at_once() {
    let world = all_held().await;
    let waiting = world.one_that_waits(SECOND, 1).await;
    world.store.state.lock().ended_keys.insert(key(SECOND), Fallen::Revoked);
    world.gate.windows.end(&Ended::Key(key(SECOND)));
    assert_eq!(reason(told(waiting).await.unwrap_err()), "key_revoked");
}

#[tokio::test]
async fn who_waits_for_quota_under_a_key_that_runs_out_is_told_within_a_second_in_whichever_place() {
    let world = all_held().await;
    let next = world.one_that_waits(SECOND, 1).await;
    let behind = world.one_that_waits(THIRD, 2).await;
    world.store.state.lock().ended_keys.insert(key(THIRD), Fallen::Expired);
    world.gate.tick().await.unwrap();
    assert_eq!(reason(told(behind).await.unwrap_err()), "key_expired");
    assert_eq!(world.gate.windows.turns().waiting(GRANT), 1, "the other goes on waiting");
    world.store.state.lock().ended_keys.insert(key(SECOND), Fallen::Expired);
    world.gate.tick().await.unwrap();
    assert_eq!(reason(told(next).await.unwrap_err()), "key_expired");
}

#[tokio::test]
async fn however_many_wait_for_quota_none_waits_for_more_than_a_windows_close() {
    const READERS: usize = 8;
    let window = Duration::from_millis(200);
    let world = Quotas::default().records(20).windows_of(window).world(20).await;
    // By a window whose close never comes.
    world.store.state.lock().records_reserved = 20;
    let readers = (0..READERS).map(|number| {
        let reading = world.one_beside(&format!("reader{number}"));
        async { (told(reading).await.unwrap_err(), Instant::now()) }
    });
    let mut told = Vec::new();
    for (refusal, at) in futures::future::join_all(readers).await {
        assert_eq!((refusal.code, &refusal.extra["used"]), (Code::QuotaExceeded, &0.into()));
        assert_eq!(refusal.retry_after, Some(window), "what is held may come back");
        told.push(at);
    }
    told.sort_unstable();
    // Of those that waited one after the other no two would be told within such a time.
    let together = told.windows(2).filter(|two| two[1] - two[0] < window + COMMIT).count();
    assert!(together >= READERS / 2, "{told:?}");
}

#[tokio::test]
async fn who_waits_for_quota_asks_no_longer_however_often_another_comes_first() {
    let window = Duration::from_millis(200);
    let world = Quotas::default().records(20).windows_of(window).world(20).await;
    // A window closes while each opening is refused, and another has taken what came back.
    let gate = world.gate.clone();
    {
        let mut state = world.store.state.lock();
        state.records_reserved = 20;
        state.refusing = Some(Box::new(move || gate.windows.turns().closed(GRANT)));
    }
    let refusal = told(world.one_beside(FIRST)).await.unwrap_err();
    assert_eq!((refusal.code, refusal.retry_after), (Code::QuotaExceeded, Some(window)));
    world.store.state.lock().refusing = None;
}

/// One window holds all of the day.
async fn all_held() -> World {
    let world = Quotas::default().records(20).windows_of(LONG).world(20).await;
    world.one(FIRST, None).await.unwrap();
    world
}

fn reason(refusal: Refusal) -> String {
    assert_eq!(refusal.code, Code::Unauthenticated);
    refusal.extra["reason"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_window_that_came_late_is_replaced_at_no_cost() {
    let world = Quotas::default().calls(1).records_a_second(10).world(10).await;
    let stopped = world.stop(None);
    let (gate, poll) = (world.gate.clone(), world.poll(None));
    let reading = tokio::spawn(async move { whole(gate.deliver(poll).await?).await });
    stopped.is_reached().await;
    world.clock.advance(Duration::from_millis(1500));
    stopped.let_go();
    assert_eq!(reading.await.unwrap().unwrap().records.len(), 10);
    world.gate.drain(Duration::from_secs(5)).await;
    let state = world.store.state.lock();
    assert_eq!((state.windows.len(), state.calls_used), (2, 1));
    let sent = state.windows.values().map(|(_, closing)| closing.as_ref().unwrap().sent);
    assert_eq!(sent.sum::<i64>(), 10);
    let left = world.gate.left(&consumer(), state.grant.as_ref());
    let records = left.iter().find(|left| left.level == "grant" && left.limit == "records_per_second");
    assert_eq!(records.unwrap().left, 10, "what was paid before the time passed is there again");
}

#[tokio::test]
async fn who_waits_for_quota_comes_before_who_goes_on() {
    let world = Quotas::default().records(100).windows_of(Duration::from_millis(700)).world(20).await;
    world.one(FIRST, None).await.unwrap();
    // The window holds all of the day. The second key waits for its close, and the first must wait behind it.
    let second = world.one_that_waits(SECOND, 1).await;
    let first = world.one_that_waits(FIRST, 2).await;
    for reading in [second, first] {
        assert_eq!(told(reading).await.unwrap().records.len(), 1);
    }
    let state = world.store.state.lock();
    let of = |key: &str| {
        let mine = state.windows.values().filter(|(opening, _)| opening.caller.key.0 == key);
        mine.map(|(opening, _)| opening.most).collect::<Vec<_>>()
    };
    assert_eq!(of(SECOND), [49], "half of the 99 that are left, as two wait");
    let mut first = of(FIRST);
    first.sort_unstable();
    assert_eq!(first, [50, 100], "and the other half");
}

#[tokio::test]
async fn an_acknowledgement_quotes_a_window_of_its_subscription() {
    let world = World::with(|settings, _| settings.window = Duration::from_millis(40));
    let other = SubscriptionId(Uuid::from_u128(6));
    world.subscribe(SUBSCRIPTION);
    world.subscribe(other);
    world.rows(0..5).await.unwrap();
    let mine = world.read(None).await.unwrap();
    let others = Poll { subscription: other, ..world.poll(None) };
    let others = whole(world.gate.deliver(others).await.unwrap()).await.unwrap();
    until(async || world.gate.windows.count() == 0).await;
    let quoted = |window: &str| Acknowledge {
        caller: consumer(),
        subscription: SUBSCRIPTION,
        next: mine.next.clone(),
        window: Some(window.parse().unwrap()),
        digest: mine.digest.clone(),
    };
    for foreign in [others.window.as_deref().unwrap(), "01890000-0000-7000-8000-000000000000"] {
        let refusal = world.gate.acknowledge(quoted(foreign)).await.unwrap_err();
        assert_eq!((refusal.code, &refusal.extra["path"]), (Code::Invalid, &"window".into()));
    }
    assert_eq!(world.store.state.lock().acks.len(), 0);
    world.gate.acknowledge(quoted(mine.window.as_deref().unwrap())).await.unwrap();
    assert_eq!(world.store.state.lock().acks.len(), 1);
}
