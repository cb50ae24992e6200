//! `changtong reconcile --adopt FILE --declare-dead`: the way out for a store that is older than its log.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use changtong_catalog::audit::Build;
use changtong_catalog::clock::Clock as _;
use changtong_catalog::store::{Decided, Decision, LogHolds, Store, read_exported};
use changtong_connectors::gate::{decided, noted_epoch, survey};
use changtong_connectors::log::Log;
use serde_json::json;

use super::Reconcile;
use crate::cli::failure::{Done, Failure};
use crate::clock::{StoreClock, SystemIds};
use crate::node::Node;
use crate::settings::Settings;

/// Decides under the database's lease, so that no server runs meanwhile; then the marks are put aside.
pub async fn run(
    reconcile: &Reconcile,
    settings: &Settings,
    node: &Node,
    (store, log, clock): (&Store, &dyn Log, &Arc<StoreClock>),
) -> Result<Decided, Failure> {
    let file = reconcile.adopt.as_deref().map(read).transpose()?.unwrap_or_default();
    let events = read_exported(&file)?;
    let marks = settings.data.dir.join("marks");
    let lease =
        store.take_server(node.id(), Build(env!("CARGO_PKG_VERSION")), clock.now(), &SystemIds).await?;
    let outcome = async {
        let known = store.known_ends().await?;
        let found = survey(log, &settings.log.prefix, &known).await?;
        let holds = LogHolds { topics: found.topics, schema: found.schema };
        let decision = Decision {
            holds: &holds,
            events: &events,
            declare_dead: reconcile.declare_dead,
            noted_epoch: noted_epoch(&marks).await?,
        };
        store.decide(&decision, lease, clock.now(), &SystemIds).await
    };
    match outcome.await {
        Ok(done) => {
            decided(&marks).await?;
            Ok(done)
        }
        Err(refusal) => {
            // Nothing was decided: the database is free for its server again.
            store.release_server(lease, clock.now(), &SystemIds).await?;
            Err(refusal.into())
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))
}

pub fn told(done: &Decided, reconcile: &Reconcile) -> Done {
    let answer = json!({
        "adopted": { "events": done.events, "records": done.records },
        "declared_dead": done.dead, "elsewhere": done.elsewhere, "missing": done.missing,
    });
    reconcile.output.done(&answer, || {
        let mut text = format!(
            "adopted {} records of {} events; declared {} records dead; the server may be started",
            done.records, done.events, done.dead
        );
        if done.elsewhere > 0 {
            let _ = write!(
                text,
                "\n{} events tell of publishes to resources or generations that the store does not know: not adopted",
                done.elsewhere
            );
        }
        if !done.missing.is_empty() {
            text.push_str("\nnot restored, to be done again where it still matters:");
            for (code, count) in &done.missing {
                let _ = write!(text, "\n  {count} {code}");
            }
        }
        text
    })
}
