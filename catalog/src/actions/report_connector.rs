//! What a connector's runner reports: kept as it is; a change of its state is an event.

use serde_json::Value;

use crate::audit::{Actor, ConnectorMoved, ConnectorState, Event};
use crate::clock::{Ids, Time};
use crate::error::{Code, Refusal};
use crate::ids::{ConnectorId, EventId};
use crate::store::Store;

/// A runner's report.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    pub state: ConnectorState,
    /// Why it failed.
    pub error: Option<Code>,
    /// Lag, counts, last error in words: an object for people.
    pub details: Value,
}

/// `actor` is the server where it runs the connector itself. Answers false if the connector is gone.
pub async fn report_connector(
    store: &Store,
    now: Time,
    ids: &dyn Ids,
    actor: Actor,
    id: ConnectorId,
    report: &Report,
) -> Result<bool, Refusal> {
    let mut tx = store.begin().await?;
    let Some(connector) = tx.connector_to_report(id).await? else { return Ok(false) };
    let state = serde_json::to_value(report.state).unwrap_or(Value::Null);
    let moved = connector.status.get("state") != Some(&state);
    let status = serde_json::json!({
        "state": state,
        "error": report.error.map(Code::as_str),
        "reported_at": crate::clock::rfc3339(now),
        "details": report.details,
    });
    tx.report_connector(id, &status).await?;
    if moved {
        let event = ConnectorMoved { connector: id, state: report.state, error: report.error };
        tx.record(&Event::new(EventId(ids.uuid(now)), now, actor, event)).await?;
    }
    tx.finish().await?;
    Ok(true)
}
