//! `changtong bench publish`

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Deserialize;
use tokio::task::JoinSet;

use super::super::failure::{Done, Failure};
use super::super::publish::salt;
use super::measure::{self, Measured, Times};
use super::process::Used;
use super::raw::{self, Connection, publish_head};
use super::report::Row;
use super::{Publishing, load, setup};
use crate::client::Client;

/// One caller's publishing.
pub struct Worker {
    pub client: Client,
    pub code: String,
    pub media_type: &'static str,
    pub bodies: Arc<Vec<Bytes>>,
    /// Taken by turns over all callers.
    pub turn: Arc<AtomicUsize>,
    pub until: Until,
}

/// When a caller ends.
#[derive(Clone, Copy)]
pub enum Until {
    Time(Instant),
    /// So many bodies over all callers.
    Turns(usize),
}

#[derive(Deserialize)]
struct Receipt {
    accepted: u64,
}

#[derive(Default)]
pub struct Published {
    pub accepted: u64,
    pub sent_again: u64,
    pub calls: Times,
}

impl Published {
    pub fn measured(self, records: u64, elapsed: Duration, used: Option<(Used, Used)>) -> Measured {
        let Self { accepted, sent_again, calls } = self;
        Measured { records, answered: accepted, elapsed, sent_again: Some(sent_again), calls, used }
    }
}

impl Worker {
    pub async fn run(self) -> Done<Published> {
        let host = raw::host(&self.client)?;
        let mut connection = Connection::open(host).await?;
        let path = format!("/resources/{}/records?on_invalid=reject", self.code);
        let mut published = Published::default();
        loop {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            let ended = match self.until {
                Until::Time(end) => Instant::now() >= end,
                Until::Turns(turns) => turn >= turns,
            };
            if ended {
                return Ok(published);
            }
            let body = self.bodies[turn % self.bodies.len()].clone();
            let began = Instant::now();
            let mut request = publish_head(&path, host, self.client.key(), self.media_type, body.len());
            request.extend_from_slice(salt().as_bytes());
            request.extend_from_slice(b"\r\n\r\n");
            request.extend_from_slice(&body);
            let (receipt, again) = connection.ask_again(&request).await?;
            let receipt: Receipt = serde_json::from_slice(receipt)
                .map_err(|error| Failure::Failed(format!("{path}: {error}")))?;
            published.calls.push(began.elapsed());
            published.accepted += receipt.accepted;
            published.sent_again += again;
        }
    }
}

pub async fn run(authority: &Client, bench: &Publishing) -> Done<Vec<Row>> {
    let mut targets = Vec::new();
    for _ in 0..bench.resources {
        let provider = setup::agency(authority).await?;
        let code = setup::resource(&provider).await?;
        targets.push((provider.first, code));
    }
    let measured = measure(&targets, bench).await?;
    let Publishing { common, concurrency, resources, .. } = bench;
    let (records, to) = (common.records, if *resources == 1 { "" } else { " to several resources" });
    Ok(vec![measured.row(format!("publish{to}, {records} records a request, {concurrency} callers"))])
}

/// Publishes to each of the resources in turn for some time; what is visible afterwards and was not before counts.
pub async fn measure(targets: &[(Client, String)], bench: &Publishing) -> Done<Measured> {
    let bodies = Arc::new(load::bodies(bench.format, bench.common.records));
    let turn = Arc::new(AtomicUsize::new(0));
    let worker = |(client, code): &(Client, String), until| Worker {
        client: client.clone(),
        code: code.clone(),
        media_type: bench.format.media_type(),
        bodies: bodies.clone(),
        turn: turn.clone(),
        until,
    };
    // The first publish makes the topic, which is not what is measured.
    for (at, target) in targets.iter().enumerate() {
        worker(target, Until::Turns(at + 1)).run().await?;
        turn.store(at + 1, Ordering::Relaxed);
    }
    let before = count(targets).await?;
    let time = Duration::from_secs(bench.seconds);
    let began = Instant::now();
    let started = measure::start(bench.common.pid);
    let mut workers = JoinSet::new();
    for target in targets.iter().cycle().take(usize::from(bench.concurrency)) {
        workers.spawn(worker(target, Until::Time(began + time)).run());
    }
    let all = gather(workers).await?;
    let (elapsed, used) = (began.elapsed(), measure::stop(started));
    let records = count(targets).await?.saturating_sub(before);
    Ok(all.measured(records, elapsed, used))
}

/// Records that are visible in all of the resources.
async fn count(targets: &[(Client, String)]) -> Done<u64> {
    let mut seen = 0;
    for (client, code) in targets {
        seen += visible(client, code).await?;
    }
    Ok(seen)
}

/// Everything that all callers published.
pub async fn gather(mut workers: JoinSet<Done<Published>>) -> Done<Published> {
    let mut all = Published::default();
    while let Some(ended) = workers.join_next().await {
        let published = ended.map_err(|error| Failure::Failed(error.to_string()))??;
        all.accepted += published.accepted;
        all.sent_again += published.sent_again;
        all.calls.extend(published.calls);
    }
    Ok(all)
}

/// The records that are visible in the log, counted by reading all of them as their owner.
pub async fn visible(owner: &Client, code: &str) -> Done<u64> {
    let (mut count, mut cursor) = (0, None::<String>);
    loop {
        let page = owner.read_own(code, cursor.as_deref()).await?;
        if page.is_empty() {
            return Ok(count);
        }
        count += page.records().count() as u64;
        cursor = Some(page.next);
    }
}
