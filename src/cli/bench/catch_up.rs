//! `changtong bench catch-up`: how long live readers wait for a record, without and with a reader beside them that
//! reads everything from the start. Both are measured in turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::super::failure::{Done, Failure};
use super::super::publish::salt;
use super::measure::{self, Times};
use super::report::Row;
use super::{CatchingUp, deliver, load, setup};
use crate::client::{CallError, Client, Reading};

/// Live records are numbered from here on, above every record of the backlog.
const FIRST_LIVE: u32 = 1_000_000_000;
/// How long a live reader's poll waits for a record.
const WAIT: Duration = Duration::from_secs(20);
/// A grant has 64 subscriptions at most, unless the server's settings say otherwise.
const OF_ONE_AGENCY: usize = 50;
/// Lines that a reader held to a rate takes at once: as steadily as a sink writes what it reads, and not in bursts with
/// pauses between them, which would meet the live records or not.
const STEP: u64 = 1000;
/// Lines between its acknowledgements.
const ACKNOWLEDGED: u64 = 10_000;
/// After a change of what runs, before anything is measured.
const SETTLE: Duration = Duration::from_secs(1);
/// How long a turn is. The halves take turns, so that what else the machine does meets both.
const TURN: u64 = 5;

/// What all tasks share.
struct Live {
    /// When each live record was given to the server, in their order.
    sent: Mutex<Vec<Instant>>,
    /// From the publish call's beginning to the line at a reader.
    times: Mutex<Times>,
    /// How long the publish calls took.
    calls: Mutex<Times>,
    measuring: AtomicBool,
    ended: AtomicBool,
}

/// The reader that catches up: whether it is to read, and what it has read.
#[derive(Default)]
struct CatchUp {
    reads: AtomicBool,
    /// It has no answer under way.
    rests: AtomicBool,
    lines: AtomicU64,
    ended: AtomicBool,
}

/// One half: all that was measured in its turns.
#[derive(Default)]
struct Half {
    times: Times,
    calls: Times,
    elapsed: Duration,
    cpu: Option<Duration>,
    lines: u64,
}

pub async fn run(authority: &Client, bench: &CatchingUp) -> Done<Vec<Row>> {
    let provider = setup::agency(authority).await?;
    let code = setup::resource(&provider).await?;
    deliver::fill(&provider.first, &code, &bench.common, bench.thousands).await?;
    let live = Arc::new(Live {
        sent: Mutex::default(),
        times: Mutex::default(),
        calls: Mutex::default(),
        measuring: AtomicBool::new(false),
        ended: AtomicBool::new(false),
    });
    let mut readers = JoinSet::new();
    for first in (0..bench.readers).step_by(OF_ONE_AGENCY) {
        let (consumer, grant) = consumer(authority, &code).await?;
        for number in first..bench.readers.min(first + OF_ONE_AGENCY as u16) {
            let subscription =
                setup::subscription(&consumer, &grant, &format!("live-{number}"), "end").await?;
            readers.spawn(follow(consumer.first.clone(), subscription, live.clone()));
        }
    }
    let publisher =
        tokio::spawn(publish(provider.first.clone(), code.clone(), bench.publishes, live.clone()));
    let catch_up = Arc::new(CatchUp::default());
    let (consumer, grant) = consumer(authority, &code).await?;
    let reading = setup::subscription(&consumer, &grant, "catch-up", "start").await?;
    let catching = tokio::spawn(catch(consumer.first.clone(), reading, bench.rate, catch_up.clone()));

    let (mut alone, mut beside) = (Half::default(), Half::default());
    let turns = bench.seconds.div_ceil(TURN);
    let time = Duration::from_secs(bench.seconds) / u32::try_from(turns).unwrap_or(u32::MAX);
    for turn in 0..turns {
        // What one half leaves behind for the next meets both alike.
        for reads in [turn % 2 == 1, turn % 2 == 0] {
            catch_up.reads.store(reads, Ordering::Relaxed);
            while catch_up.rests.load(Ordering::Relaxed) == reads && !catching.is_finished() {
                sleep(Duration::from_millis(1)).await;
            }
            let half = if reads { &mut beside } else { &mut alone };
            half.turn(&live, &catch_up, time, bench.common.pid).await;
        }
    }
    catch_up.ended.store(true, Ordering::Relaxed);
    live.ended.store(true, Ordering::Relaxed);
    let failed = |error: tokio::task::JoinError| Failure::Failed(error.to_string());
    catching.await.map_err(failed)??;
    publisher.await.map_err(failed)??;
    // A reader ends by itself only if it failed.
    while let Some(ended) = readers.try_join_next() {
        ended.map_err(failed)??;
    }
    readers.shutdown().await;

    let slower = |percent, alone: &mut Times, beside: &mut Times| {
        Some((beside.part(percent)? / alone.part(percent)? - 1.0) * 100.0)
    };
    let [p50, p99] = [50, 99].map(|part| slower(part, &mut alone.times, &mut beside.times));
    let caught = beside.lines as f64 / beside.elapsed.as_secs_f64();
    let readers = bench.readers;
    Ok(vec![
        alone.row(format!("{readers} live readers, alone")),
        beside
            .row(format!("{readers} live readers beside one that catches up"))
            .with("catch_up_records_per_second", caught.round())
            .with_some("p50_slower_percent", p50)
            .with_some("p99_slower_percent", p99),
    ])
}

