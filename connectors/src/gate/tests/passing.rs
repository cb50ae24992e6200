//! What is passed over: no window opens for it, no call counts, and a poll goes on waiting (protocol.md 6).

use std::time::Duration;

use changtong_catalog::error::Code;

use super::world::{SUBSCRIPTION, World, code, until, whole};

/// A grant whose filter passes the ids from here on.
fn from_100() -> World {
    World::with(|_, grant| grant.provider_filter = Some("id >= 100".to_owned()))
}

#[tokio::test]
async fn a_filter_passes_over_and_next_moves_on() {
    let world = World::with(|_, grant| {
        grant.provider_filter = Some("id >= 20".to_owned());
    });
    world.rows(0..30).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let answer = world.read(None).await.unwrap();
    assert_eq!(answer.records.len(), 10);
    let after = world.read(Some(&answer.next)).await.unwrap();
    assert_eq!((after.records.len(), after.window), (0, None));
}

#[tokio::test]
async fn where_nothing_is_to_be_sent_no_window_opens_and_no_call_counts() {
    let world = from_100();
    world.subscribe(SUBSCRIPTION);
    world.rows(0..30).await.unwrap();
    let nothing = world.read(None).await.unwrap();
    assert_eq!((nothing.records.len(), nothing.window), (0, None));
    assert_eq!(world.gate.decode(&nothing.next).unwrap().next.iter().sum::<i64>(), 30, "it is behind them");
    let reads = *world.log.reads.lock();
    world.read(Some(&nothing.next)).await.unwrap();
    assert_eq!(*world.log.reads.lock(), reads, "they are not read again");
    let state = world.store.state.lock();
    assert_eq!((state.windows.len(), state.calls_used), (0, 0));
}

#[tokio::test]
async fn a_poll_goes_on_waiting_behind_what_it_passes_over() {
    let world = from_100();
    world.subscribe(SUBSCRIPTION);
    world.rows(0..10).await.unwrap();
    let mut poll = world.poll(None);
    poll.wait = Duration::from_secs(60);
    let gate = world.gate.clone();
    let waiting = tokio::spawn(async move { whole(gate.deliver(poll).await?).await });
    until(async || world.gate.metrics.waiting_polls.get() > 0).await;
    world.rows(10..20).await.unwrap();
    until(async || world.gate.metrics.passed_over_records.get() == 20).await;
    world.rows(100..103).await.unwrap();
    let answer = waiting.await.unwrap().unwrap();
    assert_eq!(answer.records.len(), 3);
    world.gate.drain(Duration::from_secs(5)).await;
    let state = world.store.state.lock();
    assert_eq!((state.windows.len(), state.calls_used), (1, 1));
    let (opening, closing) = state.windows.values().next().unwrap();
    let closing = closing.as_ref().unwrap();
    assert_eq!(opening.from.iter().sum::<i64>(), 20, "the window begins behind what was passed over");
    assert_eq!((closing.sent, closing.passed_over), (3, 0));
}

#[tokio::test]
async fn what_lies_between_lines_counts_in_their_window() {
    let world = from_100();
    world.subscribe(SUBSCRIPTION);
    world.rows(90..110).await.unwrap();
    assert_eq!(world.read(None).await.unwrap().records.len(), 10);
    world.gate.drain(Duration::from_secs(5)).await;
    let state = world.store.state.lock();
    let closing = state.windows.values().next().unwrap().1.clone().unwrap();
    assert_eq!((closing.sent, closing.passed_over), (10, 10));
}

#[tokio::test]
async fn a_wait_ends_with_the_grant() {
    let world = World::new();
    world.subscribe(SUBSCRIPTION);
    world.rows(0..3).await.unwrap();
    let answer = world.read(None).await.unwrap();
    let end = "2027-01-01T00:00:00Z".parse::<changtong_catalog::clock::Time>().unwrap();
    let left = end - changtong_catalog::clock::Clock::now(&*world.clock);
    world.clock.advance(left.to_std().unwrap() - Duration::from_millis(50));
    world.alive.extend(Duration::from_secs(100_000_000));
    let mut poll = world.poll(Some(&answer.next));
    poll.wait = Duration::from_secs(60);
    let gate = world.gate.clone();
    let waiting = tokio::spawn(async move { gate.deliver(poll).await.map(|_| ()) });
    until(async || world.gate.metrics.waiting_polls.get() > 0).await;
    world.clock.advance(Duration::from_millis(50));
    assert_eq!(code(waiting.await.unwrap()), Code::GrantExpired);
}

#[tokio::test]
async fn what_cannot_be_read_behind_what_was_passed_over_is_said_and_not_tried_for_ever() {
    let world = from_100();
    world.subscribe(SUBSCRIPTION);
    world.rows(0..30).await.unwrap();
    let partition = (0..3).find(|at| world.log.ends(&world.topic())[*at] > 1).unwrap();
    let last = world.log.ends(&world.topic())[partition] as usize - 1;
    world.log.scramble(&world.topic(), partition, last);
    let mut poll = world.poll(None);
    poll.wait = Duration::from_secs(600);
    let reads = *world.log.reads.lock();
    assert_eq!(code(world.gate.deliver(poll).await.map(drop)), Code::Internal);
    assert!(*world.log.reads.lock() - reads < 9, "{} reads", *world.log.reads.lock() - reads);
}

#[tokio::test]
async fn who_reads_the_same_again_and_again_opens_few_windows() {
    let world = World::new();
    world.subscribe(SUBSCRIPTION);
    world.rows(0..30).await.unwrap();
    let began = std::time::Instant::now();
    for _ in 0..10 {
        assert_eq!(world.read(None).await.unwrap().records.len(), 30);
    }
    // Eight at once, then one in each W.
    let most = 8 + began.elapsed().as_nanos().div_ceil(world.gate.settings.window.as_nanos());
    let opened = world.store.state.lock().windows.len();
    assert!(opened as u128 <= most, "{opened} windows opened, at most {most}");
    assert!(opened < 10 || began.elapsed() >= world.gate.settings.window, "{opened} at once");
}
