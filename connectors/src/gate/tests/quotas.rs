//! Quotas of a day: calls and records, however many windows are open at once.

use std::time::Duration;

use changtong_catalog::api_key::Fallen;
use changtong_catalog::error::Code;
use changtong_catalog::ids::{GrantId, KeyId, SubscriptionId};
use changtong_catalog::ports::Ended;
use changtong_catalog::request::GrantLimits;
use uuid::Uuid;

use super::store::StoreFault;
use super::world::{Answer, SUBSCRIPTION, World, caller, code, consumer, until, whole};
use crate::gate::{Acknowledge, Poll};

const GRANT: GrantId = GrantId(Uuid::from_u128(4));

/// One record, by the consumer's first key or its second.
fn one(world: &World, cursor: Option<&str>, second: bool) -> Poll {
    let caller = if second { caller(2, 22, "another") } else { consumer() };
    Poll { caller, limit: Some(1), ..world.poll(cursor) }
}

async fn read(world: &World, poll: Poll) -> Result<Answer, changtong_catalog::error::Refusal> {
    whole(world.gate.deliver(poll).await?).await
}

#[tokio::test]
async fn a_quota_that_others_hold_is_waited_for_and_then_used_up() {
    let limits = GrantLimits { records_per_day: Some(25), ..GrantLimits::default() };
    let world = World::with(|settings, grant| {
        grant.limits = limits;
        settings.window = Duration::from_millis(60);
    });
    world.rows(0..20).await.unwrap();
    world.subscribe(SUBSCRIPTION);
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
    let world = World::with(|_, grant| grant.limits.calls_per_day = Some(3));
    world.subscribe(SUBSCRIPTION);
    world.rows(0..9).await.unwrap();
    let mut next = None;
    for _ in 0..3 {
        let poll = Poll { limit: Some(1), ..world.poll(next.as_deref()) };
        next = Some(whole(world.gate.deliver(poll).await.unwrap()).await.unwrap().next);
    }
    assert_eq!(code(world.read(next.as_deref()).await), Code::QuotaExceeded);
}

