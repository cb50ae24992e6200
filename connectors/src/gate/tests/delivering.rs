//! Deliver: what leaves, where a reader stands, windows and quotas.

use std::time::Duration;

use changtong_catalog::cursor::Cursor;
use changtong_catalog::error::Code;
use changtong_catalog::ids::{Generation, SubscriptionId};
use changtong_catalog::ports::CloseReason;
use changtong_catalog::request::GrantLimits;
use uuid::Uuid;

use super::directory::view;
use super::world::{SUBSCRIPTION, World, caller, code, consumer, lines, provider, until, whole};
use crate::gate::doubt::Age;
use crate::gate::{Frame, From, OwnRead};

#[tokio::test]
async fn granted_items_leave_and_the_digest_covers_the_lines() {
    let world = World::new();
    world.rows(0..50).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let answer = world.read(None).await.unwrap();
    assert_eq!(answer.records.len(), 50);
    for record in &answer.records {
        assert_eq!(record["record"].as_object().unwrap().keys().collect::<Vec<_>>(), ["id", "v"]);
        assert!(record["k"].is_string() && record["published_at"].is_string());
    }
    assert_eq!(answer.digest.as_deref(), Some(answer.received.as_str()));
    world.acknowledge(&answer).await.unwrap();
    let after = world.read(None).await.unwrap();
    assert_eq!((after.records.len(), after.window), (0, None), "nothing to send, no window");
    assert_eq!(world.store.state.lock().acks.len(), 1);
}

#[tokio::test]
async fn unacknowledged_records_come_again_to_every_reader() {
    let world = World::new();
    world.rows(0..9).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let first = world.read(None).await.unwrap();
    let again = world.read(None).await.unwrap();
    assert_eq!(first.records, again.records);
    let mut poll = world.poll(None);
    poll.caller = caller(2, 22, "another");
    let other = whole(world.gate.deliver(poll).await.unwrap()).await.unwrap();
    assert_eq!(other.records, first.records);
    assert_ne!(other.window, first.window, "a window belongs to one reader");
}

#[tokio::test]
async fn polls_that_follow_each_other_share_a_window() {
    let world = World::new();
    world.rows(0..30).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let (mut cursor, mut windows, mut ids) = (None, Vec::new(), Vec::new());
    for _ in 0..3 {
        let mut poll = world.poll(cursor.as_deref());
        poll.limit = Some(10);
        let answer = whole(world.gate.deliver(poll).await.unwrap()).await.unwrap();
        ids.extend(answer.ids().into_iter().map(str::to_owned));
        windows.push(answer.window.clone().unwrap());
        cursor = Some(answer.next);
    }
    windows.dedup();
    assert_eq!(windows.len(), 1);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 30);
    let skipped = world.read(None).await.unwrap();
    assert_ne!(skipped.window.as_ref(), windows.first(), "it starts elsewhere");
}

#[tokio::test]
async fn a_window_ends_by_its_time_and_says_what_left() {
    let world = World::with(|settings, _| settings.window = Duration::from_millis(40));
    world.rows(0..30).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let answer = world.read(None).await.unwrap();
    until(async || world.gate.windows.count() == 0).await;
    let state = world.store.state.lock();
    let closing = state.windows[&answer.window.unwrap().parse().unwrap()].1.clone().unwrap();
    assert_eq!((closing.reason, closing.sent, closing.passed_over), (CloseReason::Time, 30, 0));
    assert_eq!(closing.let_out.iter().sum::<i64>(), 30);
    assert_eq!(closing.digest, answer.received);
}

#[tokio::test]
async fn time_that_ran_out_ends_an_answer_in_order() {
    let world = World::new();
    world.rows(0..3000).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let mut delivery = world.gate.deliver(world.poll(None)).await.unwrap();
    let first = delivery.next_piece().await.unwrap().unwrap();
    world.clock.advance(Duration::from_secs(1));
    let last = delivery.next_piece().await.unwrap().unwrap();
    assert!(delivery.next_piece().await.is_none());
    let last: serde_json::Value = serde_json::from_slice(&last).unwrap();
    let left = String::from_utf8(first.to_vec()).unwrap().lines().count();
    assert!(left < 3000);
    let rest = world.read(last["next"].as_str()).await.unwrap();
    assert_eq!(rest.records.len() + left, 3000, "the next window goes on there");
}

