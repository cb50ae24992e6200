//! Between a runner and whoever manages it: orders come in, the status goes out.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use changtong_catalog::clock::Clock;
use changtong_catalog::connector::{Connector, Desired};
use changtong_catalog::error::{Code, Refusal};
use tokio::sync::watch;

use super::status::{Counts, Failure, RunState, Status};
use crate::events::{ConnectorFailed, ConnectorMissedRecords};
use crate::metrics::Metrics;
use crate::source::{Awaited, Part};

/// What a person ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Orders {
    pub desired: Desired,
    /// How often it was reset: each time it begins anew.
    pub resets: i32,
    /// How often a person confirmed what it waited with.
    pub confirmations: i32,
    /// Raised by every order: one that was given already still ends a pause between two attempts.
    pub version: i32,
}

impl From<&Connector> for Orders {
    fn from(connector: &Connector) -> Self {
        Self {
            desired: connector.desired,
            resets: connector.resets,
            confirmations: connector.confirmations,
            version: connector.version,
        }
    }
}

pub(super) struct Control {
    orders: watch::Receiver<Orders>,
    status: watch::Sender<Status>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    resets: i32,
    /// Confirmations that were there before it asked.
    noted: i32,
    /// What a person allowed.
    confirmed: Option<String>,
    progressed: bool,
}

/// Goes on, or ends.
pub(super) type Flow = ControlFlow<()>;

impl Control {
    pub fn new(
        orders: watch::Receiver<Orders>,
        status: watch::Sender<Status>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let now = *orders.borrow();
        Self {
            orders,
            status,
            clock,
            metrics,
            resets: now.resets,
            noted: now.confirmations,
            confirmed: None,
            progressed: false,
        }
    }

    pub fn resets(&self) -> i32 {
        self.resets
    }

    pub fn confirmed(&self) -> Option<&str> {
        self.confirmed.as_deref()
    }

    /// Whether anything went well since it was last asked.
    pub fn progressed(&mut self) -> bool {
        std::mem::take(&mut self.progressed)
    }

    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Asked between two batches: waits while it is paused.
    pub async fn proceed(&mut self) -> Flow {
        loop {
            let orders = *self.orders.borrow_and_update();
            match orders.desired {
                Desired::Stopped => return Flow::Break(()),
                Desired::Running => {
                    // After a failure or a question it runs again when something went well.
                    self.status.send_if_modified(|status| {
                        let paused = status.state == RunState::Paused;
                        if paused {
                            status.goes_on();
                        }
                        paused
                    });
                    return Flow::Continue(());
                }
                Desired::Paused => self.state(RunState::Paused),
            }
            if self.orders.changed().await.is_err() {
                return Flow::Break(());
            }
        }
    }

    /// Waits that long or until something is ordered. Breaks if it is to end.
    pub async fn wait(&mut self, longest: Duration) -> Flow {
        let ordered = tokio::time::timeout(longest, self.orders.changed()).await;
        if matches!(ordered, Ok(Err(_))) || self.orders.borrow().desired == Desired::Stopped {
            return Flow::Break(());
        }
        Flow::Continue(())
    }

    /// Raised by every order.
    pub fn version(&self) -> i32 {
        self.orders.borrow().version
    }

    /// Something was ordered.
    pub async fn ordered(&mut self) {
        if self.orders.changed().await.is_err() {
            // Whoever managed it is gone: nothing is ordered any more.
            std::future::pending::<()>().await;
        }
    }

    /// Asks a person, and waits for the answer at most that long.
    pub async fn ask(&mut self, refusal: &Refusal, longest: Duration) -> Flow {
        self.noted = self.noted.max(self.orders.borrow_and_update().confirmations);
        self.report_failure(RunState::Confirm, refusal, longest);
        let flow = self.wait(longest).await;
        let given = self.orders.borrow().confirmations;
        if given > self.noted {
            self.noted = given;
            self.confirmed = refusal.extra.get("asks").and_then(|asks| asks.as_str()).map(str::to_owned);
        }
        flow
    }

