//! Case 19: kill -9 of the server at any moment, again and again, while publishers publish, a reader reads and a sink
//! writes. Whatever the moments: what was acknowledged is there, everything is there once, and the copy is the table.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};

use super::deployment::{Deployment, Process, Table, once, reconcile};
use crate::support::{Client, Pair, Reply};

const ROUNDS: u32 = 50;
const PUBLISHERS: u32 = 3;
const BATCH: u32 = 40;
/// Longer than it takes to declare dead what a killed server left in the log.
const FOR_EVER: Duration = Duration::from_secs(120);

/// What publishers and reader share with whoever kills the server.
struct Story {
    /// Calls the server of the moment; each has a port of its own.
    caller: Mutex<Client>,
    key: String,
    code: String,
    next: AtomicU32,
    acknowledged: AtomicU32,
    replayed: AtomicU32,
    /// No further batch is begun.
    over: AtomicBool,
    /// Every batch that was begun is acknowledged.
    published: AtomicBool,
}

impl Story {
    fn client(&self, key: &str) -> Client {
        self.caller.lock().with_key(key)
    }

    /// A batch after another, each under its key until its one true result is known.
    async fn publish(&self) {
        while !self.over.load(Ordering::SeqCst) {
            let first = self.next.fetch_add(BATCH, Ordering::SeqCst);
            let lines: Vec<Value> = (first..first + BATCH).map(|id| json!({ "id": id })).collect();
            let receipt = loop {
                match self.try_to_publish(&format!("batch-{first}"), &lines).await {
                    Some(receipt) => break receipt,
                    None => tokio::time::sleep(Duration::from_millis(15)).await,
                }
            };
            assert_eq!(receipt["accepted"], BATCH, "whole or not at all: {receipt}");
            self.acknowledged.fetch_add(1, Ordering::SeqCst);
            self.replayed.fetch_add(u32::from(receipt["replayed"] == true), Ordering::SeqCst);
        }
    }

    async fn try_to_publish(&self, key: &str, lines: &[Value]) -> Option<Value> {
        let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let request =
            self.client(&self.key).request("post", &format!("/api/v1/resources/{}/records", self.code));
        let request = request.header("content-type", "application/x-ndjson").header("idempotency-key", key);
        let reply = Reply::if_any(request.body(body)).await?;
        match reply.status {
            200 => Some(reply.json()),
            // A port is reused by nobody else here, so any other answer would be a fault.
            409 | 429 | 503 => None,
            status => panic!("{status}: {}", reply.text),
        }
    }