#[tokio::test]
async fn a_window_that_ran_out_while_the_log_was_read_is_replaced() {
    let world = World::new();
    world.rows(0..10).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let mut poll = world.poll(None);
    poll.limit = Some(10);
    let first = whole(world.gate.deliver(poll.clone()).await.unwrap()).await.unwrap();
    world.rows(10..20).await.unwrap();
    let clock = world.clock.clone();
    *world.log.meanwhile.lock() = Some(Box::new(move || clock.advance(Duration::from_secs(1))));
    poll.cursor = Some(first.next);
    let second = whole(world.gate.deliver(poll).await.unwrap()).await.unwrap();
    assert_eq!(second.records.len(), 10, "an empty answer would say that nothing is there");
    assert_ne!(second.window, first.window);
}

#[tokio::test]
async fn a_reader_that_goes_closes_its_window() {
    let world = World::new();
    world.rows(0..3000).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let mut delivery = world.gate.deliver(world.poll(None)).await.unwrap();
    let first = delivery.next_piece().await.unwrap().unwrap();
    drop(delivery);
    until(async || world.gate.windows.count() == 0).await;
    let state = world.store.state.lock();
    let closing = state.windows.values().next().unwrap().1.clone().unwrap();
    let left = String::from_utf8(first.to_vec()).unwrap().lines().count();
    assert_eq!((closing.reason, closing.sent), (CloseReason::Reader, left as i64));
}

#[tokio::test]
async fn a_line_longer_than_a_write_leaves_in_several_and_counts_once() {
    let world = World::new();
    let long = "x".repeat(200_000);
    world.publish(&format!("{{\"id\":1,\"v\":\"{long}\"}}\n")).await.unwrap();
    world.rows(2..4).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let answer = world.read(None).await.unwrap();
    assert_eq!(answer.records.len(), 3);
    assert_eq!(answer.digest.as_deref(), Some(answer.received.as_str()));
    let rows = answer.records.iter().filter(|r| r["record"]["v"].as_str().unwrap().len() == 200_000);
    assert_eq!(rows.count(), 1);
}

#[tokio::test]
async fn a_poll_waits_for_the_first_publish_and_for_the_next() {
    let world = World::new();
    world.subscribe(SUBSCRIPTION);
    for rows in [0..3, 3..7] {
        let mut poll = world.poll(None);
        poll.wait = Duration::from_secs(60);
        let gate = world.gate.clone();
        let waiting = tokio::spawn(async move { whole(gate.deliver(poll).await?).await });
        until(async || world.gate.metrics.waiting_polls.get() > 0).await;
        let expected = rows.clone().count();
        world.rows(rows).await.unwrap();
        let answer = waiting.await.unwrap().unwrap();
        assert_eq!(answer.records.len(), expected);
        world.acknowledge(&answer).await.unwrap();
    }
}

#[tokio::test]
async fn cursors_are_held_to_subscription_seek_view_and_floor() {
    let world = World::new();
    world.rows(0..30).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let other = SubscriptionId(Uuid::from_u128(6));
    world.subscribe(other);
    let answer = world.read(None).await.unwrap();
    assert_eq!(code(world.read(Some("AAAA")).await), Code::CursorInvalid);
    let mut foreign = world.poll(Some(&answer.next));
    foreign.subscription = other;
    assert_eq!(code(world.gate.deliver(foreign).await.map(|_| ())), Code::CursorInvalid);

    // As `from`, any cursor of the grant is taken.
    let place = world.gate.seek(&consumer(), other, &From::Cursor(answer.next.clone())).await.unwrap();
    let mut moved = world.poll(Some(&place));
    moved.subscription = other;
    let nothing = whole(world.gate.deliver(moved).await.unwrap()).await.unwrap();
    assert_eq!(nothing.records.len(), 0);

    let start = world.gate.seek(&consumer(), SUBSCRIPTION, &From::Start).await.unwrap();
    assert_eq!(code(world.read(Some(&answer.next)).await), Code::CursorSuperseded);
    assert_eq!(code(world.acknowledge(&answer).await), Code::CursorSuperseded);
    assert_eq!(world.read(Some(&start)).await.unwrap().records.len(), 30);

    {
        let mut state = world.store.state.lock();
        let grant = state.grant.as_mut().unwrap();
        grant.items = vec!["id".to_owned()];
        grant.version += 1;
    }
    let refusal = world.read(Some(&start)).await.unwrap_err();
    assert_eq!(refusal.code, Code::ViewChanged);
    let anew = world.read(refusal.extra["next"].as_str()).await.unwrap();
    assert_eq!(anew.records.len(), 30);
    assert!(anew.records.iter().all(|record| record["record"].get("v").is_none()));
    assert_eq!(code(world.read(None).await), Code::ViewChanged, "the position is of the earlier view");
    world.acknowledge(&anew).await.unwrap();
    assert_eq!(world.read(None).await.unwrap().records.len(), 0);
}

