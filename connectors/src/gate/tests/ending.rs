//! The end of a delivery (I2): nothing at or behind `last_left` arrives once the ending call has returned.

use std::time::Duration;

use changtong_catalog::error::Code;
use changtong_catalog::ids::GrantId;
use changtong_catalog::ports::{CloseReason, Ended};
use uuid::Uuid;

use super::store::StoreFault;
use super::world::{SUBSCRIPTION, World, code, until, whole};

const GRANT: Ended = Ended::Grant(GrantId(Uuid::from_u128(4)));

#[tokio::test]
async fn a_stream_is_reset_and_last_left_is_what_left() {
    let world = World::new();
    world.rows(0..3000).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let mut delivery = world.gate.deliver(world.poll(None)).await.unwrap();
    let mut left = Vec::new();
    for _ in 0..2 {
        left.extend_from_slice(&delivery.next_piece().await.unwrap().unwrap());
    }
    world.revoke_in_store();
    let last_left = world.gate.end(&GRANT).await.unwrap();
    let next = world.gate.decode(&last_left[&SUBSCRIPTION]).unwrap().next;
    let text = String::from_utf8(left).unwrap();
    let mut behind = vec![0_i64; 3];
    for line in text.lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        let mut id = record["id"].as_str().unwrap().split('.').skip(1).map(|n| n.parse::<i64>().unwrap());
        let (partition, offset) = (id.next().unwrap() as usize, id.next().unwrap());
        behind[partition] = behind[partition].max(offset + 1);
    }
    assert_eq!(next, behind);
    assert!(delivery.next_piece().await.unwrap().is_err(), "the connection is reset");
    assert!(delivery.next_piece().await.is_none());
    assert_eq!(code(world.read(None).await), Code::GrantRevoked);
    assert_eq!(world.gate.windows.count(), 0);
}

#[tokio::test]
async fn a_window_whose_opening_is_on_its_way_is_ended_too() {
    let world = World::new();
    world.rows(0..30).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let begun = *world.store.begun.borrow();
    world.store.hold.send_replace(true);
    let (gate, poll) = (world.gate.clone(), world.poll(None));
    let reading = tokio::spawn(async move { whole(gate.deliver(poll).await?).await });
    world.store.begun.subscribe().wait_for(|now| *now > begun).await.unwrap();
    // The opening stands before the store; in the fake it is decided when the hold ends, before the revoke.
    let gate = world.gate.clone();
    let ending = tokio::spawn(async move { gate.end(&GRANT).await });
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!ending.is_finished(), "it waits for the window that may have opened");
    world.store.hold.send_replace(false);
    let last_left = ending.await.unwrap().unwrap();
    reading.await.unwrap().unwrap_err();
    assert_eq!(world.gate.decode(&last_left[&SUBSCRIPTION]).unwrap().next, [0, 0, 0], "nothing left");
    let state = world.store.state.lock();
    let closing = state.windows.values().next().unwrap().1.clone().unwrap();
    assert_eq!((closing.reason, closing.sent), (CloseReason::Ended, 0));
}

#[tokio::test]
async fn waiting_polls_are_told() {
    let world = World::new();
    world.rows(0..3).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let answer = world.read(None).await.unwrap();
    let mut poll = world.poll(Some(&answer.next));
    poll.wait = Duration::from_secs(60);
    let gate = world.gate.clone();
    let waiting = tokio::spawn(async move { gate.deliver(poll).await.map(|_| ()) });
    until(async || world.gate.metrics.waiting_polls.get() > 0).await;
    world.revoke_in_store();
    let last_left = world.gate.end(&GRANT).await.unwrap();
    assert_eq!(last_left[&SUBSCRIPTION], answer.next);
    assert_eq!(code(waiting.await.unwrap()), Code::GrantRevoked);
}

#[tokio::test]
async fn closings_that_failed_are_repeated_before_the_end_returns() {
    let world = World::new();
    world.rows(0..3).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    world.read(None).await.unwrap();
    world.revoke_in_store();
    world.store.faults.lock().extend([StoreFault::NotSent, StoreFault::Unheard, StoreFault::Lost]);
    let last_left = world.gate.end(&GRANT).await.unwrap();
    assert_eq!(world.gate.decode(&last_left[&SUBSCRIPTION]).unwrap().next.iter().sum::<i64>(), 3);
}