async fn consumer(authority: &Client, code: &str) -> Done<(setup::Agency, String)> {
    let consumer = setup::agency(authority).await?;
    let grant = setup::grant(&consumer, code).await?;
    Ok((consumer, grant))
}

impl Half {
    /// Measures for a while what readers wait, and what the server used.
    async fn turn(&mut self, live: &Live, catch_up: &CatchUp, time: Duration, pid: Option<u32>) {
        sleep(SETTLE).await;
        let (before, began, started) =
            (catch_up.lines.load(Ordering::Relaxed), Instant::now(), measure::start(pid));
        live.measuring.store(true, Ordering::Relaxed);
        sleep(time).await;
        live.measuring.store(false, Ordering::Relaxed);
        let used = measure::stop(started).map(|(before, after)| after.cpu.saturating_sub(before.cpu));
        self.cpu = used.map(|used| used + self.cpu.unwrap_or_default());
        self.elapsed += began.elapsed();
        self.lines += catch_up.lines.load(Ordering::Relaxed) - before;
        self.times.extend(std::mem::take(&mut *live.times.lock()));
        self.calls.extend(std::mem::take(&mut *live.calls.lock()));
    }

    fn row(mut self, name: String) -> Row {
        Row::new(name)
            .with("deliveries", self.times.len() as f64)
            .with_some("p50_ms", self.times.part(50))
            .with_some("p99_ms", self.times.part(99))
            .with_some("slowest_ms", self.times.part(100))
            .with_some("publish_p50_ms", self.calls.part(50))
            .with_some("publish_p99_ms", self.calls.part(99))
            .with_some("cores_used", self.cpu.map(|cpu| cpu.as_secs_f64() / self.elapsed.as_secs_f64()))
    }
}

/// One record at a time, after pauses of uneven length, so that they are in step with nothing.
async fn publish(owner: Client, code: String, a_second: u32, live: Arc<Live>) -> Done {
    let pause = Duration::from_secs(1) / a_second;
    let mut random = 1_u32;
    while !live.ended.load(Ordering::Relaxed) {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // Half as long to one and a half times as long.
        sleep(pause / 2 + pause.mul_f64(f64::from(random >> 8) / f64::from(1 << 24))).await;
        let number = {
            let mut sent = live.sent.lock();
            sent.push(Instant::now());
            u32::try_from(sent.len() - 1).unwrap_or(u32::MAX)
        };
        let format = load::Format::Ndjson;
        let body = load::body(format, FIRST_LIVE.saturating_add(number), 1);
        let called = Instant::now();
        owner.publish(&code, format.media_type(), "reject", &salt(), body).await?;
        if live.measuring.load(Ordering::Relaxed) {
            live.calls.lock().push(called.elapsed());
        }
    }
    Ok(())
}

