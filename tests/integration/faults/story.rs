//! A story of publishers and a reader, told while servers or brokers die: each batch is sent under its key until its one
//! true result is known, and whatever is read keeps its id.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::deployment::{Process, Table, once};
use crate::support::{Client, Reply};

pub const BATCH: u32 = 40;
/// Longer than it takes to declare dead what a killed server left in the log.
const FOR_EVER: Duration = Duration::from_secs(120);

/// What publishers and reader share with whoever tells it.
pub struct Story {
    /// Calls the server of the moment; each has a port of its own.
    caller: Mutex<Client>,
    key: String,
    code: String,
    /// Between two batches of a publisher.
    pause: Duration,
    next: AtomicU32,
    acknowledged: AtomicU32,
    replayed: AtomicU32,
    /// How often each publisher was told that nothing could be acknowledged.
    refused: Mutex<Vec<u32>>,
    /// With which codes.
    codes: Mutex<BTreeMap<String, u32>>,
    /// No further batch is begun.
    over: AtomicBool,
    /// Every batch that was begun is acknowledged.
    published: AtomicBool,
}

/// Whoever takes part in it.
pub struct Cast {
    publishers: Vec<JoinHandle<()>>,
    reader: JoinHandle<BTreeMap<String, u64>>,
}

impl Story {
    pub fn of(table: &Table, server: &Process, pause: Duration) -> Arc<Self> {
        Arc::new(Self {
            caller: Mutex::new(Client::new(server.url.clone(), None)),
            key: table.key().to_owned(),
            code: table.code().to_owned(),
            pause,
            next: AtomicU32::new(0),
            acknowledged: AtomicU32::new(0),
            replayed: AtomicU32::new(0),
            refused: Mutex::default(),
            codes: Mutex::default(),
            over: AtomicBool::new(false),
            published: AtomicBool::new(false),
        })
    }

    pub fn begin(self: &Arc<Self>, publishers: usize, key: &str, subscription: &str) -> Cast {
        self.refused.lock().resize(publishers, 0);
        let publish = |who| {
            let story = self.clone();
            tokio::spawn(async move { story.publish(who).await })
        };
        let (story, key, subscription) = (self.clone(), key.to_owned(), subscription.to_owned());
        Cast {
            publishers: (0..publishers).map(publish).collect(),
            reader: tokio::spawn(async move { story.read(&key, &subscription).await }),
        }
    }

    /// Goes on with another server.
    pub fn goes_on_with(&self, server: &Process) {
        *self.caller.lock() = Client::new(server.url.clone(), None);
    }

    pub fn acknowledged(&self) -> u32 {
        self.acknowledged.load(Ordering::SeqCst)
    }

    pub fn replayed(&self) -> u32 {
        self.replayed.load(Ordering::SeqCst)
    }

    /// With which codes it was said that nothing could be acknowledged, and how often.
    pub fn codes(&self) -> BTreeMap<String, u32> {
        self.codes.lock().clone()
    }

    /// Waits until so many batches more are acknowledged.
    pub async fn goes_on(&self, batches: u32) {
        let wanted = self.acknowledged() + batches;
        let going = async {
            while self.acknowledged() < wanted {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(FOR_EVER, going).await.expect("nothing more is acknowledged");
    }

    /// Waits until each publisher has been refused once more.
    pub async fn everyone_is_refused(&self) {
        let before = self.refused.lock().clone();
        let refusing = async {
            while self.refused.lock().iter().zip(&before).any(|(now, before)| now == before) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(FOR_EVER, refusing).await.expect("somebody waits for an answer");
    }

    /// Ends it: what was acknowledged is there, everything is there once, and the reader met it all, each under one id.
    pub async fn ends(&self, cast: Cast, table: &Table, server: &Process) -> BTreeMap<u64, usize> {
        self.over.store(true, Ordering::SeqCst);
        for publisher in cast.publishers {
            publisher.await.expect("a publisher");
        }
        self.published.store(true, Ordering::SeqCst);
        let reading = tokio::time::timeout(FOR_EVER, cast.reader).await;
        let seen = reading.expect("something never came").expect("the reader");
        let all = 0..self.next.load(Ordering::SeqCst);
        let wanted = once(std::slice::from_ref(&all));
        assert_eq!(table.visible(server).await, wanted, "lost or doubled");
        let mut values: Vec<u64> = seen.values().copied().collect();
        values.sort_unstable();
        let right = values.iter().copied().eq(wanted.keys().copied());
        assert!(right, "the reader missed some, or met one under two ids");
        wanted
    }

    fn client(&self, key: &str) -> Client {
        self.caller.lock().with_key(key)
    }

    /// A batch after another, each under its key until its one true result is known.
    async fn publish(&self, who: usize) {
        while !self.over.load(Ordering::SeqCst) {
            let first = self.next.fetch_add(BATCH, Ordering::SeqCst);
            let lines: Vec<Value> = (first..first + BATCH).map(|id| json!({ "id": id })).collect();
            let receipt = loop {
                match self.try_to_publish(who, &format!("batch-{first}"), &lines).await {
                    Some(receipt) => break receipt,
                    None => tokio::time::sleep(Duration::from_millis(15)).await,
                }
            };
            assert_eq!(receipt["accepted"], BATCH, "whole or not at all: {receipt}");
            self.acknowledged.fetch_add(1, Ordering::SeqCst);
            self.replayed.fetch_add(u32::from(receipt["replayed"] == true), Ordering::SeqCst);
            tokio::time::sleep(self.pause).await;
        }
    }

    async fn try_to_publish(&self, who: usize, key: &str, lines: &[Value]) -> Option<Value> {
        let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let request =
            self.client(&self.key).request("post", &format!("/api/v1/resources/{}/records", self.code));
        let request = request.header("content-type", "application/x-ndjson").header("idempotency-key", key);
        let reply = Reply::if_any(request.body(body)).await?;
        match reply.status {
            200 => Some(reply.json()),
            503 => {
                self.refused.lock()[who] += 1;
                *self.codes.lock().entry(reply.code()).or_default() += 1;
                None
            }
            // A port is reused by nobody else here, so any other answer would be a fault.
            409 | 429 => None,
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
