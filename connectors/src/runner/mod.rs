//! Runs one connector from start to clean stop: publishes what a source reads, applies what a sink is delivered,
//! obeys orders, says how it goes, and after a failure tries again with growing pauses. It never stops silently.

mod backoff;
mod control;
mod failing;
mod from_source;
mod spec;
mod status;
mod to_sink;

#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use changtong_catalog::clock::{Clock, Ids};
use changtong_catalog::connector::Desired;
use changtong_catalog::error::Refusal;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use backoff::Backoff;
use control::Control;
pub use control::Orders;
use failing::Failing;
pub use spec::{ConnectorSpec, End, SinkKind, SinkSpec, SourceKind, SourceSpec, Surroundings};
pub use status::{Counts, Failure, RunState, Status};

use crate::bus::Bus;
use crate::metrics::Metrics;
use crate::root::Root;
use crate::sink::Sink;
use crate::source::Source;

/// What a runner is built from.
pub struct Parts {
    pub spec: ConnectorSpec,
    pub bus: Arc<dyn Bus>,
    pub root: Root,
    pub surroundings: Arc<dyn Surroundings>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub metrics: Arc<Metrics>,
}

/// One end of a connector, ready to run.
enum Work {
    Source(Box<dyn Source>, SourceSpec),
    Sink(Box<dyn Sink>, SinkSpec),
}

/// A connector that runs.
pub struct Runner {
    orders: watch::Sender<Orders>,
    status: watch::Sender<Status>,
    clock: Arc<dyn Clock>,
    task: JoinHandle<()>,
}

impl Runner {
    /// Starts it; call it inside the runtime.
    #[must_use]
    pub fn start(parts: Parts, orders: Orders) -> Self {
        let (tell, told) = watch::channel(orders);
        let clock = parts.clock.clone();
        let (status, _) = watch::channel(Status::new(clock.now()));
        let control = Control::new(told, status.clone(), clock.clone(), parts.metrics.clone());
        let task = tokio::spawn(run(parts, control));
        Self { orders: tell, status, clock, task }
    }

    /// Tells it what a person ordered; it obeys between two batches.
    pub fn order(&self, orders: Orders) {
        self.orders.send_if_modified(|now| {
            let changed = *now != orders;
            *now = orders;
            changed
        });
        self.says_that_it_ends(orders.desired == Desired::Stopped);
    }

    /// Between the order and the end lies the batch at work, and what it is written to may hang.
    fn says_that_it_ends(&self, ends: bool) {
        self.status.send_if_modified(|status| {
            let ends = ends && status.state != RunState::Stopped;
            let changed = status.ends_since.is_some() != ends;
            if changed {
                status.ends_since = ends.then(|| self.clock.now());
            }
            changed
        });
    }

    /// Tells it to end behind the batch at work, and waits for nothing.
    pub fn end(&self) {
        self.orders.send_modify(|orders| orders.desired = Desired::Stopped);
        self.says_that_it_ends(true);
    }

    /// Ends a pause between two attempts: whoever calls knows that another one may succeed.
    pub fn wake(&self) {
        self.orders.send_modify(|_| {});
    }

    /// How it goes; changes can be waited for.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    /// Ends it behind the batch at work.
    pub async fn stop(self) {
        self.end();
        // It ended, or its panic was logged by the runtime: either way it runs no more.
        let _ = self.task.await;
    }
}

async fn run(parts: Parts, mut control: Control) {
    let mut backoff = Backoff::new(parts.ids.clone());
    loop {
        let outcome = attempt(&parts, &mut control).await;
        let Err(refusal) = outcome else { break };
        if control.progressed() {
            backoff.reset();
        }
        let pause = backoff.next(refusal.retry_after);
        control.failed(&refusal, pause);
        if control.wait(pause).await.is_break() {
            break;
        }
    }
    control.ended();
}

/// Runs until it is stopped, or something fails.
async fn attempt(parts: &Parts, control: &mut Control) -> Result<(), Refusal> {
    // Waits here if it was paused before it began.
    if control.proceed().await.is_break() {
        return Ok(());
    }
    let bus = &*parts.bus;
    match build(parts)? {
        Work::Source(mut source, spec) => {
            let failing = Failing::new(parts.ids.clone());
            from_source::run(&mut *source, &parts.spec.name, &spec, bus, control, failing).await
        }
        Work::Sink(mut sink, spec) => to_sink::run(&mut *sink, &parts.spec.name, &spec, bus, control).await,
    }
}

fn build(parts: &Parts) -> Result<Work, Refusal> {
    match &parts.spec.end {
        End::Source(spec) => Ok(Work::Source(spec.build(parts.root.clone())?, spec.clone())),
        End::Sink(spec) => {
            let sink = spec.build(parts.root.clone(), &parts.surroundings)?;
            Ok(Work::Sink(sink, spec.clone()))
        }
    }
}
