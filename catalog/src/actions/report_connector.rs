//! What a connector's runner reports: kept as it is; a change of its state is an event.

use serde_json::{Value, json};

use crate::audit::{Actor, ConnectorMoved, ConnectorState, Event};
use crate::clock::{Ids, Time};
use crate::connector::{Connector, Reporter};
use crate::error::{Code, Refusal};
use crate::ids::{ConnectorId, EventId};
use crate::store::{Store, Tx};

/// A runner's report.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    pub state: ConnectorState,
    /// Why it failed.
    pub error: Option<Code>,
    /// Lag, counts, last error in words: an object for people.
    pub details: Value,
}

impl Report {
    /// As it is kept; a process of its own says who it is.
    pub(super) fn status(&self, now: Time, reporter: Option<&Reporter>) -> Value {
        let mut status = json!({
            "state": self.state,
            "error": self.error.map(Code::as_str),
            "reported_at": crate::clock::rfc3339(now),
            "details": self.details,
        });
        if let Some(Reporter { node, version }) = reporter {
            status["node"] = json!(node);
            status["version"] = json!(version);
        }
        status
    }
}

/// Of a connector that the server runs. Answers false if it is gone.
pub async fn report_connector(
    store: &Store,
    now: Time,
    ids: &dyn Ids,
    id: ConnectorId,
    report: &Report,
) -> Result<bool, Refusal> {
    let mut tx = store.begin().await?;
    let Some(connector) = tx.connector_to_report(id).await? else { return Ok(false) };
    keep(&mut tx, (now, ids), Actor::Server, &connector, report, report.status(now, None)).await?;
    tx.finish().await?;
    Ok(true)
}

/// Writes the status, and the event of a state that changed.
pub(super) async fn keep(
    tx: &mut Tx,
    (now, ids): (Time, &dyn Ids),
    actor: Actor,
    connector: &Connector,
    report: &Report,
    status: Value,
) -> Result<(), Refusal> {
    let id = connector.id;
    tx.report_connector(id, &status).await?;
    if connector.status.get("state") != status.get("state") {
        let event = ConnectorMoved { connector: id, state: report.state, error: report.error };
        tx.record(&Event::new(EventId(ids.uuid(now)), now, actor, event)).await?;
    }
    Ok(())
}
