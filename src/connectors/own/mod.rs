//! A connector in its own process, beside the agency's system: outbound calls only. The same runner as in the server,
//! on a bus that is the API; what a person orders comes with the answer to its report.
//!
//! It keeps nothing that counts: a source's position lies in the bus, a sink's cursor with what it wrote. While the
//! server is away it waits and goes on where it was.

mod answers;
mod bus;
mod evidence;
mod metrics;
mod orders;
mod refusal;
mod register;
mod state;
mod surroundings;

use std::sync::Arc;
use std::time::Duration;

use changtong_catalog::clock::{Clock, Ids};
use changtong_catalog::connector::Desired;
use changtong_catalog::error::Refusal;
use changtong_connectors::root::Root;
use changtong_connectors::runner::{ConnectorSpec, Failure, Orders, Parts, RunState, Runner, Status};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use bus::ApiBus;
pub use metrics::OwnMetrics;
use orders::{Answer, Entry};
use register::register;
pub use state::StateFile;
use surroundings::Beside;

/// How often it reports and asks for orders.
const BEAT: Duration = Duration::from_secs(3);
/// A publish that is on its way when the process is asked to stop gets so long; it could be killed as well.
const LAST_BATCH: Duration = Duration::from_secs(10);

/// What one process runs.
pub struct Own {
    pub client: Client,
    pub spec: ConnectorSpec,
    /// The file as it is registered.
    pub file: Value,
    /// Its paths begin here.
    pub root: Root,
    /// Secrets named by relative paths lie here.
    pub folder: std::path::PathBuf,
    pub state: StateFile,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub metrics: OwnMetrics,
}

/// Runs until it is asked to stop, or until it is known that it will never be wanted again.
pub async fn run(own: Own, stop: CancellationToken) -> Result<(), Refusal> {
    let mut process = Running { work: Work::Still, resets: 0, own };
    let outcome = tokio::select! {
        biased;
        () = stop.cancelled() => Ok(()),
        never = process.go_on() => never,
    };
    process.end().await;
    outcome
}

enum Work {
    Runs(Runner),
    /// Nothing runs, as ordered.
    Still,
    /// Nothing runs, and this is why.
    Halted(Box<Status>),
}

struct Running {
    own: Own,
    work: Work,
    /// Resets that the runner was started with.
    resets: i32,
}

impl Running {
    async fn go_on(&mut self) -> Result<(), Refusal> {
        let entry = register(&mut self.own).await?;
        let mut desired = entry.desired;
        let mut away = false;
        let mut beat = BEAT;
        loop {
            let status = self.status(desired);
            let said = status.state;
            match orders::report(&self.own, &status).await {
                Answer::Heard(entry) => {
                    beat = BEAT;
                    desired = entry.desired;
                    self.own.state.remember(&entry);
                    self.follow(&entry).await;
                    if std::mem::take(&mut away)
                        && let Work::Runs(runner) = &self.work
                    {
                        tracing::info!("the server answers again");
                        runner.wake();
                    }
                }
                Answer::Refused(refusal) => self.halt(refusal).await,
                Answer::Removed => return Err(register::removed(&self.own.spec.name, self.own.state.path())),
                Answer::Away(refusal) => {
                    beat = (beat * 2).min(register::CEILING);
                    if !std::mem::replace(&mut away, true) {
                        tracing::warn!(code = %refusal.code, "the server is away: {}", refusal.text.en);
                    }
                }
            }
            self.pause(said, beat).await;
        }
    }

    /// Until the next report: at once where the state is another, and the server is there to hear it.
    async fn pause(&self, said: RunState, beat: Duration) {
        if beat > BEAT {
            return tokio::time::sleep(beat).await;
        }
        let other = async {
            match &self.work {
                Work::Runs(runner) => {
                    if runner.status().wait_for(|status| status.state != said).await.is_err() {
                        std::future::pending::<()>().await;
                    }
                }
                _ => std::future::pending().await,
            }
        };
        // A state that flickers is not worth a call each time.
        tokio::time::sleep(BEAT / 10).await;
        let _ = tokio::time::timeout(beat, other).await;
    }

    /// Does what is ordered.
    async fn follow(&mut self, entry: &Entry) {
        if entry.spec != self.own.file {
            return self.halt(orders::other_file(&self.own.spec.name)).await;
        }
        let orders = Orders::from(entry);
        let fits = matches!(&self.work, Work::Runs(runner) if !runner.has_ended())
            && self.resets == entry.resets
            && entry.desired != Desired::Stopped;
        if !fits && let Work::Runs(runner) = std::mem::replace(&mut self.work, Work::Still) {
            // The old one must have ended before the new one begins.
            runner.stop().await;
        }
        if entry.desired == Desired::Stopped {
            self.work = Work::Still;
        } else if let Work::Runs(runner) = &self.work {
            runner.order(orders);
        } else {
            tracing::info!(name = self.own.spec.name, "running");
            self.resets = entry.resets;
            self.work = Work::Runs(self.start(orders));
        }
        match &self.work {
            Work::Runs(runner) => self.own.metrics.follow(runner.status()),
            _ => self.own.metrics.stands(self.status(entry.desired)),
        }
    }

    fn start(&self, orders: Orders) -> Runner {
        let own = &self.own;
        let parts = Parts {
            bus: Arc::new(ApiBus::new(own.client.clone(), &own.spec)),
            spec: own.spec.clone(),
            root: own.root.clone(),
            surroundings: Arc::new(Beside::of(own.folder.clone())),
            clock: own.clock.clone(),
            ids: own.ids.clone(),
            metrics: own.metrics.bus.clone(),
        };
        Runner::start(parts, orders)
    }

    /// It must not run; it goes on asking whether that has changed.
    async fn halt(&mut self, refusal: Refusal) {
        let known = matches!(&self.work, Work::Halted(status)
            if status.failure.as_ref().is_some_and(|failure| failure.refusal == refusal));
        if known {
            return;
        }
        if let Work::Runs(runner) = std::mem::replace(&mut self.work, Work::Still) {
            runner.stop().await;
        }
        tracing::warn!(code = %refusal.code, "it does not run: {}", refusal.text.en);
        let now = self.own.clock.now();
        let failure = Some(Failure { refusal, at: now, retry_in: BEAT });
        let status = Status { state: RunState::Failed, failure, ..Status::new(now) };
        self.own.metrics.stands(status.clone());
        self.work = Work::Halted(Box::new(status));
    }

    fn status(&self, desired: Desired) -> Status {
        match &self.work {
            Work::Runs(runner) => runner.status().borrow().clone(),
            Work::Halted(status) => (**status).clone(),
            Work::Still => {
                let state = match desired {
                    Desired::Running => RunState::Running,
                    Desired::Paused => RunState::Paused,
                    Desired::Stopped => RunState::Stopped,
                };
                Status { state, ..Status::new(self.own.clock.now()) }
            }
        }
    }

    /// Behind the batch at work; then says that it ended.
    async fn end(&mut self) {
        let mut status = self.status(Desired::Stopped);
        if let Work::Runs(runner) = std::mem::replace(&mut self.work, Work::Still) {
            let last = runner.status();
            if tokio::time::timeout(LAST_BATCH, runner.stop()).await.is_err() {
                tracing::warn!(
                    "the batch at work was left; it counts once or not at all, as the next start will see"
                );
            }
            status = last.borrow().clone();
        }
        status.state = RunState::Stopped;
        if let Answer::Away(refusal) | Answer::Refused(refusal) = orders::report(&self.own, &status).await {
            tracing::info!(code = %refusal.code, "the end could not be told to the server");
        }
    }
}
