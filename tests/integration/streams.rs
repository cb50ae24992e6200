//! Event streams over HTTP on both pairs of engines: resumed without loss, marked, kept alive, ended with a reason.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use crate::support::{Event, Events, Others, Pair, Reply, Shared, TestApp, on_both_pairs, request_file};

on_both_pairs!(
    a_stream_is_resumed_at_any_event,
    what_is_published_reaches_streams_and_polls_that_wait,
    a_stream_asks_for_no_bounds_and_says_what_it_is,
);

async fn a_stream_is_resumed_at_any_event(app: &TestApp) {
    let shared = Shared::of(app, json!({})).await;
    let (reader, records) = (shared.world.consumer.integrator.clone(), shared.records());
    shared.publish(0..120).await;
    let mut events = Events::open(&reader, &records, None).await.expect("a stream");
    let first = events.records(50).await;
    drop(events);
    let rows =
        |events: &[Event]| -> Vec<usize> { events.iter().map(|event| Shared::row(&event.data)).collect() };
    let mut seen = rows(&first);
    // A client that lost its connection says what it saw last; its address still has the first cursor.
    let again = format!("{records}?cursor={}", first[0].id.as_deref().expect("an id"));
    let mut events = Events::open(&reader, &again, first[49].id.as_deref()).await.expect("a stream");
    let rest = events.records(70).await;
    seen.extend(rows(&rest));
    let all: BTreeSet<usize> = seen.iter().copied().collect();
    assert_eq!((seen.len(), all.len()), (120, 120), "none is lost, none comes twice");
    let mark = events.said().await;
    assert_eq!(mark.kind, "mark");
    assert_eq!((mark.id.as_deref(), mark.data["window"].is_string()), (mark.data["next"].as_str(), true));
    shared.acknowledge(&mark.data).await.expect(204);
    // What was acknowledged does not come again, and what is published does.
    let mut events = Events::open(&reader, &records, None).await.expect("a stream");
    shared.publish(120..123).await;
    assert_eq!(rows(&events.records(3).await).iter().sum::<usize>(), 120 + 121 + 122);
    let seek = json!({ "from": "start" });
    let path = format!("/api/v1/subscriptions/{}/seek", shared.subscription);
    reader.post(&path, seek).await.expect(200);
    let end = loop {
        let event = events.said().await;
        if event.kind == "end" {
            break event;
        }
    };
    assert_eq!(end.data["code"], "cursor_superseded");
    assert!(end.data["detail"].as_str().expect("words").is_ascii(), "in the caller's language");
    assert!(events.next().await.expect("no reset").is_none());
    // Whoever goes on where it says reads from the position that the seek has set.
    let on = format!("{records}?cursor={}", end.data["next"].as_str().expect("where to go on"));
    let mut events = Events::open(&reader, &on, None).await.expect("it is no void cursor");
    let all: BTreeSet<usize> = rows(&events.records(123).await).into_iter().collect();
    assert_eq!(all.len(), 123, "nothing is lost");
    shared.publish(123..125).await;
    assert_eq!(rows(&events.records(2).await).iter().sum::<usize>(), 123 + 124);
}

async fn what_is_published_reaches_streams_and_polls_that_wait(app: &TestApp) {
    let shared = Shared::of(app, json!({})).await;
    let reader = &shared.world.consumer.integrator;
    let mut streams = Vec::new();
    let mut polls = Vec::new();
    // Some before the first publish, when there is no topic yet.
    for name in ["a", "b", "c"] {
        let id = shared.world.subscribe(&shared.grant, name).await;
        let records = format!("/api/v1/subscriptions/{id}/records");
        streams.push(Events::open(reader, &records, None).await.expect("a stream"));
        let (reader, records) = (reader.clone(), format!("{records}?wait=30s"));
        polls.push(tokio::spawn(async move { reader.get(&records).await.lines().len() - 1 }));
    }
    let gate = app.app().gate.clone();
    while gate.metrics().waiting_polls.get() < 6 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    shared.publish(0..9).await;
    for stream in &mut streams {
        assert_eq!(stream.records(9).await.len(), 9);
        assert_eq!(stream.said().await.kind, "mark");
    }
    for poll in polls {
        assert_eq!(poll.await.expect("a poll"), 9);
    }
    shared.publish(9..12).await;
    for stream in &mut streams {
        assert_eq!(stream.records(3).await.len(), 3);
    }
    let read = |from: &str| gate.metrics().log_reads.with_label_values(&[from]).get();
    assert!(read("shared") > read("log"), "{} shared, {} from the log", read("shared"), read("log"));
}

