//! `changtong bench live`: how long a record takes from the call that publishes it to those who wait for it. First one
//! event stream at a steady rate, then many readers of many resources, half of them streams and half long polls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};

use super::super::failure::{Done, Failure};
use super::super::publish::salt;
use super::Living;
use super::load::{self, Format};
use super::measure::{self, Times};
use super::process;
use super::report::Row;
use super::setup::{self, Agency};
use crate::client::{CallError, Client, Reading, Said};

/// How long a poll waits; between two it looks whether the bench is over.
const WAIT: Duration = Duration::from_secs(10);
/// How long the last records may take before they are missing.
const PATIENCE: Duration = Duration::from_secs(30);
/// After a refusal that does not say when to come back.
const PAUSE: Duration = Duration::from_millis(200);
/// How often a stream's reader looks whether it is.
const LOOK: Duration = Duration::from_secs(5);
/// Subscriptions made, and readers begun, at once.
const AT_ONCE: usize = 16;

pub async fn run(authority: &Client, bench: &Living) -> Done<Vec<Row>> {
    Ok(vec![steady(authority, bench).await?, crowd(authority, bench).await?])
}

/// When each record was sent, in microseconds since the bench began; by its id.
struct Clock {
    began: Instant,
    sent: Vec<AtomicU64>,
    next: AtomicUsize,
    received: AtomicUsize,
    /// Readers that were told to come back later.
    refused: AtomicUsize,
    over: AtomicBool,
}

impl Clock {
    fn of(records: usize) -> Arc<Self> {
        let sent = (0..records).map(|_| AtomicU64::new(0)).collect();
        Arc::new(Self {
            began: Instant::now(),
            sent,
            next: AtomicUsize::new(0),
            received: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        })
    }

    /// A reader that was refused comes back, and is counted.
    async fn pause(&self, error: CallError) -> Done {
        match &error {
            CallError::Refused(problem) if problem.is_passing() => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                sleep(problem.retry_after.unwrap_or(PAUSE)).await;
                Ok(())
            }
            _ => Err(error.into()),
        }
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// A body of so many records that have never been sent.
    fn body(&self, records: u32) -> Option<bytes::Bytes> {
        let first = self.next.fetch_add(records as usize, Ordering::Relaxed);
        let mine = self.sent.get(first..first + records as usize)?;
        let now = self.began.elapsed().as_micros() as u64;
        mine.iter().for_each(|sent| sent.store(now, Ordering::Release));
        Some(load::body(Format::Ndjson, first as u32, records))
    }

    /// How long the record of a line took until now.
    fn took(&self, line: &[u8]) -> Done<Duration> {
        const BEFORE: &[u8] = br#""record":{"id":"#;
        let at = line.windows(BEFORE.len()).position(|window| window == BEFORE).map(|at| at + BEFORE.len());
        let digits = at.and_then(|at| line.get(at..)).unwrap_or_default();
        let id = digits.iter().take_while(|byte| byte.is_ascii_digit());
        let id = id.fold(0_usize, |id, byte| 10 * id + usize::from(byte - b'0'));
        let sent = self.sent.get(id).map(|sent| sent.load(Ordering::Acquire));
        let sent = sent.ok_or_else(|| Failure::Failed("a record came that nobody sent".into()))?;
        self.received.fetch_add(1, Ordering::Relaxed);
        Ok(self.began.elapsed().saturating_sub(Duration::from_micros(sent)))
    }
}

/// Publishes at a steady rate to the entries in turn: each request sets out at its time, whether earlier ones are
/// answered or not.
async fn publish(
    entries: &[(Client, String)],
    clock: &Clock,
    records: u32,
    every: Duration,
    turns: u64,
) -> Done {
    let mut ticks = interval(every);
    let mut calls = JoinSet::new();
    for (owner, code) in entries.iter().cycle().take(turns as usize) {
        ticks.tick().await;
        let Some(body) = clock.body(records) else { break };
        let (owner, code) = (owner.clone(), code.clone());
        calls.spawn(async move {
            owner.publish(&code, Format::Ndjson.media_type(), "reject", &salt(), body).await.map(drop)
        });
        while let Some(answered) = calls.try_join_next() {
            answered.map_err(|error| Failure::Failed(error.to_string()))??;
        }
    }
    while let Some(answered) = calls.join_next().await {
        answered.map_err(|error| Failure::Failed(error.to_string()))??;
    }
    Ok(())
}

