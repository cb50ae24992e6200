//! `changtong reconcile`: compares what the store keeps with the events that should say so, both ways. It reads the
//! engines that the settings name; the files of the embedded pair belong to its server, which must be stopped. With
//! `--adopt` or `--declare-dead` it decides what counts of a log that is ahead of its store (`decide.rs`).

mod decide;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use changtong_catalog::error::Refusal;
use changtong_catalog::ids::TopicName;
use changtong_catalog::ports::Directory as _;
use changtong_catalog::store::{FirstKept, Reconciled, Store};
use changtong_connectors::log::Log;
use clap::Args;
use prometheus::Registry;
use serde_json::{Value, json};

use super::failure::{Done, Failure};
use super::output::{Output, table};
use super::{Configured, block_on};
use crate::app::store_config;
use crate::clock::{StoreClock, SystemIds};
use crate::node::Node;
use crate::wiring;

#[derive(Debug, Args)]
pub struct Reconcile {
    #[command(flatten)]
    configured: Configured,
    /// Of a store older than its log: adopt the publishes of a file that `audit export` wrote. Server stopped
    #[arg(long, value_name = "EVENTS_FILE")]
    adopt: Option<PathBuf>,
    /// Of a store older than its log: records that no event covers never count. Server stopped
    #[arg(long)]
    declare_dead: bool,
    /// How the answer is printed
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

pub fn run(reconcile: &Reconcile) -> Done {
    let failed = |error: &dyn std::fmt::Display| Failure::Failed(error.to_string());
    let settings = reconcile.configured.load(false)?.settings;
    let deciding = reconcile.adopt.is_some() || reconcile.declare_dead;
    // The marks lie in the data folder, whatever the engines.
    let own_files = deciding || settings.database.url.is_none() || settings.kafka.brokers.is_empty();
    if own_files && !settings.data.dir.exists() {
        return Err(Failure::Failed(format!(
            "{} is not there: nothing to compare",
            settings.data.dir.display()
        )));
    }
    // Held while the files are read, so that no server starts on them meanwhile.
    let node = own_files.then(|| Node::open(&settings.data.dir, &SystemIds)).transpose();
    let node = node.map_err(|error| failed(&error))?;
    block_on(async {
        let config = store_config(&settings).map_err(|error| failed(&error))?;
        let store = Store::open(&config).await?;
        let asked = Instant::now();
        let clock = Arc::new(StoreClock::start(store.now().await?, asked));
        let log = wiring::open_log(&settings, clock.clone(), &Registry::new())
            .await
            .map_err(|error| failed(&error))?;
        let outcome = match &node {
            Some(node) if deciding => {
                match decide::run(reconcile, &settings, node, (&store, &*log, &clock)).await {
                    Ok(done) => decide::told(&done, reconcile),
                    Err(failure) => Err(failure),
                }
            }
            _ => compare(reconcile, &store, &*log).await,
        };
        log.close(Duration::from_secs(10)).await;
        store.close().await;
        outcome
    })
}

async fn compare(reconcile: &Reconcile, store: &Store, log: &dyn Log) -> Done {
    let kept = first_kept(store, log).await?;
    told(&store.reconcile(&kept).await?, reconcile.output)
}

/// Where the log of each topic begins now: what retention removed is not compared.
async fn first_kept(store: &Store, log: &dyn Log) -> Result<FirstKept, Refusal> {
    let topics = store.topics().await?;
    let names: Vec<TopicName> = topics.iter().map(|topic| topic.name.clone()).collect();
    let extents = log.extents(&names).await?;
    let firsts = topics.into_iter().filter_map(|topic| {
        let extents = extents.get(&topic.name)?;
        Some(((topic.resource, topic.generation), extents.iter().map(|extent| extent.first).collect()))
    });
    Ok(firsts.collect())
}

fn told(found: &Reconciled, output: Output) -> Done {
    let differences: Vec<Value> = found
        .differences
        .iter()
        .map(|one| json!({ "mismatch": one.mismatch.as_str(), "object": one.object, "detail": one.detail }))
        .collect();
    let answer = json!({
        "events": found.events, "visible": found.visible, "windows": found.windows, "versions": found.versions,
        "positions": found.positions, "differences": differences,
    });
    output.done(&answer, || {
        let compared = format!(
            "{} events against {} visible records, {} windows, {} versions, {} positions",
            found.events, found.visible, found.windows, found.versions, found.positions
        );
        if differences.is_empty() {
            return format!("{compared}: they agree");
        }
        let columns = [("MISMATCH", "/mismatch"), ("OBJECT", "/object"), ("DETAIL", "/detail")];
        format!("{compared}\n\n{}", table(&differences, &columns).trim_end())
    })?;
    match differences.len() {
        0 => Ok(()),
        count => Err(Failure::Failed(format!("store and events disagree in {count} places"))),
    }
}
