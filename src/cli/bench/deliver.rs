//! `changtong bench deliver`: each reader is granted some of the items, and a filter that every row passes: a row that
//! does not pass would come as a short line without items.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use changtong_catalog::error::Refusal;
use changtong_connectors::avro::container::Layout;
use clap::ValueEnum;
use tokio::task::JoinSet;

use super::super::failure::{Done, Failure};
use super::load::Format;
use super::measure::{self, Measured, Times};
use super::publish::{Until, Worker, gather, visible};
use super::report::Row;
use super::{Common, Delivering, load, setup};
use crate::client::{Answered, CallError, Client, Reading};

/// After a refusal that will pass and does not say when.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a read waits for records, all of which are there: an empty answer is a fault.
const WAIT: Duration = Duration::from_secs(10);
/// Callers that publish what is to be read.
const PUBLISHERS: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Lines of JSON
    Ndjson,
    /// Container files
    Avro,
}

impl Form {
    const fn name(self) -> &'static str {
        match self {
            Self::Ndjson => "NDJSON",
            Self::Avro => "Avro",
        }
    }

    /// One read, and how many records it brought.
    async fn read(self, client: &Client, reading: &Reading) -> Result<(u64, Answered), CallError> {
        match self {
            Self::Ndjson => {
                let answered = client.deliver(reading).await?;
                Ok((answered.records().count() as u64, answered))
            }
            Self::Avro => {
                let (file, answered) = client.deliver_file(reading).await?;
                let records = in_file(&file).map_err(|refusal| CallError::Broken(refusal.text.en))?;
                Ok((records, answered))
            }
        }
    }
}

/// How many records the blocks of a container file say that they hold.
fn in_file(file: &[u8]) -> Result<u64, Refusal> {
    let (mut layout, mut records) = (Layout::of(file)?, 0);
    while let Some(block) = layout.block()? {
        records += block.records;
    }
    Ok(records)
}

pub async fn run(authority: &Client, bench: &Delivering) -> Done<Vec<Row>> {
    let provider = setup::agency(authority).await?;
    let code = setup::resource(&provider).await?;
    fill(&provider.first, &code, &bench.common, bench.thousands).await?;
    let visible = visible(&provider.first, &code).await?;
    let consumer = setup::agency(authority).await?;
    let grant = setup::narrow_grant(&consumer, &code).await?;
    let mut subscriptions = Vec::new();
    for number in 0..bench.concurrency {
        let name = format!("reader-{number}");
        subscriptions.push(setup::subscription(&consumer, &grant, &name, "start").await?);
    }
    let began = Instant::now();
    let started = measure::start(bench.common.pid);
    let mut readers = JoinSet::new();
    for subscription in subscriptions {
        let reading = Reading { subscription, limit: Some(bench.limit), wait: WAIT, ..Reading::default() };
        readers.spawn(read(consumer.first.clone(), reading, bench.format, visible));
    }
    let readers_count = bench.concurrency;
    let mut measured = Measured { answered: visible * u64::from(readers_count), ..Measured::default() };
    while let Some(ended) = readers.join_next().await {
        let (lines, calls) = ended.map_err(|error| Failure::Failed(error.to_string()))??;
        measured.records += lines;
        measured.calls.extend(calls);
    }
    measured.elapsed = began.elapsed();
    measured.used = measure::stop(started);
    let (items, form) = (load::SOME_ITEMS.len(), bench.format.name());
    Ok(vec![measured.row(format!(
        "deliver {items} items of filtered rows as {form}, {readers_count} subscriptions together"
    ))])
}

/// Publishes so many thousand records.
pub async fn fill(owner: &Client, code: &str, common: &Common, thousands: u32) -> Done {
    let bodies = Arc::new(load::bodies(Format::Ndjson, common.records));
    let turn = Arc::new(AtomicUsize::new(0));
    let turns = (thousands as usize * 1000).div_ceil(common.records as usize);
    let worker = || Worker {
        client: owner.clone(),
        code: code.to_owned(),
        media_type: Format::Ndjson.media_type(),
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
async fn read(client: Client, mut reading: Reading, form: Form, wanted: u64) -> Done<(u64, Times)> {
    let (mut lines, mut calls) = (0, Times::default());
    while lines < wanted {
        let began = Instant::now();
        let (records, answered) = match form.read(&client, &reading).await {
            Ok(read) => read,
            // A limit or a full server holds readers up; that is part of what is measured.
            Err(CallError::Refused(problem)) if problem.is_passing() => {
                tokio::time::sleep(problem.retry_after.unwrap_or(PAUSE)).await;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        if records == 0 {
            return Err(Failure::Failed(format!(
                "a reader was told the end after {lines} of {wanted} records"
            )));
        }
        calls.push(began.elapsed());
        lines += records;
        client.acknowledge(&reading.subscription, &answered).await?;
        reading.cursor = Some(answered.next);
    }
    Ok((lines, calls))
}
