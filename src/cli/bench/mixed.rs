//! `changtong bench mixed`: everything that a server does all day, at a moderate pace and for long, while its memory is
//! watched. Flat means: the last quarter's median is within a tenth of the second quarter's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};

use super::super::failure::{Done, Failure};
use super::super::publish::salt;
use super::report::Row;
use super::setup::{self, Agency};
use super::{Mixing, load, process};
use crate::client::{CallError, Client, Reading};

/// Resources that are published to in turn.
const RESOURCES: usize = 5;
/// Records of a publish.
const RECORDS: u32 = 10;
/// Callers that share a pace, so that one slow call doesn't hold up the next.
const CALLERS: usize = 8;
/// Between two looks at the server's memory.
const SAMPLE: Duration = Duration::from_secs(2);
/// How long a reader's poll waits.
const WAIT: Duration = Duration::from_secs(10);
/// Every so many publishes a bad record comes, and every so many one that was sent before.
const BAD: usize = 50;
const AGAIN: usize = 20;

#[derive(Default)]
struct Counts {
    published: AtomicU64,
    refused: AtomicU64,
    delivered: AtomicU64,
    acknowledged: AtomicU64,
    looked: AtomicU64,
    ended: AtomicBool,
}

impl Counts {
    fn goes_on(&self) -> bool {
        !self.ended.load(Ordering::Relaxed)
    }
}

