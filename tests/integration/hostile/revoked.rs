//! Case 1: a grant is revoked while records stream, and case 2: it expires between two reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use changtong_catalog::audit::{Actor, Event, GrantResumed};
use changtong_catalog::clock::Clock as _;
use changtong_catalog::ids::{EventId, GrantId};
use changtong_catalog::ports::Directory as _;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::scene::{in_chinese, refused};
use crate::support::{Events, Others, Shared, TestApp, offsets_of, on_both_pairs, place_of, request_file};

on_both_pairs!(nothing_follows_a_revoke, a_grant_ends_at_its_time_by_the_stores_clock);

/// What a reader received until it was cut off.
async fn drain_stream(mut events: Events, some: Arc<AtomicUsize>) -> (Vec<Value>, bool) {
    let mut received = Vec::new();
    loop {
        match events.next().await {
            Ok(Some(event)) if event.kind == "record" => {
                received.push(event.data);
                some.fetch_add(1, Ordering::Relaxed);
            }
            Ok(Some(_)) => {}
            Ok(None) => return (received, false),
            Err(_) => return (received, true),
        }
    }
}

const FIRST: usize = 20_000;
/// Of publishers that never pause ten thousand records are on their way in at any moment.
const PUBLISHERS: usize = 4;
const BATCH: usize = 2500;

struct Load {
    over: Arc<AtomicBool>,
    accepted: Arc<AtomicUsize>,
    publishers: Vec<JoinHandle<()>>,
}

