//! `changtong bench deliver`

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use super::super::failure::{Done, Failure};
use super::super::text;
use super::measure::{self, Measured};
use super::publish::{Until, Worker, gather, visible};
use super::{Delivering, load, setup};
use crate::client::{CallError, Client, Reading};

/// After a refusal that will pass and does not say when.
const PAUSE: Duration = Duration::from_millis(100);
/// Callers that publish what is to be read.
const PUBLISHERS: usize = 4;

pub async fn run(authority: &Client, bench: &Delivering) -> Done<Measured> {
    let provider = setup::agency(authority).await?;
    let code = setup::resource(&provider).await?;
    fill(&provider.first, &code, bench).await?;
    let visible = visible(&provider.first, &code).await?;
    let consumer = setup::agency(authority).await?;
    let grant = setup::grant(&consumer, &code).await?;
    let mut subscriptions = Vec::new();
    for number in 0..bench.concurrency {
        let body = json!({ "name": format!("reader-{number}"), "from": "start" });
        let made = consumer.first.post(&format!("/grants/{grant}/subscriptions"), &body).await?;
        subscriptions.push(text(&made.body, "/id"));
    }
    let began = Instant::now();
    let started = measure::start(bench.common.pid);
    let mut readers = JoinSet::new();
    for subscription in subscriptions {
        readers.spawn(read(consumer.first.clone(), subscription, bench.limit, visible));
    }
    let mut measured =
        Measured { what: "deliver", answered: visible * u64::from(bench.concurrency), ..Measured::default() };
    while let Some(ended) = readers.join_next().await {
        let (lines, calls) = ended.map_err(|error| Failure::Failed(error.to_string()))??;
        measured.records += lines;
        measured.calls.extend(calls);
    }
    measured.elapsed = began.elapsed();
    measured.used = measure::stop(started);
    Ok(measured)
}

async fn fill(owner: &Client, code: &str, bench: &Delivering) -> Done {
    let bodies = Arc::new(load::bodies(bench.common.format, bench.common.records));
    let turn = Arc::new(AtomicUsize::new(0));
    let turns = (bench.thousands as usize * 1000).div_ceil(bench.common.records as usize);
    let worker = || Worker {
        client: owner.clone(),
        code: code.to_owned(),
        media_type: bench.common.format.media_type(),
        bodies: bodies.clone(),
        turn: turn.clone(),
        until: Until::Turns(turns),
    };
    let mut workers = JoinSet::new();
    for _ in 0..PUBLISHERS {
        workers.spawn(worker().run());
    }
    gather(workers).await.map(|_| ())
}

/// Reads everything, acknowledging each answer as a consumer would.
async fn read(client: Client, subscription: String, limit: u64, wanted: u64) -> Done<(u64, Vec<Duration>)> {
    let mut reading = Reading { subscription, limit: Some(limit), ..Reading::default() };
    let (mut lines, mut calls) = (0, Vec::new());
    while lines < wanted {
        let began = Instant::now();
        let answered = match client.deliver(&reading).await {
            Ok(answered) => answered,
            // A limit or a full server holds readers up; that is part of what is measured.
            Err(CallError::Refused(problem)) if problem.is_passing() => {
                tokio::time::sleep(problem.retry_after.unwrap_or(PAUSE)).await;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        if answered.is_empty() {
            return Err(Failure::Failed(format!(
                "a reader was told the end after {lines} of {wanted} records"
            )));
        }
        calls.push(began.elapsed());
        lines += answered.records().count() as u64;
        client.acknowledge(&reading.subscription, &answered).await?;
        reading.cursor = Some(answered.next);
    }
    Ok((lines, calls))
}
