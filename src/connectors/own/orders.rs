//! The report to the server, and what its answer orders.

use changtong_catalog::connector::{Desired, Reporter};
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::ConnectorId;
use changtong_connectors::runner::{Orders, Status};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Own;
use super::refusal::refusal;

/// The connector as the server has it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Entry {
    pub id: ConnectorId,
    pub spec: Value,
    pub desired: Desired,
    pub resets: i32,
    confirmations: i32,
    version: i32,
}

impl Entry {
    pub fn read(answer: Value) -> Result<Self, Refusal> {
        serde_json::from_value(answer).map_err(|_| {
            Refusal::new(
                Code::Internal,
                "服务器给出的连接器信息无法理解,版本可能不合",
                "what the server says of the connector cannot be read; its version may not fit",
            )
        })
    }
}

impl From<&Entry> for Orders {
    fn from(entry: &Entry) -> Self {
        Self {
            desired: entry.desired,
            resets: entry.resets,
            confirmations: entry.confirmations,
            version: entry.version,
        }
    }
}

/// What a report came to.
pub(super) enum Answer {
    Heard(Entry),
    /// It must not run now: another process does, another account applied it, the key does not stand.
    Refused(Refusal),
    /// A person removed it.
    Removed,
    /// No answer, or one that passes.
    Away(Refusal),
}

pub(super) async fn report(own: &Own, status: &Status) -> Answer {
    let reporter = Reporter { node: own.state.node(), version: env!("CARGO_PKG_VERSION").to_owned() };
    let mut said = json!(reporter);
    said["state"] = json!(status.state);
    said["error"] = json!(status.failure.as_ref().map(|failure| failure.refusal.code.as_str()));
    said["details"] = status.details();
    let path = format!("/connectors/{}/status", own.spec.name);
    let answered = match own.client.put_whole(&path, &said).await {
        Ok(written) => Entry::read(written.body),
        Err(error) => Err(refusal(error)),
    };
    own.metrics.reported(answered.is_ok(), own.clock.now());
    match answered {
        Ok(entry) => Answer::Heard(entry),
        Err(refusal) if refusal.code == Code::NotFound => Answer::Removed,
        Err(refusal) if refusal.code.retryable() => Answer::Away(refusal),
        Err(refusal) => Answer::Refused(refusal),
    }
}

/// The server holds another file than the one that runs here.
pub(super) fn other_file(name: &str) -> Refusal {
    Refusal::new(
        Code::Conflict,
        format!("服务器上为连接器 {name} 登记的文件已不是本进程的文件;重启本进程即登记本文件"),
        format!(
            "another file was applied for the connector {name} than the one that runs here; start this process again to \
             apply its own"
        ),
    )
}
