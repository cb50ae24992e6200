//! `changtong reconcile`: compares what the store keeps with the events that should say so, both ways. It reads the
//! engines that the settings name; the files of the embedded pair belong to its server, which must be stopped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use changtong_catalog::error::Refusal;
use changtong_catalog::ids::TopicName;
use changtong_catalog::store::{FirstKept, Reconciled, ResourceQuery, Store};
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
use crate::settings::Settings;
use crate::wiring;

#[derive(Debug, Args)]
pub struct Reconcile {
    #[command(flatten)]
    configured: Configured,
    /// How the answer is printed
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

/// Entries read at a time.
const PAGE: usize = 500;

pub fn run(reconcile: &Reconcile) -> Done {
    let failed = |error: &dyn std::fmt::Display| Failure::Failed(error.to_string());
    let settings = reconcile.configured.load(false)?.settings;
    let own_files = settings.database.url.is_none() || settings.kafka.brokers.is_empty();
    if own_files && !settings.data.dir.exists() {
        return Err(Failure::Failed(format!(
            "{} is not there: nothing to compare",
            settings.data.dir.display()
        )));
    }
    // Held while the files are read, so that no server starts on them meanwhile.
    let node = own_files.then(|| Node::open(&settings.data.dir, &SystemIds)).transpose();
    let _node = node.map_err(|error| failed(&error))?;
    block_on(async {
        let config = store_config(&settings).map_err(|error| failed(&error))?;
        let store = Store::open(&config).await?;
        let asked = Instant::now();
        let clock = Arc::new(StoreClock::start(store.now().await?, asked));
        let log =
            wiring::open_log(&settings, clock, &Registry::new()).await.map_err(|error| failed(&error))?;
        let kept = first_kept(&store, &*log, &settings).await;
        let found = match kept {
            Ok(kept) => store.reconcile(&kept).await,
            Err(refusal) => Err(refusal),
        };
        log.close(Duration::from_secs(10)).await;
        store.close().await;
        told(&found?, reconcile.output)
    })
}

/// Where the log of each resource begins now: what retention removed is not compared.
async fn first_kept(store: &Store, log: &dyn Log, settings: &Settings) -> Result<FirstKept, Refusal> {
    let mut topics = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = store.resources(&ResourceQuery::default(), |_| true, after.as_deref(), PAGE).await?;
        topics.extend(page.items.iter().map(|entry| (entry.number, entry.generation)));
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    let name = |(number, generation)| TopicName::records(&settings.log.prefix, number, generation);
    let names: Vec<TopicName> = topics.iter().copied().map(name).collect();
    let extents = log.extents(&names).await?;
    let firsts = topics.into_iter().zip(&names).filter_map(|(topic, name)| {
        Some((topic, extents.get(name)?.iter().map(|extent| extent.first).collect()))
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