#[tokio::test]
async fn calls_that_go_on_with_several_windows_stay_within_the_day() {
    let world = World::with(|_, grant| grant.limits.calls_per_day = Some(5));
    world.subscribe(SUBSCRIPTION);
    world.rows(0..20).await.unwrap();
    let mut next = [None, None];
    for turn in [0, 1, 0, 1, 0] {
        let answer = read(&world, one(&world, next[turn].as_deref(), turn == 1)).await.unwrap();
        next[turn] = Some(answer.next);
    }
    for turn in [0, 1] {
        let refusal = read(&world, one(&world, next[turn].as_deref(), turn == 1)).await.unwrap_err();
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
    let world = World::with(|settings, grant| {
        settings.window = Duration::from_secs(60);
        grant.limits.calls_per_day = Some(3);
    });
    world.subscribe(SUBSCRIPTION);
    world.rows(0..20).await.unwrap();
    let first = read(&world, one(&world, None, false)).await.unwrap();
    let begun = *world.store.begun.borrow();
    world.store.hold.send_replace(true);
    let (gate, poll) = (world.gate.clone(), one(&world, None, true));
    let reading = tokio::spawn(async move { whole(gate.deliver(poll).await?).await });
    world.store.begun.subscribe().wait_for(|now| *now > begun).await.unwrap();
    let _closing = world.gate.windows.end(&Ended::Key(KeyId("another".to_owned())));
    world.store.hold.send_replace(false);
    reading.await.unwrap().unwrap_err();
    let third = read(&world, one(&world, Some(&first.next), false)).await.unwrap();
    assert_eq!(code(read(&world, one(&world, Some(&third.next), false)).await), Code::QuotaExceeded);
    world.gate.drain(Duration::from_secs(5)).await;
    assert_eq!(world.store.state.lock().calls_used, 3);
}

#[tokio::test]
async fn a_call_whose_asker_left_while_the_store_refused_it_counts_for_nothing() {
    let world = World::with(|settings, grant| {
        settings.window = Duration::from_secs(60);
        grant.limits.calls_per_day = Some(3);
    });
    world.subscribe(SUBSCRIPTION);
    world.rows(0..20).await.unwrap();
    let first = read(&world, one(&world, None, false)).await.unwrap();
    let begun = *world.store.begun.borrow();
    world.store.hold.send_replace(true);
    world.store.faults.lock().push_back(StoreFault::NotSent);
    let (gate, poll) = (world.gate.clone(), one(&world, None, true));
    let leaving = tokio::spawn(async move { gate.deliver(poll).await.map(drop) });
    world.store.begun.subscribe().wait_for(|now| *now > begun).await.unwrap();
    leaving.abort();
    let _ = leaving.await;
    world.store.hold.send_replace(false);
    until(async || world.gate.windows.count() == 1).await;
    let second = read(&world, one(&world, Some(&first.next), false)).await.unwrap();
    let third = read(&world, one(&world, Some(&second.next), false)).await.unwrap();
    assert_eq!(code(read(&world, one(&world, Some(&third.next), false)).await), Code::QuotaExceeded);
}

#[tokio::test]
async fn who_waits_for_quota_is_told_when_a_window_that_nobody_heard_of_is_closed() {
    let world = World::with(|settings, grant| {
        settings.window = Duration::from_secs(600);
        grant.limits.records_per_day = Some(20);
    });
    world.subscribe(SUBSCRIPTION);
    world.rows(0..20).await.unwrap();
    let begun = *world.store.begun.borrow();
    world.store.hold.send_replace(true);
    world.store.faults.lock().push_back(StoreFault::Unheard);
    let polls = [false, true].map(|second| one(&world, None, second));
    let mut reading = Vec::new();
    for poll in polls {
        let gate = world.gate.clone();
        reading.push(tokio::spawn(async move { whole(gate.deliver(poll).await?).await }));
        let on_their_way = reading.len() as i64;
        until(async || world.gate.metrics().commit_queue.get() == on_their_way).await;
    }
    world.store.begun.subscribe().wait_for(|now| *now > begun).await.unwrap();
    // Its window holds all of the day; the other asks right behind it, and waits for the close.
    world.store.hold.send_replace(false);
    let [unheard, waiting] = reading.try_into().ok().unwrap();
    assert_eq!(code(unheard.await.unwrap()), Code::OutcomeUnknown);
    let waited = tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("nobody told it");
    assert_eq!(waited.unwrap().unwrap().records.len(), 1);
}

#[tokio::test]
async fn who_waits_for_quota_under_a_key_that_is_revoked_is_told_at_once() {
    let world = World::with(|settings, grant| {
        settings.window = Duration::from_secs(600);
        grant.limits.records_per_day = Some(20);
    });
    world.subscribe(SUBSCRIPTION);
    world.rows(0..20).await.unwrap();
    read(&world, one(&world, None, false)).await.unwrap();
    let (gate, poll) = (world.gate.clone(), one(&world, None, true));
    let waiting = tokio::spawn(async move { gate.deliver(poll).await.map(drop) });
    until(async || world.gate.windows.turns().waiting(GRANT) == 1).await;
    let key = KeyId("another".to_owned());
    world.store.state.lock().ended_keys.insert(key.clone(), Fallen::Revoked);
    world.gate.windows.end(&Ended::Key(key));
    let told = tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("nobody told it");
    assert_eq!(code(told.unwrap()), Code::Unauthenticated);
}

#[tokio::test]
async fn a_window_that_came_late_is_replaced_at_no_cost() {
    let world = World::with(|_, grant| {
        grant.limits =
            GrantLimits { calls_per_day: Some(1), records_per_second: Some(10), ..GrantLimits::default() };
    });
    world.subscribe(SUBSCRIPTION);
    world.rows(0..10).await.unwrap();
    let begun = *world.store.begun.borrow();
    world.store.hold.send_replace(true);
    let (gate, poll) = (world.gate.clone(), world.poll(None));
    let reading = tokio::spawn(async move { whole(gate.deliver(poll).await?).await });
    world.store.begun.subscribe().wait_for(|now| *now > begun).await.unwrap();
    world.clock.advance(Duration::from_millis(1500));
    world.store.hold.send_replace(false);
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
    let world = World::with(|settings, grant| {
        grant.limits.records_per_day = Some(100);
        settings.window = Duration::from_millis(700);
    });
    world.subscribe(SUBSCRIPTION);
    world.rows(0..20).await.unwrap();
    read(&world, one(&world, None, false)).await.unwrap();
    // The window holds all of the day. The second key waits for its close, and the first must wait behind it.
    let waits = [true, false].map(|second| (world.gate.clone(), one(&world, None, second)));
    let mut reading = Vec::new();
    for (at, (gate, poll)) in waits.into_iter().enumerate() {
        reading.push(tokio::spawn(async move { whole(gate.deliver(poll).await?).await }));
        until(async || world.gate.windows.turns().waiting(GRANT) == at as i64 + 1).await;
    }
    for reading in reading {
        assert_eq!(reading.await.unwrap().unwrap().records.len(), 1);
    }
    let state = world.store.state.lock();
    let of = |key: &str| {
        let mine = state.windows.values().filter(|(opening, _)| opening.caller.key.0 == key);
        mine.map(|(opening, _)| opening.most).collect::<Vec<_>>()
    };
    assert_eq!(of("another"), [49], "half of the 99 that are left, as two wait");
    let mut first = of("consumer");
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
    let others = read(&world, Poll { subscription: other, ..world.poll(None) }).await.unwrap();
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