#[tokio::test]
async fn a_floor_is_not_taken_from_who_led_before() {
    let floor = "1970-01-01T00:00:15Z".parse().unwrap();
    let world = World::with(|_, grant| grant.floor = Some(floor));
    world.rows(0..60).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let ends = world.log.ends(&world.topic());
    *world.log.parted.lock() = 10;
    // What it lacks cannot be read from it.
    world.read(None).await.unwrap();
    *world.log.parted.lock() = 0;
    let floors: Vec<Vec<i64>> = world.store.state.lock().floors.values().cloned().collect();
    let wanted: Vec<i64> = ends.iter().map(|end| 14.min(*end)).collect();
    assert_eq!(floors, [wanted], "it stays so, whoever leads");
}

#[tokio::test]
async fn nothing_before_the_floor_is_read() {
    // Record N of a partition is appended N + 1 seconds after 1970 by this log.
    let floor = "1970-01-01T00:00:03Z".parse().unwrap();
    let world = World::with(|_, grant| grant.floor = Some(floor));
    world.rows(0..60).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let answer = world.read(None).await.unwrap();
    assert_eq!(answer.records.len(), 60 - 3 * 2);
    let (view, next) = (view(&world.store.state.lock()), vec![1; 3]);
    let early = Cursor { subscription: SUBSCRIPTION, view, generation: Generation(1), seek_count: 0, next };
    let early = world.gate.encode(&early).unwrap();
    assert_eq!(code(world.read(Some(&early)).await), Code::BeforeHistory);
    let from = From::Cursor(early);
    assert_eq!(code(world.gate.seek(&consumer(), SUBSCRIPTION, &from).await), Code::BeforeHistory);
    let before = From::Time("1970-01-01T00:00:02Z".parse().unwrap());
    assert_eq!(code(world.gate.seek(&consumer(), SUBSCRIPTION, &before).await), Code::BeforeHistory);
    world
        .gate
        .seek(&consumer(), SUBSCRIPTION, &From::Time("1970-01-01T00:00:05Z".parse().unwrap()))
        .await
        .unwrap();
    assert_eq!(world.read(None).await.unwrap().records.len(), 60 - 3 * 4);
    world.gate.seek(&consumer(), SUBSCRIPTION, &From::End).await.unwrap();
    assert_eq!(world.read(None).await.unwrap().records.len(), 0);
}

#[tokio::test]
async fn what_left_retention_is_said_and_never_skipped_silently() {
    let world = World::new();
    world.rows(0..30).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    for partition in 0..3 {
        world.log.expire(&world.topic(), partition, 2);
    }
    let refusal = world.read(None).await.unwrap_err();
    assert_eq!(refusal.code, Code::PositionExpired);
    let rest = world.read(refusal.extra["next"].as_str()).await.unwrap();
    assert_eq!(rest.records.len(), 30 - 6);
}