fn count(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

pub async fn run(authority: &Client, bench: &Mixing) -> Done<Vec<Row>> {
    let provider = Arc::new(setup::agency(authority).await?);
    let consumer = Arc::new(setup::agency(authority).await?);
    let (mut codes, mut grants) = (Vec::new(), Vec::new());
    for _ in 0..RESOURCES {
        let code = setup::resource(&provider).await?;
        grants.push(setup::grant(&consumer, &code).await?);
        codes.push(code);
    }
    let counts = Arc::new(Counts::default());
    let mut tasks = JoinSet::new();
    for number in 0..usize::from(bench.readers) {
        let grant = &grants[number % grants.len()];
        let subscription = setup::subscription(&consumer, grant, &format!("mixed-{number}"), "end").await?;
        tasks.spawn(read(consumer.first.clone(), subscription, counts.clone()));
    }
    let codes: Arc<[String]> = codes.into();
    let turn = Arc::new(AtomicUsize::new(0));
    for _ in 0..CALLERS {
        tasks.spawn(publish(
            provider.clone(),
            codes.clone(),
            pace(bench.publishes),
            turn.clone(),
            counts.clone(),
        ));
        tasks.spawn(look(consumer.clone(), codes.clone(), pace(bench.looks), counts.clone()));
    }
    let began = Instant::now();
    let end = began + Duration::from_secs(bench.minutes * 60);
    let mut samples = Vec::new();
    while Instant::now() < end {
        sleep(SAMPLE).await;
        if let Some(ended) = tasks.try_join_next() {
            ended.map_err(|error| Failure::Failed(error.to_string()))??;
        }
        let used = process::used(bench.pid);
        let used = used.ok_or_else(|| Failure::Failed(format!("there is no process {}", bench.pid)))?;
        samples.push((began.elapsed(), used.resident_mib()));
    }
    counts.ended.store(true, Ordering::Relaxed);
    tasks.shutdown().await;
    Ok(vec![row(&counts, &samples, began.elapsed())])
}

fn row(counts: &Counts, samples: &[(Duration, f64)], elapsed: Duration) -> Row {
    let a_second = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64 / elapsed.as_secs_f64();
    let quarter = |number: usize| {
        let length = samples.len() / 4;
        let part = samples.get(number * length..(number + 1) * length).unwrap_or_default();
        let mut resident: Vec<f64> = part.iter().map(|(_, mib)| *mib).collect();
        resident.sort_unstable_by(f64::total_cmp);
        resident.get(resident.len() / 2).copied()
    };
    let ratio = quarter(3).zip(quarter(1)).map(|(last, second)| last / second);
    let most = samples.iter().map(|(_, mib)| *mib).max_by(f64::total_cmp);
    Row::new(format!("mixed, {} minutes", elapsed.as_secs() / 60))
        .with("records_published_per_second", a_second(&counts.published))
        .with("publishes_refused_per_second", a_second(&counts.refused))
        .with("records_delivered_per_second", a_second(&counts.delivered))
        .with("acknowledgements_per_second", a_second(&counts.acknowledged))
        .with("looks_per_second", a_second(&counts.looked))
        .with_some("resident_mib_first_quarter", quarter(0))
        .with_some("resident_mib_second_quarter", quarter(1))
        .with_some("resident_mib_third_quarter", quarter(2))
        .with_some("resident_mib_last_quarter", quarter(3))
        .with_some("resident_mib_most", most)
        .with_some("last_quarter_over_second", ratio)
        .with_some("slope_mib_per_hour", slope(&samples[samples.len() / 4..]))
}

/// The slope of the straight line that fits best, in MiB an hour.
fn slope(samples: &[(Duration, f64)]) -> Option<f64> {
    let n = samples.len() as f64;
    let hours = |time: &Duration| time.as_secs_f64() / 3600.0;
    let (mean_x, mean_y) =
        samples.iter().fold((0.0, 0.0), |(x, y), (time, mib)| (x + hours(time) / n, y + mib / n));
    let (over, under) = samples.iter().fold((0.0, 0.0), |(over, under), (time, mib)| {
        let x = hours(time) - mean_x;
        (over + x * (mib - mean_y), under + x * x)
    });
    (under > 0.0).then(|| over / under)
}

/// The share of one of the callers in a pace.
fn pace(a_second: u32) -> Interval {
    let mut ticks = interval(Duration::from_secs_f64(CALLERS as f64 / f64::from(a_second)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Publishes, now and then a record that does not fit, now and then the same again under its key.
async fn publish(
    owner: Arc<Agency>,
    codes: Arc<[String]>,
    mut ticks: Interval,
    turn: Arc<AtomicUsize>,
    counts: Arc<Counts>,
) -> Done {
    let format = load::Format::Ndjson;
    while counts.goes_on() {
        ticks.tick().await;
        let at = turn.fetch_add(1, Ordering::Relaxed);
        let code = &codes[at % codes.len()];
        let first = u32::try_from(at % 1_000_000).unwrap_or(0) * RECORDS;
        let body = match at % BAD {
            0 => bytes::Bytes::from_static(b"{\"id\":\"not a number\"}\n"),
            _ => load::body(format, first, RECORDS),
        };
        let key = salt();
        let times = if at.is_multiple_of(AGAIN) { 2 } else { 1 };
        for _ in 0..times {
            match owner.first.publish(code, format.media_type(), "reject", &key, body.clone()).await {
                Ok(receipt) if receipt.get("replayed").and_then(Value::as_bool) == Some(true) => {}
                Ok(_) => count(&counts.published, u64::from(RECORDS)),
                Err(CallError::Refused(problem)) if problem.status == 422 => count(&counts.refused, 1),
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// Reads what comes and acknowledges each answer.
async fn read(client: Client, subscription: String, counts: Arc<Counts>) -> Done {
    let mut reading = Reading { subscription, wait: WAIT, ..Reading::default() };
    while counts.goes_on() {
        let answered = match client.deliver(&reading).await {
            Ok(answered) => answered,
            Err(CallError::Refused(problem)) if problem.is_passing() => {
                sleep(problem.retry_after.unwrap_or(Duration::from_millis(100))).await;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        count(&counts.delivered, answered.records().count() as u64);
        if !answered.is_empty() {
            client.acknowledge(&reading.subscription, &answered).await?;
            count(&counts.acknowledged, 1);
        }
        reading.cursor = Some(answered.next);
    }
    Ok(())
}

/// Looks things up, one kind after the other, and now and then what is not there.
async fn look(consumer: Arc<Agency>, codes: Arc<[String]>, mut ticks: Interval, counts: Arc<Counts>) -> Done {
    let paths: Vec<String> = codes
        .iter()
        .flat_map(|code| [format!("/resources/{code}"), format!("/resources/{code}/schema")])
        .chain(
            ["/whoami", "/resources?q=bench", "/grants", "/resources/3000009999-000001"].map(str::to_owned),
        )
        .collect();
    for path in paths.iter().cycle() {
        if !counts.goes_on() {
            break;
        }
        ticks.tick().await;
        match consumer.first.get(path).await {
            Ok(_) => count(&counts.looked, 1),
            Err(CallError::Refused(problem)) if problem.status == 404 => count(&counts.looked, 1),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_grows_is_told_from_one_that_does_not() {
        let samples = |grows: f64| -> Vec<(Duration, f64)> {
            (0..400)
                .map(|at| (Duration::from_secs(at), 100.0 + grows * at as f64 + (at % 7) as f64))
                .collect()
        };
        let flat = row(&Counts::default(), &samples(0.0), Duration::from_secs(400));
        let grown = row(&Counts::default(), &samples(0.2), Duration::from_secs(400));
        let ratio = |row: &Row| row.figure("last_quarter_over_second").unwrap();
        assert!((ratio(&flat) - 1.0).abs() < 0.01, "{flat:?}");
        assert!(ratio(&grown) > 1.1, "{grown:?}");
        let hourly = grown.figure("slope_mib_per_hour").unwrap();
        assert!((hourly - 720.0).abs() < 10.0, "{hourly}");
    }
}
