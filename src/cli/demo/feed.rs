//! Source connectors put the files on the bus; sink connectors keep the consumer's copies. Both are watched through what
//! the server says of them, as an operator would.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::cast::{Cast, text};
use super::entries::{Entry, parse};
use crate::client::{CallError, Client};

/// Longest wait for one connector to do what is expected of it.
const PATIENCE: Duration = Duration::from_secs(900);
const LOOK_AGAIN: Duration = Duration::from_millis(25);
/// Looks at a connector that failed and waits for its next attempt, before the demo takes its word.
const FAILED_LOOKS: u32 = 200;

/// What a connector says it has done since it was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    pub state: String,
    pub offered: u64,
    pub accepted: u64,
    pub refused: u64,
    pub delivered: u64,
    pub upserts: u64,
    pub deletes: u64,
    pub error: Option<String>,
}

impl Progress {
    fn of(status: &Value) -> Self {
        let details = status.get("details").unwrap_or(&Value::Null);
        let count = |name: &str| {
            details.get("counts").and_then(|counts| counts.get(name)).and_then(Value::as_u64).unwrap_or(0)
        };
        let error = details.get("last_error").filter(|error| !error.is_null()).map(Value::to_string);
        Self {
            state: status.get("state").and_then(Value::as_str).unwrap_or_default().to_owned(),
            offered: count("offered"),
            accepted: count("accepted"),
            refused: count("refused") + count("quarantined"),
            delivered: count("delivered"),
            upserts: count("upserts"),
            deletes: count("deletes"),
            error,
        }
    }
}

pub async fn progress(client: &Client, name: &str) -> Result<Progress, CallError> {
    let connector = client.get(&format!("/connectors/{name}")).await?;
    Ok(Progress::of(connector.get("status").unwrap_or(&Value::Null)))
}

/// Makes the connector of `config/examples/connectors/<name>.toml`, with what only this run knows put in.
pub async fn connect(client: &Client, examples: &Path, name: &str, known: &Value) -> Result<(), CallError> {
    let mut file: Value = parse(&examples.join("connectors").join(format!("{name}.toml")))?;
    merge(&mut file, known);
    client.post("/connectors", &file).await?;
    Ok(())
}

fn merge(file: &mut Value, known: &Value) {
    match (file, known) {
        (Value::Object(file), Value::Object(known)) => {
            for (name, value) in known {
                merge(file.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (place, value) => *place = value.clone(),
    }
}

/// Waits until the connector's progress satisfies; a connector that stands still with an error ends the wait.
pub async fn wait(
    client: &Client,
    name: &str,
    enough: impl Fn(&Progress) -> bool,
) -> Result<Progress, CallError> {
    let end = Instant::now() + PATIENCE;
    let mut failed = 0;
    loop {
        let progress = progress(client, name).await?;
        if enough(&progress) {
            return Ok(progress);
        }
        failed = if progress.state == "failed" { failed + 1 } else { 0 };
        let stands =
            matches!(progress.state.as_str(), "stopped" | "waiting_confirmation") || failed > FAILED_LOOKS;
        if stands || Instant::now() > end {
            return Err(CallError::Broken(format!("connector {name} came to {progress:?}")));
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// Starts the source connector of every entry.
pub async fn start_sources(cast: &Cast, examples: &Path, entries: &[Entry]) -> Result<(), CallError> {
    for entry in entries {
        let integrator = &cast.agency(&entry.provider)?.integrator;
        let known = json!({"resource": entry.code});
        connect(integrator, examples, &format!("{}-in", entry.name), &known).await?;
    }
    Ok(())
}

/// A subscription with its two sinks: an SQLite table and a CSV of the deliveries.
pub async fn start_sinks(cast: &Cast, examples: &Path, entry: &Entry, grant: &str) -> Result<(), CallError> {
    let integrator = &cast.consumer()?.integrator;
    for kind in ["sqlite", "csv"] {
        let name = format!("{}-to-{kind}", entry.name);
        connect(integrator, examples, &name, &json!({"grant": grant})).await?;
    }
    Ok(())
}

/// A further subscription that the demo reads itself, to see a read refused after the revoke.
pub async fn subscribe(cast: &Cast, grant: &str) -> Result<String, CallError> {
    let integrator = &cast.consumer()?.integrator;
    let body = json!({"name": "demo-reader", "from": "start"});
    let made = integrator.post(&format!("/grants/{grant}/subscriptions"), &body).await?.body;
    Ok(text(&made, "id")?.to_owned())
}