    /// One part failed, and the others go on.
    pub fn part_failed(&mut self, part: &Part, refusal: &Refusal, pause: Duration) {
        ConnectorFailed { refusal }.emit(&self.metrics);
        let failure = Failure { refusal: refusal.clone(), at: self.clock.now(), retry_in: pause };
        self.status.send_modify(|status| {
            status.failing.insert(part.label.clone(), failure);
            status.goes_on();
        });
    }

    pub fn part_went_well(&mut self, part: &Part) {
        self.status.send_if_modified(|status| {
            let failed = status.failing.remove(&part.label).is_some();
            if failed {
                status.goes_on();
            }
            failed
        });
    }

    /// Of parts that are not there any more nothing is told.
    pub fn fails_in(&mut self, there: &[Part]) {
        self.status.send_if_modified(|status| {
            let before = status.failing.len();
            status.failing.retain(|label, _| there.iter().any(|part| part.label == *label));
            let changed = status.failing.len() != before;
            if changed {
                status.goes_on();
            }
            changed
        });
    }

    pub fn failed(&mut self, refusal: &Refusal, pause: Duration) {
        ConnectorFailed { refusal }.emit(&self.metrics);
        self.report_failure(RunState::Failed, refusal, pause);
    }

    fn report_failure(&self, state: RunState, refusal: &Refusal, retry_in: Duration) {
        let failure = Failure { refusal: refusal.clone(), at: self.clock.now(), retry_in };
        self.status.send_modify(|status| {
            status.state = state;
            status.failure = Some(failure);
        });
    }

    pub fn ended(&self) {
        self.status.send_modify(|status| {
            status.state = RunState::Stopped;
            status.ends_since = None;
        });
    }

    fn state(&self, state: RunState) {
        self.status.send_if_modified(|status| std::mem::replace(&mut status.state, state) != state);
    }

    /// A part is being read from a position, or a sink from its cursor.
    pub fn at(&self, part: Option<&str>, position: &str, bytes_left: Option<u64>) {
        self.status.send_modify(|status| {
            status.part = part.map(str::to_owned);
            status.position = Some(position.to_owned());
            status.bytes_left = bytes_left;
        });
    }

    /// What it looks for, where nothing is there.
    pub fn awaits(&self, awaited: Option<Awaited>) {
        self.status.send_if_modified(|status| {
            let changed = status.awaited != awaited;
            status.awaited = awaited;
            changed
        });
    }

    /// Something went well: failures before it are over.
    pub fn advanced(&mut self, position: &str, bytes_left: Option<u64>, count: impl FnOnce(&mut Counts)) {
        self.progressed = true;
        self.status.send_modify(|status| {
            status.position = Some(position.to_owned());
            status.bytes_left = bytes_left;
            status.goes_on();
            count(&mut status.counts);
        });
    }

    /// Nothing is left for now.
    pub fn caught_up(&mut self) {
        self.progressed = true;
        let now = self.clock.now();
        self.status.send_modify(|status| {
            status.caught_up_at = Some(now);
            status.goes_on();
        });
    }

    /// A sink was away for longer than the log keeps records: what lay between is not in its copy.
    pub fn gap(&self, refusal: &Refusal) {
        ConnectorMissedRecords { refusal }.emit(&self.metrics);
        let now = self.clock.now();
        self.status.send_modify(|status| {
            status.gaps += 1;
            status.gap_at = Some(now);
        });
    }

    pub fn refused(&self, records: u64) {
        self.status.send_modify(|status| status.counts.refused += records);
    }
}

/// Whether the bus only asks to slow down; the same step is tried again.
pub(super) fn slow_down(refusal: &Refusal) -> Option<Duration> {
    let wait = refusal.retry_after.unwrap_or(Duration::from_secs(1));
    matches!(refusal.code, Code::RateLimited | Code::Overloaded).then_some(wait)
}