#[tokio::test]
async fn what_rests_on_something_else_goes_on() {
    let world = World::new();
    world.rows(0..3000).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let mut delivery = world.gate.deliver(world.poll(None)).await.unwrap();
    delivery.next_piece().await.unwrap().unwrap();
    // The fake answers `last_left` only if no window is open, so the window lives on past this end.
    let ended = world.gate.windows.end(&Ended::Grant(GrantId(Uuid::from_u128(99))));
    assert!(ended.is_empty());
    let rest = whole(delivery).await.unwrap();
    assert!(rest.records.len() > 1000);
}

#[tokio::test]
async fn a_shutdown_lets_answers_end_and_closes_the_windows() {
    let world = World::new();
    world.rows(0..3000).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let delivery = world.gate.deliver(world.poll(None)).await.unwrap();
    let gate = world.gate.clone();
    let draining = tokio::spawn(async move { gate.drain(Duration::from_secs(10)).await });
    until(async || world.alive.admit().is_err()).await;
    assert_eq!(code(world.rows(0..1).await), Code::ShuttingDown);
    assert_eq!(whole(delivery).await.unwrap().records.len(), 3000);
    draining.await.unwrap();
    let state = world.store.state.lock();
    let closing = state.windows.values().next().unwrap().1.clone().unwrap();
    assert_eq!((closing.reason, closing.sent), (CloseReason::Shutdown, 3000));
}

#[tokio::test]
async fn a_window_left_open_counts_up_to_the_stable_end() {
    let world = World::new();
    world.rows(0..30).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let mut delivery = world.gate.deliver(world.poll(None)).await.unwrap();
    delivery.next_piece().await.unwrap().unwrap();
    std::mem::forget(delivery);
    let next = world.restart(2, None);
    next.gate.recover().await.unwrap();
    let last_left = next.gate.end(&GRANT).await.unwrap();
    assert_eq!(next.gate.decode(&last_left[&SUBSCRIPTION]).unwrap().next.iter().sum::<i64>(), 30);
    let state = next.store.state.lock();
    assert_eq!(state.windows.values().next().unwrap().1.as_ref().unwrap().reason, CloseReason::Unknown);
}

#[tokio::test]
async fn a_reader_that_goes_while_its_window_opens_holds_no_quota() {
    let world = World::with(|_, grant| grant.limits.records_per_day = Some(100));
    world.rows(0..30).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let begun = *world.store.begun.borrow();
    world.store.hold.send_replace(true);
    let (gate, poll) = (world.gate.clone(), world.poll(None));
    let reading = tokio::spawn(async move { gate.deliver(poll).await.map(|_| ()) });
    world.store.begun.subscribe().wait_for(|now| *now > begun).await.unwrap();
    reading.abort();
    let _ = reading.await;
    world.store.hold.send_replace(false);
    until(async || world.gate.windows.count() == 0).await;
    {
        let state = world.store.state.lock();
        let closing = state.windows.values().next().unwrap().1.clone().unwrap();
        assert_eq!((closing.reason, closing.sent), (CloseReason::Reader, 0));
    }
    assert_eq!(world.read(None).await.unwrap().records.len(), 30);
}

#[tokio::test]
async fn not_even_the_last_line_follows_an_end() {
    let world = World::new();
    world.rows(0..3).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let mut delivery = world.gate.deliver(world.poll(None)).await.unwrap();
    delivery.next_piece().await.unwrap().unwrap();
    world.revoke_in_store();
    world.gate.end(&GRANT).await.unwrap();
    assert!(delivery.next_piece().await.unwrap().is_err());
    assert!(delivery.next_piece().await.is_none());
}

#[tokio::test]
async fn who_asks_after_an_end_waits_for_its_closings_and_ends_nothing() {
    let world = World::with(|settings, _| settings.window = Duration::from_secs(600));
    world.rows(0..3).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    world.read(None).await.unwrap();
    world.revoke_in_store();
    let gate = world.gate.clone();
    let mut asking = Box::pin(gate.ended(&GRANT));
    // The fake answers `last_left` only if no window is open.
    assert!(futures::poll!(&mut asking).is_pending());
    assert_eq!(world.gate.windows.count(), 1, "it stands");
    let last_left = world.gate.end(&GRANT).await.unwrap();
    assert_eq!(asking.await.unwrap(), last_left);
}
