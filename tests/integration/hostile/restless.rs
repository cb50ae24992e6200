//! Case 21: readers come and go, two of them on one subscription, and acknowledge late, twice and out of turn. A
//! position moves forward by acknowledgement alone, back by `seek` alone.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use changtong_catalog::cursor::farther;
use serde_json::{Value, json};

use crate::support::{Events, Pair, Reply, Shared, TestApp, offsets_of, on_both_pairs};

/// Windows are short, as a subscription opens so many of them only after another.
const WINDOW: [(&str, &str); 1] = [("CHANGTONG_TIME__WINDOW", "100ms")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_come_and_go_and_nothing_is_skipped_embedded() {
    let app = TestApp::start(Pair::Embedded, &WINDOW).await.expect("the embedded engines are always there");
    readers_come_and_go_and_nothing_is_skipped(&app).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_come_and_go_and_nothing_is_skipped_production() {
    let Some(app) = TestApp::start(Pair::Production, &WINDOW).await else { return };
    readers_come_and_go_and_nothing_is_skipped(&app).await;
    app.stop().await;
}

const ROWS: usize = 600;

async fn position(shared: &Shared) -> Vec<i64> {
    let path = format!("/api/v1/subscriptions/{}", shared.subscription);
    offsets_of(&shared.world.consumer.integrator.get(&path).await.expect(200)["next"])
}

/// The lines of a poll. Whoever reads the same again too often is told to come back, and comes back; so does whoever
/// meets a store that is slower than a short window.
async fn poll(shared: &Shared, query: &str) -> Vec<Value> {
    loop {
        let reply = shared.world.consumer.integrator.get(&format!("{}{query}", shared.records())).await;
        match reply.status {
            429 => assert_eq!(super::scene::refused(&reply, 429, "rate_limited")["limit"], "windows"),
            503 => drop(super::scene::refused(&reply, 503, "store_unavailable")),
            _ => return reply.lines(),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn readers_come_and_go_and_nothing_is_skipped(app: &TestApp) {
    let shared = Shared::of(app, json!({})).await;
    let reader = shared.world.consumer.integrator.clone();
    shared.publish(0..ROWS / 2).await;
    let mut seen: BTreeSet<usize> = BTreeSet::new();
    let mut late: Vec<Value> = Vec::new();
    for round in 0..12 {
        if round == 5 {
            shared.publish(ROWS / 2..ROWS).await;
        }
        let before = position(&shared).await;
        // One by events, gone in the middle of them; one by polls. Neither moves the position.
        let mut events = Events::open(&reader, &shared.records(), None).await.expect("a stream");
        if seen.len() < ROWS {
            let first = events.records(1).await;
            assert_eq!(first.len(), 1, "what is not acknowledged comes again");
        }
        drop(events);
        let mut lines = poll(&shared, "?limit=80").await;
        let end = lines.pop().expect("a last line");
        seen.extend(lines.iter().map(Shared::row));
        assert_eq!(position(&shared).await, before, "reading moves nothing");
        match round % 3 {
            // At once and again, then an older one: neither moves it back.
            0 => {
                shared.acknowledge(&end).await.expect(204);
                let moved = position(&shared).await;
                assert_eq!(moved, offsets_of(&end["next"]));
                shared.acknowledge(&end).await.expect(204);
                let mut expected = moved;
                for old in late.drain(..) {
                    shared.acknowledge(&old).await.expect(204);
                    expected = farther(&expected, &offsets_of(&old["next"]));
                }
                assert_eq!(position(&shared).await, expected, "the larger of each partition");
            }
            // Late: the next reader gets the same.
            1 => late.push(end),
            _ => {
                let mut again = poll(&shared, "?limit=80").await;
                again.pop();
                assert_eq!(again, lines);
                shared.acknowledge(&end).await.expect(204);
            }
        }
    }
    let mut rest = poll(&shared, "").await;
    rest.pop();
    seen.extend(rest.iter().map(Shared::row));
    assert_eq!(seen, (0..ROWS).collect::<BTreeSet<_>>(), "no skip");
    let path = format!("/api/v1/subscriptions/{}/seek", shared.subscription);
    reader.post(&path, json!({ "from": "start" })).await.expect(200);
    assert_eq!(position(&shared).await, [0, 0, 0]);
    assert_eq!(poll(&shared, "").await.len(), ROWS + 1);
}

on_both_pairs!(who_reads_the_same_again_writes_two_events_a_second);

/// However fast it asks: two for a window, which lasts a second by default, beside the eight windows that may open at
/// once.
async fn who_reads_the_same_again_writes_two_events_a_second(app: &TestApp) {
    let shared = Shared::of(app, json!({})).await;
    shared.publish(0..10).await;
    let began = Instant::now();
    for _ in 0..13 {
        assert_eq!(poll(&shared, "?limit=1").await.len(), 2, "the first record, as nothing is acknowledged");
    }
    // A window's turn comes before its commit, so that the events' own times may lie closer together.
    let most = 8 + began.elapsed().as_secs() + 1;
    let events = shared.world.auditor.request("get", "/api/v1/audit/events");
    let events = Reply::of(events.header("accept", "application/x-ndjson")).await.lines();
    let of = |code: &str| events.iter().filter(|event| event["code"] == code).count() as u64;
    let (opened, closed) = (of("deliver.opened"), of("deliver.closed"));
    assert!(opened >= 12, "{opened} windows are too few to tell");
    assert!(opened <= most, "{opened} windows, {most} may be");
    assert!(closed <= opened, "one closing each");
}