/// One stream, while records are published at a steady rate.
async fn steady(authority: &Client, bench: &Living) -> Done<Row> {
    let (provider, consumer) = (setup::agency(authority).await?, setup::agency(authority).await?);
    let code = setup::resource(&provider).await?;
    let grant = setup::grant(&consumer, &code).await?;
    let subscription = setup::subscription(&consumer, &grant, "live", "end").await?;
    let turns = u64::from(bench.rate) * bench.seconds / u64::from(bench.records);
    let every = Duration::from_secs(bench.seconds) / u32::try_from(turns.max(1)).unwrap_or(u32::MAX);
    let clock = Clock::of((turns + 1) as usize * bench.records as usize);
    let mut readers = JoinSet::new();
    readers.spawn(follow(consumer.first.clone(), subscription, clock.clone()));
    let entries = [(provider.first.clone(), code)];
    // The first publish makes the topic, which is not what is measured.
    publish(&entries, &clock, bench.records, every, 1).await?;
    arrive(&clock, bench.records as usize).await;
    let started = measure::start(bench.pid);
    publish(&entries, &clock, bench.records, every, turns).await?;
    let expected = (turns + 1) as usize * bench.records as usize;
    arrive(&clock, expected).await;
    let used = measure::stop(started);
    clock.over.store(true, Ordering::Relaxed);
    let mut times = stop(readers).await?;
    let cpu = used.map(|(before, after)| after.cpu.saturating_sub(before.cpu).as_secs_f64());
    Ok(Row::new(format!("one stream, {} records a second, {} a request", bench.rate, bench.records))
        .with("records", times.len() as f64)
        .with("missing", expected.saturating_sub(times.len()) as f64)
        .with_some("p50_ms", times.part(50))
        .with_some("p99_ms", times.part(99))
        .with_some("slowest_ms", times.part(100))
        .with_some("cpu_seconds", cpu))
}

/// Many readers of many resources.
async fn crowd(authority: &Client, bench: &Living) -> Done<Row> {
    let (provider, consumer) = (setup::agency(authority).await?, Arc::new(setup::agency(authority).await?));
    let (mut entries, mut grants) = (Vec::new(), Vec::new());
    for _ in 0..bench.resources {
        let code = setup::resource(&provider).await?;
        grants.push(setup::grant(&consumer, &code).await?);
        entries.push((provider.first.clone(), code));
    }
    let turns = u64::from(bench.publishes) * bench.seconds;
    let warm = entries.len() as u64;
    let clock = Clock::of((turns + warm) as usize);
    // Each entry's first publish makes its topic.
    publish(&entries, &clock, 1, Duration::from_millis(20), warm).await?;
    let resident = || bench.pid.and_then(process::used).map(|used| used.resident_mib());
    let without = resident();
    let readers = begin(&consumer, &grants, usize::from(bench.readers), &clock).await?;
    sleep(Duration::from_secs(3)).await;
    let with = resident();
    let started = measure::start(bench.pid);
    let every = Duration::from_secs(1) / bench.publishes.max(1);
    publish(&entries, &clock, 1, every, turns).await?;
    // As many of an entry's readers as there are, for each turn that was its own.
    let of = |entry: usize| (usize::from(bench.readers) + grants.len() - 1 - entry) / grants.len();
    let expected: usize = (0..turns as usize).map(|turn| of(turn % grants.len())).sum();
    arrive(&clock, expected).await;
    let used = measure::stop(started);
    clock.over.store(true, Ordering::Relaxed);
    let mut times = stop(readers).await?;
    let each = with.zip(without).map(|(with, without)| (with - without) * 1024.0 / f64::from(bench.readers));
    let cpu = used.map(|(before, after)| after.cpu.saturating_sub(before.cpu).as_secs_f64());
    Ok(Row::new(format!(
        "{} waiting readers of {} resources, {} records a second",
        bench.readers, bench.resources, bench.publishes
    ))
    .with("deliveries", times.len() as f64)
    .with("missing", expected.saturating_sub(times.len()) as f64)
    .with("refused", clock.refused.load(Ordering::Relaxed) as f64)
    .with_some("p50_ms", times.part(50))
    .with_some("p99_ms", times.part(99))
    .with_some("slowest_ms", times.part(100))
    .with_some("resident_mib_while_they_wait", with)
    .with_some("kib_a_waiting_reader", each)
    .with_some("resident_mib_afterwards", used.map(|(_, after)| after.resident_mib()))
    .with_some("cpu_seconds", cpu))
}