/// Reads what comes, poll after poll, and acknowledges once a second.
async fn follow(client: Client, subscription: String, live: Arc<Live>) -> Done {
    let mut reading = Reading { subscription, wait: WAIT, ..Reading::default() };
    let mut acknowledged = Instant::now();
    loop {
        let answered = match client.deliver(&reading).await {
            Ok(answered) => answered,
            Err(CallError::Refused(problem)) if problem.is_passing() => {
                sleep(problem.retry_after.unwrap_or(Duration::from_millis(100))).await;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let now = Instant::now();
        if live.measuring.load(Ordering::Relaxed) {
            let numbers = answered.records().filter_map(number);
            let sent = live.sent.lock();
            let times: Vec<Duration> =
                numbers.filter_map(|at| Some(now.saturating_duration_since(*sent.get(at)?))).collect();
            drop(sent);
            times.into_iter().for_each(|time| live.times.lock().push(time));
        }
        if acknowledged.elapsed() >= Duration::from_secs(1) && !answered.is_empty() {
            client.acknowledge(&reading.subscription, &answered).await?;
            acknowledged = Instant::now();
        }
        reading.cursor = Some(answered.next);
    }
}

/// The live record's number, from its line.
fn number(line: &[u8]) -> Option<usize> {
    const BEFORE: &str = "\"record\":{\"id\":";
    let line = std::str::from_utf8(line).ok()?;
    let rest = &line[line.find(BEFORE)? + BEFORE.len()..];
    let digits = rest.split(|letter: char| !letter.is_ascii_digit()).next()?;
    digits.parse::<usize>().ok()?.checked_sub(FIRST_LIVE as usize)
}

/// Reads from the start again and again while it is to, at most so many records a second.
async fn catch(client: Client, subscription: String, rate: u64, all: Arc<CatchUp>) -> Done {
    let limit = (rate > 0).then_some(STEP);
    let mut reading = Reading { subscription, limit, ..Reading::default() };
    let (mut began, mut read, mut acknowledged) = (Instant::now(), 0_u64, 0);
    while !all.ended.load(Ordering::Relaxed) {
        let reads = all.reads.load(Ordering::Relaxed);
        all.rests.store(!reads, Ordering::Relaxed);
        if !reads {
            sleep(Duration::from_millis(20)).await;
            (began, read, acknowledged) = (Instant::now(), 0, 0);
            continue;
        }
        let answered = match client.deliver(&reading).await {
            Ok(answered) => answered,
            Err(CallError::Refused(problem)) if problem.is_passing() => {
                sleep(problem.retry_after.unwrap_or(Duration::from_millis(100))).await;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        if answered.is_empty() {
            let path = format!("/subscriptions/{}/seek", reading.subscription);
            client.post(&path, &json!({ "from": "start" })).await?;
            reading.cursor = None;
            continue;
        }
        let lines = answered.records().count() as u64;
        all.lines.fetch_add(lines, Ordering::Relaxed);
        read += lines;
        if read - acknowledged >= ACKNOWLEDGED {
            client.acknowledge(&reading.subscription, &answered).await?;
            acknowledged = read;
        }
        reading.cursor = Some(answered.next);
        if rate > 0 {
            let due = Duration::from_secs_f64(read as f64 / rate as f64);
            sleep(due.saturating_sub(began.elapsed())).await;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_record_is_known_by_its_number() {
        let line =
            |id: u64| format!(r#"{{"id":"1.0.7","op":"upsert","k":"x","record":{{"id":{id},"a":1}}}}"#);
        assert_eq!(number(line(1_000_000_012).as_bytes()), Some(12));
        assert_eq!(number(line(12).as_bytes()), None, "one of the backlog");
        assert_eq!(number(b"{\"next\":\"c\"}"), None);
    }
}
