//! `changtong bench crowd`: what a publish costs, and what memory a server needs, in a catalog of few entries and
//! grants and in one of very many; then how much a thousand waiting readers add.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::super::failure::{Done, Failure};
use super::measure::{self, Measured};
use super::process;
use super::publish::{Until, Worker, gather, visible};
use super::report::Row;
use super::setup::{self, Agency};
use super::{Crowding, load};
use crate::client::{Client, Reading};

/// The few: entries that are published to all along, each with one grant.
const FEW: u32 = 10;
/// Agencies that the many entries and grants belong to.
const AGENCIES: u32 = 10;
/// Resources that the waiting readers wait on.
const WAITED_ON: usize = 50;
/// How long a waiting reader's poll waits.
const WAIT: Duration = Duration::from_secs(60);

pub async fn run(authority: &Client, bench: &Crowding) -> Done<Vec<Row>> {
    let mut providers = Vec::new();
    let mut consumers = Vec::new();
    for _ in 0..AGENCIES {
        providers.push(Arc::new(setup::agency(authority).await?));
        consumers.push(Arc::new(setup::agency(authority).await?));
    }
    let crowd = Crowd { providers, consumers, callers: bench.concurrency };
    let first = crowd.resources(FEW).await?;
    crowd.grants(&first, FEW).await?;
    let mut few = publish(&crowd, &first, bench).await?;
    let cost_of_few = few.cost();

    let began = Instant::now();
    let more = crowd.resources(bench.resources.saturating_sub(FEW)).await?;
    let all: Vec<Entry> = first.iter().cloned().chain(more).collect();
    crowd.grants(&all[FEW as usize..], bench.grants.saturating_sub(FEW)).await?;
    let making = began.elapsed();
    let mut many = publish(&crowd, &first, bench).await?;
    let (ratio, cpu_ratio) = (many.cost().0 / cost_of_few.0, many.cost().1 / cost_of_few.1);

    let waiting = wait(&crowd, &all, bench).await?;
    Ok(vec![
        few.row(FEW, FEW),
        many.row(bench.resources, bench.grants)
            .with("cost_over_that_of_few", ratio)
            .with_some("cpu_over_that_of_few", Some(cpu_ratio))
            .with("made_in_seconds", making.as_secs_f64().round()),
        waiting,
    ])
}

/// An entry and who owns it.
#[derive(Clone)]
struct Entry {
    owner: Arc<Agency>,
    code: String,
}

struct Crowd {
    providers: Vec<Arc<Agency>>,
    consumers: Vec<Arc<Agency>>,
    callers: u16,
}

impl Crowd {
    /// Makes so many published entries, spread over the providers.
    async fn resources(&self, count: u32) -> Done<Vec<Entry>> {
        let providers = self.providers.clone();
        self.many(count as usize, move |at| {
            let owner = providers[at % providers.len()].clone();
            async move { Ok(Entry { code: setup::resource(&owner).await?, owner }) }
        })
        .await
    }

    /// Makes so many grants: each consumer in turn on all entries.
    async fn grants(&self, entries: &[Entry], count: u32) -> Done<Vec<String>> {
        let (consumers, entries) = (self.consumers.clone(), Arc::<[Entry]>::from(entries));
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        self.many(count as usize, move |at| {
            let (entry, consumer) = (
                entries[at % entries.len()].clone(),
                consumers[at / entries.len() % consumers.len()].clone(),
            );
            async move { setup::grant(&consumer, &entry.code).await }
        })
        .await
    }

    /// Does something so many times, as many at once as there are callers.
    async fn many<T, F>(
        &self,
        count: usize,
        make: impl Fn(usize) -> F + Send + Sync + 'static,
    ) -> Done<Vec<T>>
    where
        T: Send + 'static,
        F: Future<Output = Done<T>> + Send + 'static,
    {
        let (turn, make) = (Arc::new(AtomicUsize::new(0)), Arc::new(make));
        let mut callers = JoinSet::new();
        for _ in 0..self.callers {
            let (turn, make) = (turn.clone(), make.clone());
            callers.spawn(async move {
                let mut made = Vec::new();
                loop {
                    let at = turn.fetch_add(1, Ordering::Relaxed);
                    if at >= count {
                        return Ok::<_, Failure>(made);
                    }
                    made.push(make(at).await?);
                }
            });
        }
        let mut all = Vec::with_capacity(count);
        while let Some(ended) = callers.join_next().await {
            all.extend(ended.map_err(|error| Failure::Failed(error.to_string()))??);
        }
        Ok(all)
    }
}

/// Publishing to the few, measured several times over.
struct Cost {
    turns: Vec<Measured>,
}