/// Half of them streams, half polls, spread over the grants.
async fn begin(
    consumer: &Arc<Agency>,
    grants: &[String],
    readers: usize,
    clock: &Arc<Clock>,
) -> Done<JoinSet<Done<Times>>> {
    let mut reading = JoinSet::new();
    let numbers: Vec<usize> = (0..readers).collect();
    for some in numbers.chunks(AT_ONCE) {
        let mut made = JoinSet::new();
        for &number in some {
            let (consumer, grant) = (consumer.clone(), grants[number % grants.len()].clone());
            made.spawn(async move {
                let made = setup::subscription(&consumer, &grant, &format!("reader-{number}"), "end").await;
                made.map(|id| (number, id))
            });
        }
        while let Some(ended) = made.join_next().await {
            let (number, id) = ended.map_err(|error| Failure::Failed(error.to_string()))??;
            let (client, clock) = (consumer.first.clone(), clock.clone());
            if number % 2 == 0 {
                reading.spawn(follow(client, id, clock));
            } else {
                reading.spawn(poll(client, id, clock));
            }
        }
    }
    Ok(reading)
}

async fn follow(client: Client, subscription: String, clock: Arc<Clock>) -> Done<Times> {
    let mut reading = Reading { subscription, ..Reading::default() };
    let mut times = Times::default();
    while !clock.is_over() {
        if let Err(error) = stream(&client, &mut reading, &clock, &mut times).await? {
            clock.pause(error).await?;
        }
    }
    Ok(times)
}

/// One stream until the bench is over; what else ended it.
async fn stream(
    client: &Client,
    reading: &mut Reading,
    clock: &Clock,
    times: &mut Times,
) -> Done<Result<(), CallError>> {
    let mut following = match client.follow(reading).await {
        Ok(following) => following,
        Err(error) => return Ok(Err(error)),
    };
    while !clock.is_over() {
        match timeout(LOOK, following.next()).await {
            Ok(Ok(Some(Said::Record { line, id }))) => {
                times.push(clock.took(&line)?);
                reading.cursor = Some(id);
            }
            Ok(Ok(Some(Said::End(problem)))) => return Ok(Err(CallError::Refused(problem))),
            Ok(Ok(Some(_))) | Err(_) => {}
            Ok(Ok(None)) => return Err(Failure::Failed("a stream ended without a reason".into())),
            Ok(Err(error)) => return Ok(Err(error)),
        }
    }
    Ok(Ok(()))
}

async fn poll(client: Client, subscription: String, clock: Arc<Clock>) -> Done<Times> {
    let mut reading = Reading { subscription, wait: WAIT, ..Reading::default() };
    let mut times = Times::default();
    while !clock.is_over() {
        match client.deliver(&reading).await {
            Ok(answered) => {
                for line in answered.records() {
                    times.push(clock.took(line)?);
                }
                reading.cursor = Some(answered.next);
            }
            Err(error) => clock.pause(error).await?,
        }
    }
    Ok(times)
}

/// Waits until so many deliveries came, or no more will.
async fn arrive(clock: &Clock, expected: usize) {
    let all = async {
        while clock.received.load(Ordering::Relaxed) < expected {
            sleep(Duration::from_millis(20)).await;
        }
    };
    // Whatever is missing then is said.
    let _ = timeout(PATIENCE, all).await;
}

/// What all readers measured.
async fn stop(mut readers: JoinSet<Done<Times>>) -> Done<Times> {
    let mut all = Times::default();
    while let Some(ended) = readers.join_next().await {
        all.extend(ended.map_err(|error| Failure::Failed(error.to_string()))??);
    }
    Ok(all)
}