async fn a_stream_asks_for_no_bounds_and_says_what_it_is(app: &TestApp) {
    let shared = Shared::of(app, json!({})).await;
    let reader = &shared.world.consumer.integrator;
    for bound in ["limit=1", "max_bytes=1", "wait=1s"] {
        let refused = Events::open(reader, &format!("{}?{bound}", shared.records()), None).await;
        let refused = refused.err().expect("refused");
        assert_eq!((refused.status, refused.code().as_str()), (400, "bad_request"), "{}", refused.text);
    }
    let refused = Events::open(reader, &shared.records(), Some("nonsense")).await.err().expect("refused");
    assert_eq!((refused.status, refused.code().as_str()), (400, "cursor_invalid"));
    let none = reader.request("get", &shared.records()).header("accept", "image/png");
    assert_eq!(Reply::of(none).await.code(), "not_acceptable");
    let stranger = Events::open(&shared.world.stranger.integrator, &shared.records(), None).await;
    assert_eq!(stranger.err().expect("refused").status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_waits_beats_and_a_stop_is_told() {
    let app = TestApp::start(Pair::Embedded, &[("CHANGTONG_HTTP__HEARTBEAT", "100ms")]).await;
    let app = app.expect("the embedded engines are always there");
    let shared = Shared::of(&app, json!({})).await;
    let records = shared.records();
    let mut events = Events::open(&shared.world.consumer.integrator, &records, None).await.expect("a stream");
    for _ in 0..3 {
        assert_eq!(events.next().await.expect("no reset").expect("it goes on").kind, "comment");
    }
    let stopping = tokio::spawn(app.stop());
    let end = events.said().await;
    assert_eq!((end.kind.as_str(), &end.data["code"]), ("end", &json!("shutting_down")));
    assert!(end.data["next"].is_string());
    stopping.await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_hold_within_a_stream() {
    let app = TestApp::start(Pair::Embedded, &[]).await.expect("the embedded engines are always there");
    let limits =
        json!({ "limits": { "records_per_second": 40, "records_per_day": 100, "calls_per_day": 1 } });
    let shared = Shared::of(&app, limits).await;
    shared.publish(0..130).await;
    let reader = &shared.world.consumer.integrator;
    let mut events = Events::open(reader, &shared.records(), None).await.expect("a stream");
    assert_eq!(events.records(100).await.len(), 100, "all that the day allows, in one call");
    let end = loop {
        let event = events.said().await;
        if event.kind == "end" {
            break event.data;
        }
        assert_eq!(event.kind, "mark");
    };
    assert_eq!((&end["code"], &end["limit"]), (&json!("quota_exceeded"), &json!("records_per_day")));
    assert_eq!(end["used"], 100);
    assert!(end["resets_at"].is_string());
    let grant = shared.world.consumer.integrator.get(&format!("/api/v1/grants/{}", shared.grant)).await;
    let calls = grant.expect(200);
    assert_eq!((&calls["today"]["calls"], &calls["today"]["records"]), (&json!(1), &json!(100)), "{calls}");
    app.stop().await;
}

/// A client that takes nothing, over a socket with little room.
async fn stalled(app: &TestApp, key: &str, path: &str) -> tokio::net::TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let mut stream = socket.connect(app.api).await.expect("a connection");
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: bus\r\nAuthorization: Bearer {key}\r\nAccept: text/event-stream\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("it is sent");
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_consumer_of_the_embedded_engines() {
    a_slow_consumer_is_disconnected_and_holds_up_nobody(Pair::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_consumer_of_the_production_engines() {
    a_slow_consumer_is_disconnected_and_holds_up_nobody(Pair::Production).await;
}

/// Case 23 of the abuse cases: it reads a byte a second, or nothing at all.
async fn a_slow_consumer_is_disconnected_and_holds_up_nobody(pair: Pair) {
    let app = TestApp::start(pair, &[("CHANGTONG_HTTP__WRITE_TIMEOUT", "1500ms")]).await;
    let Some(app) = app else { return };
    let shared = Shared::of(&app, json!({})).await;
    let bystanders = Others::beside(&shared.world.authority).await;
    // More than the buffers of both ends take.
    for batch in 0..40 {
        shared.publish(batch * 1000..batch * 1000 + 1000).await;
    }
    let key = shared.world.consumer.integrator.key().to_owned();
    let mut dripping = stalled(&app, &key, &shared.records()).await;
    let silent = stalled(&app, &key, &shared.records()).await;
    let drip = tokio::spawn(async move {
        let mut byte = [0];
        while let Ok(1..) = dripping.read(&mut byte).await {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let reader = &shared.world.consumer.integrator;
    // Others are served meanwhile: a second reader of its own, and one of another agency.
    let forestry = &shared.world.stranger;
    let mut asked = request_file(&shared.code, &["station", "hour"], None);
    asked["consumer"] = json!("forestry");
    let (_, granted) = forestry.request(asked).await;
    let grant = granted["grant"].as_str().expect("a grant");
    let others = [
        (reader, shared.world.subscribe(&shared.grant, "other").await),
        (&forestry.integrator, forestry.subscribe(grant, "copy").await),
    ];
    for (reader, subscription) in others {
        let path = format!("/api/v1/subscriptions/{subscription}/records");
        let mut events = Events::open(reader, &path, None).await.expect("a stream");
        assert_eq!(events.records(40_000).await.len(), 40_000);
    }
    bystanders.are_served().await;
    let metrics = app.operator();
    let slow = async || {
        let text = metrics.get("/metrics").await.text;
        let line = text.lines().find(|line| line.starts_with("changtong_slow_consumers_total"));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).unwrap_or_default()
    };
    let both = async {
        while slow().await < 2.0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), both).await.expect("both are disconnected");
    drip.abort();
    drop(silent);
    let shown = reader.get(&format!("/api/v1/subscriptions/{}", shared.subscription)).await.expect(200);
    assert!(shown["acked_at"].is_null(), "its position is where it was: {shown}");
    // What it did not take is still there for it.
    let mut events = Events::open(reader, &shared.records(), None).await.expect("a stream");
    assert_eq!(events.records(1).await.len(), 1);
    drop(events);
    assert_eq!(shared.visible().await, 40_000);
    app.stop().await;
}
