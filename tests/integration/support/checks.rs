//! What an application must not leave behind: open windows, events that disagree with what is visible.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use changtong::clock::SystemIds;
use changtong_catalog::clock::{Clock, ManualClock};
use changtong_catalog::ids::{Generation, ResourceNumber};
use changtong_catalog::ports::{Directory as _, Ledger as _};
use changtong_catalog::store::{Store, StoreLedger};
use changtong_catalog::visibility::{PartitionView, Verdict};
use serde_json::Value;

/// Everything that is wrong, in words.
pub async fn complaints(store: &Store) -> Vec<String> {
    let bodies = bodies(store).await;
    let mut found = Vec::new();
    windows(&bodies, &mut found);
    records(store, &bodies, &mut found).await;
    found
}

async fn bodies(store: &Store) -> Vec<Value> {
    const STEP: i64 = 1000;
    let mut session = store.read().await.expect("a session");
    let (mut bodies, mut after) = (Vec::new(), None);
    loop {
        let rows = session.events(&Default::default(), after, STEP).await.expect("events");
        let Some(last) = rows.last() else { return bodies };
        after = Some(last.place());
        bodies.extend(rows.iter().map(|row| serde_json::from_slice::<Value>(&row.body).expect("a body")));
    }
}

fn with_code<'a>(bodies: &'a [Value], code: &'a str) -> impl Iterator<Item = &'a Value> {
    bodies.iter().filter(move |body| body["code"] == code)
}

/// Every window that was opened is closed, once.
fn windows(bodies: &[Value], found: &mut Vec<String>) {
    let ids = |code| with_code(bodies, code).map(|body| body["window"].to_string()).collect::<Vec<_>>();
    let (opened, closed) = (ids("deliver.opened"), ids("deliver.closed"));
    let (once, ends): (BTreeSet<_>, BTreeSet<_>) = (opened.iter().collect(), closed.iter().collect());
    if once.len() != opened.len() || ends.len() != closed.len() {
        found.push("a window was opened or closed twice".to_owned());
    }
    for window in once.symmetric_difference(&ends) {
        found.push(format!("window {window} was not both opened and closed"));
    }
}

/// Per generation as many offsets are visible as publish events say.
async fn records(store: &Store, bodies: &[Value], found: &mut Vec<String>) {
    let mut said: BTreeMap<(i64, i64), i64> = BTreeMap::new();
    for body in with_code(bodies, "publish") {
        let batches = body["batches"].as_array().expect("batches");
        let count: i64 = batches.iter().map(|batch| batch["n"].as_i64().expect("n")).sum();
        let topic =
            (body["resource"].as_i64().expect("resource"), body["generation"].as_i64().expect("generation"));
        *said.entry(topic).or_default() += count;
    }
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(store.now().await.expect("the time")));
    let ledger = StoreLedger::new(store.clone(), clock, Arc::new(SystemIds), 0);
    for topic in store.topics().await.expect("topics") {
        let place = (topic.resource.0, i64::from(topic.generation.0));
        let views =
            ledger.views(ResourceNumber(place.0), Generation(topic.generation.0)).await.expect("views");
        let visible: i64 = views.iter().map(visible).sum();
        let said = said.remove(&place).unwrap_or_default();
        if visible != said {
            found.push(format!("{}: {visible} offsets are visible, events say {said}", topic.name));
        }
    }
    if !said.is_empty() {
        found.push(format!("events of publishes without a topic: {said:?}"));
    }
}

fn visible(view: &PartitionView) -> i64 {
    let count = |dead: bool, below: bool| -> i64 {
        view.runs
            .iter()
            .filter(|run| (run.verdict == Verdict::Dead) == dead && (run.first < view.settled) == below)
            .map(|run| run.last - run.first + 1)
            .sum()
    };
    view.settled - count(true, true) + count(false, false)
}
