//! Publish: what becomes visible, what is answered twice, what is set aside.

use std::time::Duration;

use changtong_catalog::error::Code;
use changtong_catalog::ids::{ResourceNumber, TopicName};
use changtong_catalog::ports::SourceStep;
use changtong_catalog::resource::ResourceState;

use super::world::{World, aside, caller, code, consumer, lines, provider, until};
use crate::gate::{Format, OnInvalid, OwnRead};

#[tokio::test]
async fn a_batch_counts_whole_and_its_receipt_names_its_runs() {
    let world = World::new();
    let receipt = world.rows(0..20).await.unwrap();
    assert_eq!((receipt.accepted, receipt.quarantined, receipt.replayed), (20, 0, false));
    let named: i64 = receipt.runs.iter().map(|run| run.last - run.first + 1).sum();
    assert_eq!(named, 20);
    let seen: i64 = world.store.state.lock().views.values().flatten().map(|view| view.stable_end()).sum();
    assert_eq!(seen, 20);
}

#[tokio::test]
async fn who_may_not_publish_learns_no_more_than_it_may_know() {
    let world = World::new();
    let refused = |state, caller| {
        world.store.state.lock().resource.as_mut().unwrap().resource.state = state;
        let mut ask = world.ask(&lines(0..1));
        ask.caller = caller;
        world.gate.publish(ask)
    };
    assert_eq!(code(refused(ResourceState::Draft, consumer()).await), Code::NotFound);
    assert_eq!(code(refused(ResourceState::Published, consumer()).await), Code::Forbidden);
    assert_eq!(code(refused(ResourceState::Suspended, provider()).await), Code::ResourceSuspended);
    assert_eq!(code(refused(ResourceState::Retired, provider()).await), Code::ResourceRetired);
    assert_eq!(*world.log.appends.lock(), 0);
}

#[tokio::test]
async fn one_key_publishes_once() {
    let world = World::new();
    let ask = |body: &str, key: &str| {
        let mut ask = world.ask(body);
        ask.idempotency_key = Some(key.to_owned());
        world.gate.publish(ask)
    };
    let first = ask(&lines(0..5), "k1").await.unwrap();
    let again = ask(&lines(0..5), "k1").await.unwrap();
    assert!(again.replayed);
    assert_eq!((again.batch, again.runs), (first.batch, first.runs));
    assert_eq!(code(ask(&lines(0..6), "k1").await), Code::IdempotencyKeyReused);
    assert_eq!(code(ask(&lines(0..5), "bad key").await), Code::BadHeader);
    ask(&lines(0..5), "k2").await.unwrap();
    assert_eq!(world.log.ends(&world.topic()).iter().sum::<i64>(), 10);
}

#[tokio::test]
async fn while_the_first_runs_its_key_is_taken_and_no_longer() {
    let world = World::new();
    world.rows(0..1).await.unwrap();
    world.log.hold.send_replace(true);
    let mut ask = world.ask(&lines(0..5));
    ask.idempotency_key = Some("k".to_owned());
    let gate = world.gate.clone();
    let first = tokio::spawn(async move { gate.publish(ask).await });
    until(async || *world.log.appends.lock() >= 2).await;
    let second = || {
        let mut ask = world.ask(&lines(0..5));
        ask.idempotency_key = Some("k".to_owned());
        world.gate.publish(ask)
    };
    let told = tokio::time::timeout(Duration::from_secs(30), second()).await.expect("told at once");
    assert_eq!(code(told), Code::IdempotencyInProgress);
    world.log.hold.send_replace(false);
    let first = first.await.unwrap().unwrap();
    assert_eq!(second().await.unwrap().batch, first.batch);
}

#[tokio::test]
async fn a_source_goes_on_where_the_store_says() {
    let world = World::new();
    let step = |from: &str, to: &str| {
        let mut ask = world.ask(&lines(0..2));
        ask.source = Some(SourceStep { connector: "in".into(), from: from.into(), to: to.into() });
        world.gate.publish(ask)
    };
    step("-", "a:1").await.unwrap();
    let refusal = step("-", "a:1").await.unwrap_err();
    assert_eq!(refusal.code, Code::SourcePosition);
    assert_eq!(refusal.extra["position"], "a:1");
    step("a:1", "a:2").await.unwrap();
    assert_eq!(code(step("a:2", "with space").await), Code::BadHeader);
    for from in ["a:1", "a:2"] {
        let mut ask = world.ask(&lines(0..1));
        ask.caller = caller(1, 12, "another of the provider");
        ask.source = Some(SourceStep { connector: "in".into(), from: from.into(), to: "b".into() });
        let refusal = world.gate.publish(ask).await.unwrap_err();
        assert_eq!((refusal.code, refusal.extra.contains_key("position")), (Code::SourceForeign, false));
    }
    assert_eq!(world.store.state.lock().sources["in"], "a:2");
}