#[tokio::test]
async fn who_is_ahead_of_others_is_not_believed_that_records_left_retention() {
    let world = World::new();
    world.rows(0..30).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    *world.log.ahead.lock() = 2;
    assert_eq!(code(world.read(None).await), Code::BrokerUnavailable, "others keep them");
    let mut stream = world.follow(None).await.unwrap();
    let Frame::End { refusal, .. } = stream.next().await.unwrap().unwrap() else { panic!("it goes on") };
    assert_eq!(refusal.code, Code::BrokerUnavailable);
    let resource = "3070220601/000001".parse().unwrap();
    let own = OwnRead { resource, cursor: None, limit: None, max_bytes: None, file: false, version: None };
    assert_eq!(code(world.gate.read_own(&provider(), own).await), Code::BrokerUnavailable);
    let start = world.gate.seek(&consumer(), SUBSCRIPTION, &From::Start).await.unwrap();
    assert_eq!(world.gate.decode(&start).unwrap().next, [0; 3], "no place is kept that is behind some");

    // Of one partition nobody keeps the first two.
    world.log.expire(&world.topic(), 0, 2);
    *world.log.ahead.lock() = 1;
    world.clock.advance(Duration::from_secs(4));
    let refusal = world.read(Some(&start)).await.unwrap_err();
    assert_eq!(refusal.code, Code::PositionExpired);
    let next = refusal.extra["next"].as_str().unwrap();
    assert_eq!(world.gate.decode(next).unwrap().next, [2, 0, 0]);
    *world.log.ahead.lock() = 0;
    assert_eq!(world.read(Some(next)).await.unwrap().records.len(), 28);
}

/// The log has few turns for that, and the settling job needs one.
#[tokio::test]
async fn however_many_are_told_of_a_loss_every_broker_is_asked_once() {
    let world = World::new();
    world.rows(0..30).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    *world.log.ahead.lock() = 2;
    world.log.hold_rounds.send_replace(true);
    let (rounds, reads) = (|| *world.log.rounds.lock(), *world.log.reads.lock());
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (gate, poll) = (world.gate.clone(), world.poll(None));
            tokio::spawn(async move { gate.deliver(poll).await.map(|_| ()) })
        })
        .collect();
    until(async || *world.log.reads.lock() - reads == readers.len()).await;
    readers[0].abort();
    until(async || rounds() > 0).await;
    // As long as it takes where one of them does not answer.
    world.clock.advance(Duration::from_secs(5));
    world.log.hold_rounds.send_replace(false);
    for reader in readers.into_iter().skip(1) {
        assert_eq!(code(reader.await.unwrap()), Code::BrokerUnavailable);
    }
    assert_eq!(rounds(), 1);
}

#[tokio::test]
async fn what_is_not_there_is_believed_of_answers_given_since_the_call() {
    let world = World::new();
    world.rows(0..30).await.unwrap();
    let lacks = async |offset| world.gate.lacks(&world.topic(), 0, offset).await.unwrap();
    let end = world.gate.widest(&world.topic(), Age::Recent).await.unwrap()[0].end;
    assert!(lacks(end).await);
    world.rows(30..60).await.unwrap();
    assert_eq!(world.gate.widest(&world.topic(), Age::Recent).await.unwrap()[0].end, end, "a moment old");
    assert!(!lacks(end).await, "it has come since");
}

#[tokio::test]
async fn a_rate_ends_an_answer_early_and_then_refuses_with_its_reset() {
    let limits = GrantLimits { records_per_second: Some(10), ..GrantLimits::default() };
    let world = World::with(|_, grant| grant.limits = limits);
    world.rows(0..30).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let first = world.read(None).await.unwrap();
    assert_eq!(first.records.len(), 10);
    let refusal = world.read(Some(&first.next)).await.unwrap_err();
    assert_eq!((refusal.code, refusal.extra["level"].as_str()), (Code::RateLimited, Some("grant")));
    world.clock.advance(refusal.retry_after.unwrap());
    assert_eq!(world.read(Some(&first.next)).await.unwrap().records.len(), 1);
}

#[tokio::test]
async fn one_purpose_is_meant_and_another_is_refused() {
    let world = World::new();
    world.publish(&lines(0..1)).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let mut poll = world.poll(None);
    poll.purpose = Some("other".to_owned());
    assert_eq!(code(world.gate.deliver(poll).await.map(|_| ())), Code::PurposeNotGranted);
    let mut poll = world.poll(None);
    poll.caller = caller(3, 31, "stranger");
    assert_eq!(code(world.gate.deliver(poll).await.map(|_| ())), Code::NotFound);
}
