//! What a runner says, put into the store: a change of state at once, progress every few seconds.

use std::time::Duration;

use changtong_catalog::actions::{Report, report_connector};
use changtong_catalog::clock::Clock as _;
use changtong_catalog::error::Refusal;
use changtong_catalog::ids::ConnectorId;
use changtong_connectors::runner::{RunState, Status};

use crate::app::App;

/// Progress is written no more often.
const EVERY: Duration = Duration::from_secs(5);

/// What was written last.
#[derive(Default)]
pub(super) struct Reported {
    last: Option<(Status, Duration)>,
}

impl Reported {
    /// Whether this is worth writing now.
    pub fn is_due(&self, status: &Status, now: Duration) -> bool {
        match &self.last {
            None => true,
            Some((last, at)) => {
                let told = |status: &Status| status.failure.as_ref().map(|failure| failure.refusal.code);
                let changed = last.state != status.state || told(last) != told(status);
                changed || (last != status && now >= *at + EVERY)
            }
        }
    }

    /// Whether it is still to be said that nothing runs: its details before that are kept.
    pub fn is_due_still(&self) -> bool {
        self.last.as_ref().is_none_or(|(last, _)| last.state != RunState::Stopped)
    }

    pub async fn write(&mut self, app: &App, id: ConnectorId, status: Status) -> Result<(), Refusal> {
        let report = Report {
            state: status.state,
            error: status.failure.as_ref().map(|failure| failure.refusal.code),
            details: status.details(),
        };
        report_connector(&app.store, app.clock.now(), &*app.ids, id, &report).await?;
        self.last = Some((status, app.clock.monotonic()));
        Ok(())
    }
}

/// Of a connector that does not run.
pub(super) fn still(now: changtong_catalog::clock::Time, state: RunState) -> Status {
    Status { state, ..Status::new(now) }
}