#[tokio::test]
async fn bad_records_refuse_the_batch_or_are_set_aside_and_published_again() {
    let world = World::new();
    let body = "{\"id\":1,\"v\":\"a\"}\n{\"id\":\"x\"}\n{\"id\":3,\"extra\":1}\n";
    let refusal = world.publish(body).await.unwrap_err();
    assert_eq!(refusal.code, Code::RecordsInvalid);
    assert_eq!(refusal.extra["invalid_total"], 2);
    assert_eq!(refusal.extra["invalid"][0]["index"], 1);
    assert_eq!(refusal.extra["invalid"][0]["path"], "id");
    assert_eq!(*world.log.appends.lock(), 0, "nothing is appended before all is judged");

    let mut ask = world.ask(body);
    ask.on_invalid = OnInvalid::Quarantine;
    let receipt = world.gate.publish(ask).await.unwrap();
    assert_eq!((receipt.accepted, receipt.quarantined), (1, 2));
    let row = world.store.state.lock().set_aside[0].clone();
    assert_eq!((row.path.as_str(), row.code), ("id", Code::RecordsInvalid));
    let original = world.gate.original(&provider(), &aside(row.id, row.offset)).await.unwrap();
    assert_eq!((original.format, &original.bytes[..]), (Format::Ndjson, &b"{\"id\":\"x\"}"[..]));
    assert_eq!(code(world.gate.original(&consumer(), &aside(row.id, row.offset)).await), Code::Forbidden);
    assert_eq!(code(world.replay(aside(row.id, 0), None, false).await), Code::RecordsInvalid);
}

#[tokio::test]
async fn one_that_leaves_does_not_stop_its_batch() {
    let world = World::new();
    world.rows(0..1).await.unwrap();
    world.log.hold.send_replace(true);
    let publishing = tokio::spawn({
        let (gate, ask) = (world.gate.clone(), world.ask(&lines(1..4)));
        async move { gate.publish(ask).await }
    });
    until(async || *world.log.appends.lock() >= 2).await;
    publishing.abort();
    let _ = publishing.await;
    world.log.hold.send_replace(false);
    world.rows(4..5).await.unwrap();
    world.subscribe(super::world::SUBSCRIPTION);
    until(async || world.read(None).await.unwrap().records.len() >= 5).await;
}

#[tokio::test]
async fn what_is_in_flight_is_bounded() {
    let world = World::with(|settings, _| settings.bytes_in_flight = 1000);
    let body = lines(0..4);
    assert!(body.len() > 100 && body.len() < 150, "one body and its records fit");
    world.publish(&body).await.unwrap();
    let _other = world.gate.budget().take(200).unwrap();
    assert_eq!(code(world.publish(&body).await), Code::Overloaded);
    assert_eq!(world.gate.budget().held(), 200);
}

#[tokio::test]
async fn what_holds_small_records_is_in_flight_too() {
    const RECORDS: u64 = 1000;
    let world = World::new();
    world.rows(0..1).await.unwrap();
    for (body, least) in [(lines(0..RECORDS as i64), 100), ("{}\n".repeat(RECORDS as usize), 64)] {
        let appends = *world.log.appends.lock();
        world.log.hold.send_replace(true);
        let mut ask = world.ask(&body);
        ask.on_invalid = OnInvalid::Quarantine;
        let gate = world.gate.clone();
        let publishing = tokio::spawn(async move { gate.publish(ask).await });
        until(async || *world.log.appends.lock() > appends).await;
        let held = world.gate.budget().held();
        assert!(held >= 2 * body.len() as u64 + RECORDS * least, "{held} bytes");
        world.log.hold.send_replace(false);
        publishing.await.unwrap().unwrap();
        assert_eq!(world.gate.budget().held(), 0);
    }
}

#[tokio::test]
async fn an_owner_reads_every_item_of_its_own_page_by_page() {
    let world = World::new();
    world.rows(0..10).await.unwrap();
    let read = async |cursor: Option<String>, caller| {
        let resource = "3070220601/000001".parse().unwrap();
        let read = OwnRead { resource, cursor, limit: Some(4), max_bytes: None, file: false, version: None };
        world.gate.read_own(&caller, read).await.map(|page| {
            let moved: i64 = page.through.iter().zip(&page.from).map(|(through, from)| through - from).sum();
            assert_eq!(page.sent, moved, "what its event will say");
            String::from_utf8(page.body.to_vec()).unwrap()
        })
    };
    let (mut cursor, mut records) = (None, 0);
    for expected in [4, 4, 2, 0] {
        let page = read(cursor.take(), provider()).await.unwrap();
        let lines: Vec<serde_json::Value> = page.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(lines.len(), expected + 1);
        assert!(lines[..expected].iter().all(|line| line["record"]["secret"].is_string()));
        records += expected;
        cursor = lines[expected]["next"].as_str().map(str::to_owned);
    }
    assert_eq!(records, 10);
    assert_eq!(code(read(None, consumer()).await), Code::Forbidden);
    assert_eq!(code(read(Some("AAAA".into()), provider()).await), Code::CursorInvalid);
}

#[tokio::test]
async fn a_quarantine_topic_that_was_deleted_is_made_again() {
    let world = World::new();
    let quarantine = TopicName::quarantine("", ResourceNumber(1));
    let set_aside = async || {
        let mut ask = world.ask("{\"id\":\"x\"}\n");
        ask.on_invalid = OnInvalid::Quarantine;
        world.gate.publish(ask).await
    };
    assert_eq!(set_aside().await.unwrap().quarantined, 1);
    world.log.remove(&quarantine);
    assert_eq!(code(set_aside().await), Code::BrokerUnavailable, "and when it is sent again:");
    assert_eq!(set_aside().await.unwrap().quarantined, 1);
    let rows = world.store.state.lock().set_aside.clone();
    let [lost, there] = rows.as_slice() else { panic!("two: {rows:?}") };
    let shown = world.gate.original(&provider(), &aside(there.id, there.offset)).await.unwrap();
    assert_eq!(&shown.bytes[..], b"{\"id\":\"x\"}");
    assert_eq!(lost.offset, there.offset);
    assert_eq!(code(world.gate.original(&provider(), &aside(lost.id, lost.offset)).await), Code::NotFound);
}
