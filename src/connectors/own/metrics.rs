//! What a connector in its own process tells Prometheus: how it goes at the moment it is asked.

use std::sync::Arc;

use changtong_catalog::clock::Time;
use changtong_connectors::metrics::Metrics;
use changtong_connectors::runner::{RunState, Status};
use parking_lot::Mutex;
use prometheus::{Registry, TextEncoder};
use tokio::sync::watch;

use crate::telemetry::ConnectorMetrics;

/// Of the metrics that the data path has, those that move here.
const MOVES: &str = "changtong_connector_";

#[derive(Clone)]
pub struct OwnMetrics {
    own: ConnectorMetrics,
    pub(super) bus: Arc<Metrics>,
    registry: Registry,
    status: Arc<Mutex<Shown>>,
}

/// What the page shows: a runner, or the state that stands while nothing runs.
enum Shown {
    Runs(watch::Receiver<Status>),
    Still(Box<Status>),
    Nothing,
}

impl OwnMetrics {
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let bus = Arc::new(Metrics::register(&registry)?);
        Ok(Self {
            own: ConnectorMetrics::new()?,
            bus,
            registry,
            status: Arc::new(Mutex::new(Shown::Nothing)),
        })
    }

    pub(super) fn follow(&self, status: watch::Receiver<Status>) {
        *self.status.lock() = Shown::Runs(status);
    }

    pub(super) fn stands(&self, status: Status) {
        *self.status.lock() = Shown::Still(Box::new(status));
    }

    pub(super) fn reported(&self, taken: bool, now: Time) {
        self.own.server_answers.set(i64::from(taken));
        if taken {
            self.own.reported.set(seconds(now));
        }
    }

    /// The page as it is now.
    pub fn text(&self) -> prometheus::Result<String> {
        match &*self.status.lock() {
            Shown::Runs(status) => self.show(&status.borrow()),
            Shown::Still(status) => self.show(status),
            Shown::Nothing => {}
        }
        let mut families = self.own.registry.gather();
        families.extend(self.registry.gather().into_iter().filter(|family| family.name().starts_with(MOVES)));
        families.sort_by(|one, other| one.name().cmp(other.name()));
        TextEncoder::new().encode_to_string(&families)
    }

    fn show(&self, status: &Status) {
        for (state, word) in [
            (RunState::Running, "running"),
            (RunState::Paused, "paused"),
            (RunState::Stopped, "stopped"),
            (RunState::Failed, "failed"),
            (RunState::Confirm, "confirm"),
        ] {
            self.own.state.with_label_values(&[word]).set(i64::from(status.state == state));
        }
        self.own.caught_up.set(status.caught_up_at.map_or(0.0, seconds));
        self.own.bytes_left.set(status.bytes_left.and_then(|bytes| bytes.try_into().ok()).unwrap_or(0));
    }
}

fn seconds(time: Time) -> f64 {
    time.timestamp_millis() as f64 / 1000.0
}
