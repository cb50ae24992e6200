//! Makes the connector known to the server, which keeps its source positions and its entry in the list. The file
//! beside the agency's system is the one that counts.

use std::path::Path;
use std::time::Duration;

use changtong_catalog::error::{Code, Refusal};

use super::orders::Entry;
use super::refusal::refusal;
use super::{BEAT, Own};

/// The longest pause between two attempts while the server is away.
pub(super) const CEILING: Duration = Duration::from_secs(30);

/// Waits for the server as long as it takes; what will not pass by itself is given back.
pub(super) async fn register(own: &mut Own) -> Result<Entry, Refusal> {
    let mut pause = BEAT;
    loop {
        match once(own).await {
            Ok(entry) => {
                own.state.remember(&entry);
                return Ok(entry);
            }
            Err(refusal) if refusal.code.retryable() => {
                own.metrics.reported(false, own.clock.now());
                let seconds = pause.as_secs();
                tracing::warn!(code = %refusal.code, seconds, "not registered yet: {}", refusal.text.en);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(CEILING);
            }
            Err(refusal) => return Err(refusal),
        }
    }
}

async fn once(own: &Own) -> Result<Entry, Refusal> {
    let name = &own.spec.name;
    // One that was registered before and is gone was removed by a person.
    if own.state.is_registered()
        && let Err(error) = own.client.get(&format!("/connectors/{name}")).await
    {
        let refusal = refusal(error);
        let gone = refusal.code == Code::NotFound;
        return Err(if gone { removed(name, own.state.path()) } else { refusal });
    }
    let applied = own.client.post("/connectors", &own.file).await.map_err(refusal)?;
    Entry::read(applied.body)
}

pub(super) fn removed(name: &str, state: &Path) -> Refusal {
    let state = state.display();
    Refusal::new(
        Code::NotFound,
        format!("连接器 {name} 已在服务器上删除;要重新登记,请删除状态文件 {state} 后再启动"),
        format!(
            "the connector {name} was removed at the server; to register it anew, delete the state file {state} and \
             start again"
        ),
    )
}
