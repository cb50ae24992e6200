//! Case 21: readers come and go, two of them on one subscription, and acknowledge late, twice and out of turn. A
//! position moves forward by acknowledgement alone, back by `seek` alone.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use changtong_catalog::cursor::farther;
use serde_json::{Value, json};

use super::scene::{refused, window_began};
use crate::support::{Client, Events, Others, Pair, Reply, Shared, TestApp, offsets_of, on_both_pairs};

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
/// Between a reader that went and the next: of windows as short as these what two seconds are of those by default.
const PAUSE: Duration = Duration::from_millis(200);

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
            429 => assert_eq!(refused(&reply, 429, "rate_limited")["limit"], "windows"),
            503 => drop(refused(&reply, 503, "store_unavailable")),
            _ => return reply.lines(),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What is not acknowledged comes again. Whoever meets a store that is slower than a short window is told so, and comes
/// again.
async fn is_gone_after_a_record(reader: &Client, path: &str) {
    loop {
        let mut events = Events::open(reader, path, None).await.expect("a stream");
        let event = events.said().await;
        if event.kind == "record" {
            return;
        }
        assert_eq!(event.data["code"], "store_unavailable", "{}", event.data);
    }
}

async fn readers_come_and_go_and_nothing_is_skipped(app: &TestApp) {
    let shared = Shared::of(app, json!({})).await;
    let others = Others::beside(&shared.world.authority).await;
    let reader = shared.world.consumer.integrator.clone();
    shared.publish(0..ROWS / 2).await;
    let mut seen: BTreeSet<usize> = BTreeSet::new();
    let mut late: Vec<Value> = Vec::new();
    for round in 0..12 {
        if round == 5 {
            others.come_to_be_served().await;
            shared.publish(ROWS / 2..ROWS).await;
        }
        tokio::time::sleep(PAUSE).await;
        let before = position(&shared).await;
        // One by events, gone in the middle of them; one by polls. Neither moves the position.
        if seen.len() < ROWS {
            is_gone_after_a_record(&reader, &shared.records()).await;
        } else {
            drop(Events::open(&reader, &shared.records(), None).await.expect("a stream"));
        }
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
    others.come_to_be_served().await;
}

on_both_pairs!(
    who_reads_on_writes_two_events_a_second,
    who_reads_the_same_again_writes_two_events_a_second_after_a_few,
);

/// The windows that a subscription opened, in their order: from when on each counts, in milliseconds.
async fn windows(shared: &Shared, subscription: &str) -> Vec<i64> {
    let events = shared.world.auditor.request("get", "/api/v1/audit/events?code=deliver.opened");
    let events = Reply::of(events.header("accept", "application/x-ndjson")).await.lines();
    let events = events.iter().filter(|event| event["subscription"] == subscription);
    let mut began: Vec<i64> = events.map(window_began).collect();
    began.sort_unstable();
    began
}

/// How long a window lasts, in milliseconds (`time.window`).
const LASTS: i64 = 1000;

/// A stream and a poll after another, each from where the last one ended, while records come faster than windows end: the
/// next window opens when the last one is over.
async fn who_reads_on_writes_two_events_a_second(app: &TestApp) {
    const WINDOWS: usize = 4;
    let shared = Shared::of(app, json!({})).await;
    let streamed = shared.world.subscribe(&shared.grant, "stream").await;
    let (reader, over) = (&shared.world.consumer.integrator, AtomicBool::new(false));
    let publishing = async {
        let mut row = 0;
        while !over.load(Ordering::Relaxed) {
            shared.publish(row..row + 1).await;
            row += 1;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        row
    };
    let polling = async {
        let (mut seen, mut polled, mut cursor) = (BTreeSet::new(), BTreeSet::new(), String::new());
        while polled.len() < WINDOWS {
            let mut lines = poll(&shared, &format!("?wait=5s{cursor}")).await;
            let end = lines.pop().expect("a last line");
            polled.extend(end["window"].as_str().map(str::to_owned));
            lines.iter().for_each(|line| assert!(seen.insert(Shared::row(line)), "twice: {line}"));
            cursor = format!("&cursor={}", end["next"].as_str().expect("a cursor"));
        }
        seen
    };
    let streaming = async {
        let path = format!("/api/v1/subscriptions/{streamed}/records");
        let mut events = Events::open(reader, &path, None).await.expect("a stream");
        let (mut seen, mut marks) = (BTreeSet::new(), 0);
        while marks < WINDOWS {
            let event = events.said().await;
            match event.kind.as_str() {
                "record" => assert!(seen.insert(Shared::row(&event.data)), "twice: {}", event.data),
                "mark" => marks += 1,
                _ => {
                    assert_eq!(event.data["code"], "store_unavailable", "{}", event.data);
                    let next = event.data["next"].as_str();
                    events = Events::open(reader, &path, next).await.expect("a stream");
                }
            }
        }
        seen
    };
    let reading = async {
        let both = tokio::join!(polling, streaming);
        over.store(true, Ordering::Relaxed);
        both
    };
    let (published, (polled, followed)) = tokio::join!(publishing, reading);
    assert!([&polled, &followed].iter().all(|seen| seen.iter().all(|row| *row < published)));
    for subscription in [&shared.subscription, &streamed] {
        let began = windows(&shared, subscription).await;
        assert!(began.len() >= WINDOWS, "{began:?}");
        for two in began.windows(2) {
            assert!(two[1] - two[0] >= LASTS - 100, "two windows within one: {began:?}");
        }
    }
}

/// However fast it asks: two for a window, which lasts a second by default, beside the eight windows that may open at
/// once.
async fn who_reads_the_same_again_writes_two_events_a_second_after_a_few(app: &TestApp) {
    let shared = Shared::of(app, json!({})).await;
    let others = Others::beside(&shared.world.authority).await;
    shared.publish(0..10).await;
    let began = Instant::now();
    for _ in 0..13 {
        assert_eq!(poll(&shared, "?limit=1").await.len(), 2, "the first record, as nothing is acknowledged");
    }
    // Many at once are told to come back, in words: one of them waits, the others would wait for longer than a window.
    let mut told = BTreeSet::new();
    while told.len() < 2 {
        let crowd = ["en", "zh"].repeat(4).into_iter().map(|language| {
            let request = shared.world.consumer.integrator.request_in(language, "get", &shared.records());
            async move { (language, Reply::of(request).await) }
        });
        for (language, reply) in futures::future::join_all(crowd).await {
            match reply.status {
                200 => continue,
                503 => drop(refused(&reply, 503, "store_unavailable")),
                _ => {
                    assert_eq!(refused(&reply, 429, "rate_limited")["limit"], "windows");
                    told.insert(language);
                }
            }
            assert!(reply.headers.contains_key("retry-after"), "when to come back");
            assert_eq!(reply.headers["content-language"], language);
        }
    }
    others.are_served().await;
    // A window's turn comes before its commit, so that the events' own times may lie closer together.
    let most = 8 + began.elapsed().as_secs() + 1;
    let events = shared.world.auditor.request("get", "/api/v1/audit/events");
    let events = Reply::of(events.header("accept", "application/x-ndjson")).await.lines();
    let own = |event: &&Value| event["subscription"] == shared.subscription.as_str();
    let of = |code: &str| events.iter().filter(own).filter(|event| event["code"] == code).count() as u64;
    let (opened, closed) = (of("deliver.opened"), of("deliver.closed"));
    assert!(opened >= 12, "{opened} windows are too few to tell");
    assert!(opened <= most, "{opened} windows, {most} may be");
    assert!(closed <= opened, "one closing each");
    assert_eq!(shared.visible().await, 10, "nothing is lost by it");
}
