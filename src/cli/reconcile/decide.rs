//! `changtong reconcile --adopt FILE --declare-dead`: the way out for a store that is older than its log.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::path::Path;
use std::sync::Arc;

use changtong_catalog::audit::Build;
use changtong_catalog::clock::Clock as _;
use changtong_catalog::ids::TopicName;
use changtong_catalog::resource::Kind;
use changtong_catalog::store::{Decided, Decision, LogHolds, Repeatable, Store, read_exported};
use changtong_connectors::gate::{Survey, Unseen, decided, noted_epoch, survey};
use changtong_connectors::log::Log;
use serde_json::{Value, json};

use super::Reconcile;
use crate::cli::connection::spoken;
use crate::cli::failure::{Done, Failure};
use crate::clock::{StoreClock, SystemIds};
use crate::node::Node;
use crate::settings::Settings;

/// What was decided, and what of the log could not be looked into.
pub struct Outcome {
    done: Decided,
    strange: BTreeMap<TopicName, i64>,
    unseen: Vec<Unseen>,
}

/// Decides under the database's lease, so that no server runs meanwhile; then the marks are put aside.
pub async fn run(
    reconcile: &Reconcile,
    settings: &Settings,
    node: &Node,
    (store, log, clock): (&Store, &dyn Log, &Arc<StoreClock>),
) -> Result<Outcome, Failure> {
    let file = reconcile.adopt.as_deref().map(read).transpose()?.unwrap_or_default();
    let events = read_exported(&file)?;
    let marks = settings.data.dir.join("marks");
    let lease =
        store.take_server(node.id(), Build(env!("CARGO_PKG_VERSION")), clock.now(), &SystemIds).await?;
    let outcome = async || -> Result<Outcome, Failure> {
        let known = store.known_ends().await?;
        let prefix = settings.log.prefix.clone();
        let Survey { topics, schema, strange, unseen } = survey(log, &prefix, &known).await?;
        let holds = LogHolds { prefix, topics, schema };
        let decision = Decision {
            holds: &holds,
            events: &events,
            declare_dead: reconcile.declare_dead,
            noted_epoch: noted_epoch(&marks).await?,
        };
        let done = store.decide(&decision, lease, clock.now(), &SystemIds).await?;
        Ok(Outcome { done, strange, unseen })
    };
    match outcome().await {
        Ok(outcome) => {
            decided(&marks).await?;
            Ok(outcome)
        }
        Err(failure) => {
            // Nothing was decided: the database is free for its server again.
            store.release_server(lease, clock.now(), &SystemIds).await?;
            Err(failure)
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))
}

pub fn told(outcome: &Outcome, reconcile: &Reconcile) -> Done {
    let done = &outcome.done;
    let answer = json!({
        "adopted": { "events": done.events, "records": done.records },
        "declared_dead": done.dead, "given_up": counted(&done.given_up),
        "stopped": done.stopped.iter().map(ToString::to_string).collect::<Vec<_>>(), "elsewhere": done.elsewhere,
        "repeatable": done.repeatable.iter().map(repeatable).collect::<Vec<_>>(),
        "strange": counted(&outcome.strange), "unseen": outcome.unseen.iter().map(unseen).collect::<Vec<_>>(),
        "missing": done.missing,
    });
    reconcile.output.done(&answer, || text(outcome))?;
    match outcome.unseen.len() {
        0 => Ok(()),
        places => Err(Failure::Failed(format!(
            "decided, but {places} places of the log could not be looked into: see \"not looked into\" above"
        ))),
    }
}

fn text(Outcome { done, strange, unseen }: &Outcome) -> String {
    let mut text = format!(
        "adopted {} records of {} events; declared {} records dead; the server may be started",
        done.records, done.events, done.dead
    );
    listed(&mut text, "declared dead, by topic:", &done.given_up);
    if !done.stopped.is_empty() {
        text.push_str(
            "\nconsumers' copies of these tables may hold rows that are dead now; each stands still (log_rolled_back) until a \
             new generation makes the copies begin anew:",
        );
    }
    for code in &done.stopped {
        let _ = write!(text, "\n  changtong resource new-generation {code}");
    }
    listed(&mut text, "not written by the bus, by topic:", strange);
    if !unseen.is_empty() {
        text.push_str("\nnot looked into, and what they hold is not known:");
    }
    for Unseen { topic, partition, from, until, why } in unseen {
        let _ = write!(
            text,
            "\n  {topic}, partition {partition}, offsets {from} to {}: {}",
            until - 1,
            spoken(why.text.clone())
        );
    }
    if done.elsewhere > 0 {
        let _ = write!(
            text,
            "\n{} events tell of publishes to resources, generations or under schemas that the store does not know: \
             not adopted",
            done.elsewhere
        );
    }
    if !done.repeatable.is_empty() {
        text.push_str(
            "\nadopted without the idempotency keys and source positions they were published under, which no event \
             holds: who sends them again publishes them twice",
        );
    }
    for one in &done.repeatable {
        let account = one.account.map_or_else(|| "-".to_owned(), |account| account.to_string());
        let _ = write!(
            text,
            "\n  {} ({}): {} records in {} batches of account {account}",
            one.resource,
            if_repeated(one.kind),
            one.records,
            one.batches
        );
        for (source, position) in &one.sources {
            let _ = write!(text, "\n    source {source} goes on from {position}");
        }
    }
    listed(&mut text, "not restored, to be done again where it still matters:", &done.missing);
    text
}

fn if_repeated(kind: Kind) -> &'static str {
    match kind {
        Kind::Table => "a table, whose rows would be as they are",
        Kind::Stream => "a stream, whose facts would stand twice",
    }
}

fn listed<K: Display>(text: &mut String, title: &str, counts: &BTreeMap<K, i64>) {
    if !counts.is_empty() {
        let _ = write!(text, "\n{title}");
    }
    for (what, count) in counts {
        let _ = write!(text, "\n  {count} {what}");
    }
}

fn counted(counts: &BTreeMap<TopicName, i64>) -> Value {
    counts.iter().map(|(topic, count)| (topic.to_string(), Value::from(*count))).collect()
}

fn unseen(one: &Unseen) -> Value {
    json!({
        "topic": one.topic.to_string(), "partition": one.partition, "first": one.from, "last": one.until - 1,
        "code": one.why.code.as_str(), "detail": one.why.text.en,
    })
}

fn repeatable(one: &Repeatable) -> Value {
    let source = |(name, position): &(String, String)| json!({ "name": name, "position": position });
    json!({
        "resource": one.resource.to_string(), "kind": one.kind, "account": one.account,
        "batches": one.batches, "records": one.records,
        "sources": one.sources.iter().map(source).collect::<Vec<_>>(),
    })
}
