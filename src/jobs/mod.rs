//! Background work. Each job runs at its own pace, may be run any number of times, and reports failures instead of
//! ending: also that it broke off.

mod background;
mod lease;

use std::sync::Arc;
use std::time::{Duration, Instant};

use changtong_catalog::actions::expire_grants;
use changtong_catalog::clock::Clock as _;
use changtong_catalog::error::Refusal;
use changtong_catalog::grant::Grant;
use changtong_catalog::ports::Ended;
use futures::future::BoxFuture;
use tokio::time::MissedTickBehavior;
use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::connectors;
pub use background::Background;
pub use lease::keep as keep_lease;

/// One kind of work and how often it is done.
struct Job {
    name: &'static str,
    every: Duration,
    run: fn(&App) -> BoxFuture<'_, Result<(), Refusal>>,
}

const JOBS: &[Job] = &[
    Job { name: "settle", every: Duration::from_secs(1), run: |app| Box::pin(app.gate.tick()) },
    Job {
        name: "replaced",
        every: Duration::from_secs(1),
        run: |app| Box::pin(app.gate.look_for_replaced()),
    },
    Job { name: "clock", every: Duration::from_secs(10), run: |app| Box::pin(ask_the_time(app)) },
    Job { name: "key_uses", every: Duration::from_secs(30), run: |app| Box::pin(app.uses.write(&app.store)) },
    Job { name: "refusals", every: Duration::from_secs(10), run: |app| Box::pin(write_refusals(app)) },
    Job { name: "expire_grants", every: Duration::from_secs(5), run: |app| Box::pin(expire(app)) },
    Job { name: "audit_days", every: Duration::from_secs(3600), run: |app| Box::pin(make_audit_days(app)) },
    Job { name: "retention", every: Duration::from_secs(300), run: |app| Box::pin(forget_records(app)) },
    Job { name: "edges", every: Duration::from_secs(300), run: |app| Box::pin(watch_edges(app)) },
    Job { name: "idempotency", every: Duration::from_secs(600), run: |app| Box::pin(forget_results(app)) },
];

/// What broke off is tried again no later than this.
const AGAIN: Duration = Duration::from_secs(10);

/// Starts all of them; they end when the app stops.
pub fn start(app: &Arc<App>) -> TaskTracker {
    let tasks = TaskTracker::new();
    tasks.spawn(vital(app.clone(), "lease", lease::hold(app.clone())));
    tasks.spawn(vital(app.clone(), "commits", commits(app.clone())));
    tasks.spawn(connectors::run(app.clone()));
    for job in JOBS {
        tasks.spawn(repeat(app.clone(), job));
    }
    tasks.close();
    tasks
}

async fn vital(app: Arc<App>, name: &'static str, work: impl Future<Output = ()>) {
    app.background.vital(name, work, &app.stop).await;
}

/// Held up by nothing at the stop: what was in flight then is committed.
async fn commits(app: Arc<App>) {
    tokio::select! {
        () = app.gate.commits_ended() => {}
        () = app.done.cancelled() => {}
    }
}

async fn repeat(app: Arc<App>, job: &'static Job) {
    let mut ticks = tokio::time::interval(job.every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = app.stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let result = app.background.run(job.name, (job.run)(&app)).await;
        let outcome = result.as_ref().map_or_else(|refusal| refusal.code.as_str(), |()| "done");
        app.metrics.server.jobs.with_label_values(&[job.name, outcome]).inc();
        if let Err(refusal) = result {
            tracing::warn!(job = job.name, code = %refusal.code, "{}", refusal.text.en);
            if app.background.broken().contains(&job.name) {
                ticks.reset_after(job.every.min(AGAIN));
            }
        }
    }
}

/// Store time, once more (protocol.md 10).
pub async fn ask_the_time(app: &App) -> Result<(), Refusal> {
    let asked = Instant::now();
    app.clock.correct(app.store.now().await?, asked);
    Ok(())
}

async fn write_refusals(app: &App) -> Result<(), Refusal> {
    let result = app.refusals.write(&app.store, app.clock.now(), &*app.ids).await;
    let waiting = i64::try_from(app.refusals.waiting()).unwrap_or(i64::MAX);
    app.metrics.server.refusals_waiting.set(waiting);
    result
}

async fn forget_results(app: &App) -> Result<(), Refusal> {
    let before = app.clock.now() - app.settings.time.idempotency;
    app.store.drop_results(before).await?;
    app.store.forget_claims(before).await.map(drop)
}

/// Records past their retention, where the log doesn't drop them by itself.
async fn forget_records(app: &App) -> Result<(), Refusal> {
    app.log.expire().await.map(drop)
}

/// Warns of live subscriptions that are about to lose records.
async fn watch_edges(app: &App) -> Result<(), Refusal> {
    app.gate.watch_edges(app.settings.time.retention_notice).await
}

/// Marks what has run out, and ends what still reads under it: each of them, whatever became of the one before, as what
/// is marked is not listed again.
async fn expire(app: &App) -> Result<(), Refusal> {
    let expired = expire_grants(&app.store, app.clock.now(), &*app.ids).await?;
    let end = async |grant: Grant| app.gate.end(&Ended::Grant(grant.id)).await.map(drop);
    each(expired.into_iter().map(end)).await
}

/// All of them, whatever becomes of one; answers the first failure.
async fn each<F: Future<Output = Result<(), Refusal>>>(acts: impl Iterator<Item = F>) -> Result<(), Refusal> {
    futures::future::join_all(acts).await.into_iter().collect()
}

/// The partitions of today and the days to come (PostgreSQL).
async fn make_audit_days(app: &App) -> Result<(), Refusal> {
    const AHEAD: u64 = 7;
    app.store.make_audit_days(app.clock.now().date_naive(), AHEAD).await
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use changtong_catalog::error::Code;

    use super::*;

    #[tokio::test]
    async fn what_cannot_be_ended_keeps_no_other_from_its_end() {
        let ended = AtomicU32::new(0);
        let ends = (0..5).map(|at| {
            let ended = &ended;
            async move {
                // As a store that answers later than others.
                tokio::task::yield_now().await;
                if at == 1 {
                    return Err(Refusal::new(Code::StoreUnavailable, "", ""));
                }
                ended.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
        });
        assert_eq!(each(ends).await.unwrap_err().code, Code::StoreUnavailable);
        assert_eq!(ended.load(Ordering::Relaxed), 4);
    }
}