    /// Reads and acknowledges; the values by record id.
    async fn read(&self, key: &str, subscription: &str) -> BTreeMap<String, u64> {
        let mut seen = BTreeMap::new();
        let path = format!("/api/v1/subscriptions/{subscription}");
        loop {
            let reader = self.client(key);
            let Some(reply) =
                Reply::if_any(reader.request("get", &format!("{path}/records?limit=500"))).await
            else {
                tokio::time::sleep(Duration::from_millis(15)).await;
                continue;
            };
            // An answer that was cut off has no last line, and nothing of it counts as received.
            let lines: Option<Vec<Value>> = (reply.status == 200)
                .then(|| reply.text.lines().map(|line| serde_json::from_str(line).ok()).collect())
                .flatten();
            let Some((end, rows)) = lines.as_ref().and_then(|lines| lines.split_last()) else {
                tokio::time::sleep(Duration::from_millis(15)).await;
                continue;
            };
            if end.get("next").is_none() {
                continue;
            }
            for row in rows {
                let id = row["id"].as_str().expect("an id").to_owned();
                let value = row["record"]["id"].as_u64().expect("a value");
                let before = seen.insert(id, value);
                assert!(before.is_none_or(|before| before == value), "one id, two records: {row}");
            }
            let ack = json!({ "next": end["next"], "window": end["window"], "digest": end["digest"] });
            let acked = Reply::if_any(reader.request("post", &format!("{path}/acks")).json(&ack)).await;
            let moved = acked.is_some_and(|reply| reply.status == 204);
            // What a killed server left in the log may hold the end up for a while.
            let everything = seen.len() >= self.next.load(Ordering::SeqCst) as usize;
            if everything && moved && self.published.load(Ordering::SeqCst) {
                return seen;
            }
            if rows.is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

/// A reader's key and subscription, and a sink into an SQLite file.
struct Consumer {
    key: String,
    subscription: String,
    copy: String,
}

async fn consumer(deployment: &Deployment, server: &Process, code: &str) -> Consumer {
    let authority = Client::new(server.url.clone(), Some(deployment.authority()));
    let joining = json!({ "code": "11999999FAKE01016C", "name": "应急局", "alias": "emergency" });
    let joined = authority.post("/api/v1/agencies", joining).await.expect(201);
    let key = joined["key"]["text"].as_str().expect("its key").to_owned();
    let caller = authority.with_key(&key);
    let request = json!({
        "resource": code, "consumer": "emergency", "purposes": [{ "code": "drill", "text": "演练" }],
        "basis": "演练", "history": "all", "items": ["id"],
        "consented_by": { "office": "应急局办公室", "document": "应急函〔2026〕1号" },
    });
    let written = caller.post("/api/v1/requests", request).await.expect(201);
    let submit = format!("/api/v1/requests/{}/submit", written["id"].as_str().expect("an id"));
    let agreed = caller.post(&submit, json!({})).await.expect(200);
    let grant = agreed["grant"].as_str().expect("a grant");
    let subscriptions = format!("/api/v1/grants/{grant}/subscriptions");
    let made = caller.post(&subscriptions, json!({ "name": "reader", "from": "start" })).await.expect(201);
    let sink = json!({ "name": "copy", "grant": grant, "sink": { "sql": { "url": "sqlite:copy.db", "table": "copy" } } });
    caller.post("/api/v1/connectors", sink).await.expect(201);
    let folder = deployment.folder().join("node/files/11999999FAKE01016C");
    Consumer {
        key,
        subscription: made["id"].as_str().expect("an id").to_owned(),
        copy: format!("sqlite:{}", folder.join("copy.db").display()),
    }
}

/// The rows of the copy, each with how often it is there.
async fn copy(url: &str) -> Option<BTreeMap<u64, usize>> {
    let mut connection = SqliteConnection::connect(url).await.ok()?;
    let rows: Vec<(i64,)> = sqlx::query_as("SELECT id FROM copy").fetch_all(&mut connection).await.ok()?;
    let mut found = BTreeMap::new();
    for (id,) in rows {
        *found.entry(u64::try_from(id).ok()?).or_default() += 1;
    }
    Some(found)
}

/// Some time between two moments, other in each round.
fn moment(round: u32) -> Duration {
    let mixed = round.wrapping_mul(2_654_435_761) >> 16;
    Duration::from_millis(u64::from(mixed % 700))
}

async fn killed_again_and_again(pair: Pair) {
    let Some(deployment) = Deployment::new(pair).await else { return };
    let mut server = deployment.start("node", None).await;
    let table: Table = deployment.table(&server).await;
    let consumer = consumer(&deployment, &server, table.code()).await;
    let story = Arc::new(Story {
        caller: Mutex::new(Client::new(server.url.clone(), None)),
        key: table.key().to_owned(),
        code: table.code().to_owned(),
        next: AtomicU32::new(0),
        acknowledged: AtomicU32::new(0),
        replayed: AtomicU32::new(0),
        over: AtomicBool::new(false),
        published: AtomicBool::new(false),
    });
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|_| {
            let story = story.clone();
            tokio::spawn(async move { story.publish().await })
        })
        .collect();
    let reader = tokio::spawn({
        let (story, key, subscription) = (story.clone(), consumer.key.clone(), consumer.subscription.clone());
        async move { story.read(&key, &subscription).await }
    });

    for round in 0..ROUNDS {
        // Some die while they start, most at work: every fifth only once it has acknowledged something.
        let before = story.acknowledged.load(Ordering::SeqCst);
        if round % 5 == 0 {
            while story.acknowledged.load(Ordering::SeqCst) == before {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        tokio::time::sleep(moment(round)).await;
        server.kill().await;
        server = deployment.spawn("node", None);
        *story.caller.lock() = Client::new(server.url.clone(), None);
    }
    assert!(server.serves().await, "the last one ended: {}", server.said());
    story.over.store(true, Ordering::SeqCst);
    for publisher in publishers {
        publisher.await.expect("a publisher");
    }
    story.published.store(true, Ordering::SeqCst);
    let seen =
        tokio::time::timeout(FOR_EVER, reader).await.expect("something never came").expect("the reader");

    let all: Range<u32> = 0..story.next.load(Ordering::SeqCst);
    let wanted = once(std::slice::from_ref(&all));
    let (acknowledged, replayed) = (&story.acknowledged, &story.replayed);
    println!(
        "{pair:?}: {ROUNDS} kills, {acknowledged:?} batches of {BATCH}, {replayed:?} known again by their key"
    );
    assert!(acknowledged.load(Ordering::SeqCst) >= ROUNDS / 5, "too little happened between the kills");
    assert_eq!(table.visible(&server).await, wanted, "lost or doubled");
    let mut values: Vec<u64> = seen.values().copied().collect();
    values.sort_unstable();
    assert!(
        values.iter().copied().eq(wanted.keys().copied()),
        "the reader missed some, or met one under two ids"
    );
    while copy(&consumer.copy).await.as_ref() != Some(&wanted) {
        // It comes to that: a row too many never goes away, and the count below would say so.
        let rows = copy(&consumer.copy).await.unwrap_or_default();
        assert!(
            rows.keys().all(|id| wanted.contains_key(id)) && rows.values().all(|times| *times == 1),
            "{rows:?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.kill().await;
    reconcile(&deployment, "node");
    deployment.done().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_moment_nothing_is_lost_and_nothing_is_there_twice_embedded() {
    killed_again_and_again(Pair::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_moment_nothing_is_lost_and_nothing_is_there_twice_production() {
    killed_again_and_again(Pair::Production).await;
}