impl Load {
    /// Rows behind the first ones.
    fn begin(shared: &Shared) -> Self {
        let (over, accepted) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let next = Arc::new(AtomicUsize::new(FIRST));
        let publisher = |_| {
            let (over, accepted, next) = (over.clone(), accepted.clone(), next.clone());
            let (owner, code) = (shared.world.provider.integrator.clone(), shared.code.clone());
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let first = next.fetch_add(BATCH, Ordering::Relaxed);
                    let lines: Vec<Value> = (first..first + BATCH).map(Shared::line).collect();
                    owner.publish(&code, &lines).await.expect(200);
                    accepted.fetch_add(BATCH, Ordering::Relaxed);
                }
            })
        };
        let publishers = (0..PUBLISHERS).map(publisher).collect();
        Self { over, accepted, publishers }
    }

    /// Until ten thousand more have been taken.
    async fn goes_on(&self) {
        let wanted = self.accepted.load(Ordering::Relaxed) + PUBLISHERS * BATCH;
        while self.accepted.load(Ordering::Relaxed) < wanted {
            assert!(self.publishers.iter().all(|publisher| !publisher.is_finished()), "one was refused");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// How many were taken in all.
    async fn ends(self) -> usize {
        self.over.store(true, Ordering::Relaxed);
        for publisher in self.publishers {
            publisher.await.expect("a publisher");
        }
        self.accepted.load(Ordering::Relaxed)
    }
}

async fn nothing_follows_a_revoke(app: &TestApp) {
    let shared = Shared::of(app, json!({})).await;
    let others = Others::beside(&shared.world.authority).await;
    shared.publish(0..FIRST).await;
    let load = Load::begin(&shared);
    load.goes_on().await;
    let reader = shared.world.consumer.integrator.clone();
    let events = Events::open(&reader, &shared.records(), None).await.expect("a stream");
    let (poller, path) = (reader.clone(), shared.records());
    let (streamed_some, polled_some) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let some = polled_some.clone();
    let polling = tokio::spawn(async move {
        let (mut received, mut cursor) = (Vec::new(), String::new());
        loop {
            let answer = poller.request("get", &format!("{path}?limit=500{cursor}")).send().await;
            let Ok(answer) = answer else { return (received, None) };
            let status = answer.status().as_u16();
            // A connection that was reset within an answer: what came before still counts as received.
            let Ok(text) = answer.text().await else { continue };
            let mut lines: Vec<Value> =
                text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
            if status != 200 {
                return (received, lines.pop());
            }
            let end = lines.pop().expect("a last line");
            cursor = format!("&cursor={}", end["next"].as_str().expect("a cursor"));
            some.fetch_add(lines.len(), Ordering::Relaxed);
            received.append(&mut lines);
        }
    });
    let streaming = tokio::spawn(drain_stream(events, streamed_some.clone()));
    let delivered = app.app().gate.metrics();
    // A reset may take what lies in network buffers: both have something first.
    while streamed_some.load(Ordering::Relaxed) == 0 || polled_some.load(Ordering::Relaxed) == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    load.goes_on().await;
    let last_left = offsets_of(&shared.revoke().await[&shared.subscription]);
    let after = delivered.delivered_records.get();
    let (streamed, _) = streaming.await.expect("the stream's reader");
    let (polled, problem) = polling.await.expect("the poll's reader");
    assert_eq!(delivered.delivered_records.get(), after, "nothing leaves once the call has returned");
    assert!(!streamed.is_empty() && !polled.is_empty());
    for line in streamed.iter().chain(&polled) {
        let (partition, offset) = place_of(line);
        assert!(offset < last_left[partition], "{partition}.{offset} lies beyond {last_left:?}");
    }
    let problem = problem.expect("the next read is refused with words");
    assert_eq!((&problem["code"], &problem["status"]), (&json!("grant_revoked"), &json!(403)));
    let refusal = Events::open(&reader, &shared.records(), None).await.err().expect("refused");
    let words = refused(&refusal, 403, "grant_revoked")["detail"].clone();
    assert!(words.as_str().is_some_and(|words| words.contains("revoked")), "{words}");
    let words = in_chinese(&reader, "get", &shared.records(), None).await;
    assert!(words.contains("撤销"), "{words}");
    let position = reader.get(&format!("/api/v1/subscriptions/{}", shared.subscription)).await;
    assert!(position.expect(200)["next"].is_string(), "the position is kept");
    assert_eq!(delivered.open_windows.get(), 0);
    // Nobody else was held up, and nothing of what publishers were acknowledged is missing.
    tokio::join!(load.goes_on(), others.are_served());
    let accepted = load.ends().await;
    assert_eq!(shared.visible().await, FIRST + accepted);
}

async fn a_grant_ends_at_its_time_by_the_stores_clock(app: &TestApp) {
    let shared = Shared::of(app, json!({})).await;
    let mut file = request_file(&shared.code, &["station", "hour"], None);
    file["valid_until"] = "2020-01-31".into();
    let refusal = shared.world.consumer.editor.post("/api/v1/requests", file.clone()).await;
    assert_eq!(refused(&refusal, 422, "invalid")["path"], "valid_until");
    in_chinese(&shared.world.consumer.editor, "post", "/api/v1/requests", Some(file)).await;
    let others = Others::beside(&shared.world.authority).await;

    shared.publish(0..10).await;
    let (store, clock) = (&app.app().store, &app.app().clock);
    let id: GrantId = shared.grant.parse().expect("an id");
    let end = clock.now() + Duration::from_secs(3);
    let mut grant = store.grant(id).await.expect("the store").expect("the grant");
    (grant.valid_until, grant.version) = (Some(end), grant.version + 1);
    let mut tx = store.begin().await.expect("a transaction");
    tx.update_grant(&grant).await.expect("changed");
    let what = GrantResumed { grant: id, version: grant.version, resource: grant.resource };
    let event = Event::new(EventId(app.app().ids.uuid(clock.now())), clock.now(), Actor::Server, what);
    tx.record(&event).await.expect("written");
    tx.finish().await.expect("committed");

    let reader = &shared.world.consumer.integrator;
    let mut events = Events::open(reader, &shared.records(), None).await.expect("a stream");
    assert_eq!(events.records(10).await.len(), 10);
    let read = reader.get(&shared.records()).await;
    assert_eq!(read.lines().len(), 11, "before its end");
    let ended = loop {
        match events.next().await {
            Ok(Some(event)) if event.kind == "end" => break Some(event.data),
            Ok(Some(event)) => assert_ne!(event.kind, "record"),
            Ok(None) | Err(_) => break None,
        }
    };
    assert!(clock.now() >= end, "not before the store's time");
    if let Some(ended) = ended {
        assert_eq!(ended["code"], "grant_expired");
    }
    let problem = refused(&reader.get(&shared.records()).await, 403, "grant_expired");
    assert!(problem["valid_until"].is_string(), "it says when");
    assert!(problem["detail"].as_str().is_some_and(|words| words.contains("expired")), "{problem}");
    let words = in_chinese(reader, "get", &shared.records(), None).await;
    assert!(words.contains("到期"), "{words}");
    let position = reader.get(&format!("/api/v1/subscriptions/{}", shared.subscription)).await;
    assert!(position.expect(200)["next"].is_string(), "the position is kept");
    assert_eq!(shared.visible().await, 10, "what it read is there");
    others.are_served().await;
}