impl Cost {
    /// Medians over the turns: microseconds of one publish over all callers, and of the server's processor time.
    fn cost(&self) -> (f64, f64) {
        let time = self.turns.iter().map(|turn| turn.elapsed.as_secs_f64() * 1e6 / turn.records as f64);
        let cpu = self.turns.iter().map(|turn| {
            let used = turn.used.map(|(before, after)| after.cpu.saturating_sub(before.cpu));
            used.map_or(f64::NAN, |cpu| cpu.as_secs_f64() * 1e6 / turn.records as f64)
        });
        (median(time.collect()), median(cpu.collect()))
    }

    fn row(&mut self, resources: u32, grants: u32) -> Row {
        let (cost, cpu) = self.cost();
        let mut all = Measured::default();
        for turn in self.turns.drain(..) {
            all.records += turn.records;
            all.answered += turn.answered;
            all.elapsed += turn.elapsed;
            all.calls.extend(turn.calls);
            all.used = match (all.used, turn.used) {
                (Some((before, _)), Some((_, after))) => Some((before, after)),
                (None, used) => used,
                (used, None) => used,
            };
        }
        all.row(format!("publish one record a request, {resources} resources, {grants} grants"))
            .with("publish_us", cost)
            .with_some("publish_cpu_us", Some(cpu))
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Publishes one record a request to each of the entries in turn, several times for some seconds.
async fn publish(crowd: &Crowd, entries: &[Entry], bench: &Crowding) -> Done<Cost> {
    let bodies = Arc::new(load::bodies(load::Format::Ndjson, 1));
    let worker = |entry: &Entry, until| Worker {
        client: entry.owner.first.clone(),
        code: entry.code.clone(),
        media_type: load::Format::Ndjson.media_type(),
        bodies: bodies.clone(),
        turn: Arc::new(AtomicUsize::new(0)),
        until,
    };
    for entry in entries {
        worker(entry, Until::Turns(1)).run().await?;
    }
    let mut turns = Vec::new();
    for _ in 0..bench.turns {
        let before = count(entries).await?;
        let (began, started) = (Instant::now(), measure::start(bench.pid));
        let end = began + Duration::from_secs(bench.seconds);
        let mut workers = JoinSet::new();
        for caller in 0..usize::from(crowd.callers) {
            workers.spawn(worker(&entries[caller % entries.len()], Until::Time(end)).run());
        }
        let all = gather(workers).await?;
        let (elapsed, used) = (began.elapsed(), measure::stop(started));
        let records = count(entries).await? - before;
        turns.push(all.measured(records, elapsed, used));
    }
    Ok(Cost { turns })
}

/// Records that are visible in all of the entries.
async fn count(entries: &[Entry]) -> Done<u64> {
    let mut all = 0;
    for entry in entries {
        all += visible(&entry.owner.first, &entry.code).await?;
    }
    Ok(all)
}

/// Lets readers wait on some of the entries, and says what memory that takes.
async fn wait(crowd: &Crowd, entries: &[Entry], bench: &Crowding) -> Done<Row> {
    let resident = || bench.pid.and_then(process::used).map(|used| used.resident_mib());
    let without = resident();
    let consumer = crowd.consumers.first().ok_or_else(|| Failure::Failed("no consumer".into()))?;
    let mut grants = Vec::new();
    for entry in entries.iter().take(WAITED_ON) {
        // Granted once more: a consumer may have several grants on an entry.
        grants.push(setup::grant(consumer, &entry.code).await?);
    }
    let grants = Arc::new(grants);
    let consumer_of_all = consumer.clone();
    let readers = bench.waiting as usize;
    let ids = crowd
        .many(readers, move |at| {
            let (grants, consumer) = (grants.clone(), consumer_of_all.clone());
            async move {
                let grant = &grants[at % grants.len()];
                setup::subscription(&consumer, grant, &format!("waiting-{at}"), "end").await
            }
        })
        .await?;
    let mut waiting = JoinSet::new();
    for subscription in ids {
        let client = consumer.first.clone();
        waiting.spawn(async move {
            client.deliver(&Reading { subscription, wait: WAIT, ..Reading::default() }).await
        });
    }
    sleep(WAIT / 4).await;
    let still = waiting.len();
    let with = resident();
    waiting.shutdown().await;
    Ok(Row::new(format!("{readers} waiting readers on {WAITED_ON} resources"))
        .with("waiting", still as f64)
        .with_some("resident_mib", with)
        .with_some("resident_mib_without_them", without)
        .with_some(
            "kib_for_each",
            with.zip(without).map(|(with, without)| (with - without) * 1024.0 / still as f64),
        ))
}
