//! Case 19: kill -9 of the server at any moment, again and again, while publishers publish, a reader reads and a sink
//! writes. Whatever the moments: what was acknowledged is there, everything is there once, and the copy is the table.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use sqlx::{Connection as _, SqliteConnection};

use super::deployment::{Deployment, Process, Table, reconcile};
use super::story::{BATCH, Story};
use crate::support::{Client, Pair};

const ROUNDS: u32 = 50;
const PUBLISHERS: usize = 3;

/// A reader's key and subscription, and a sink into an SQLite file.
struct Consumer {
    key: String,
    subscription: String,
    copy: String,
}

async fn consumer(deployment: &Deployment, server: &Process, code: &str) -> Consumer {
    let authority = Client::new(server.url.clone(), Some(deployment.authority()));
    let joining = json!({ "code": "11999999FAKE01016C", "name": "应急局", "alias": "emergency" });
    let joined = authority.post("/api/v1/agencies", joining).await.expect(201);
    let key = joined["key"]["text"].as_str().expect("its key").to_owned();
    let caller = authority.with_key(&key);
    let request = json!({
        "resource": code, "consumer": "emergency", "purposes": [{ "code": "drill", "text": "演练" }],
        "basis": "演练", "history": "all", "items": ["id"],
        "consented_by": { "office": "应急局办公室", "document": "应急函〔2026〕1号" },
    });
    let written = caller.post("/api/v1/requests", request).await.expect(201);
    let submit = format!("/api/v1/requests/{}/submit", written["id"].as_str().expect("an id"));
    let agreed = caller.post(&submit, json!({})).await.expect(200);
    let grant = agreed["grant"].as_str().expect("a grant");
    let subscriptions = format!("/api/v1/grants/{grant}/subscriptions");
    let made = caller.post(&subscriptions, json!({ "name": "reader", "from": "start" })).await.expect(201);
    let sink = json!({ "name": "copy", "grant": grant, "sink": { "sql": { "url": "sqlite:copy.db", "table": "copy" } } });
    caller.post("/api/v1/connectors", sink).await.expect(201);
    let folder = deployment.folder().join("node/files/11999999FAKE01016C");
    Consumer {
        key,
        subscription: made["id"].as_str().expect("an id").to_owned(),
        copy: format!("sqlite:{}", folder.join("copy.db").display()),
    }
}

/// The rows of the copy, each with how often it is there.
async fn copy(url: &str) -> Option<BTreeMap<u64, usize>> {
    let mut connection = SqliteConnection::connect(url).await.ok()?;
    let rows: Vec<(i64,)> = sqlx::query_as("SELECT id FROM copy").fetch_all(&mut connection).await.ok()?;
    let mut found = BTreeMap::new();
    for (id,) in rows {
        *found.entry(u64::try_from(id).ok()?).or_default() += 1;
    }
    Some(found)
}

/// Some time between two moments, other in each round.
fn moment(round: u32) -> Duration {
    let mixed = round.wrapping_mul(2_654_435_761) >> 16;
    Duration::from_millis(u64::from(mixed % 700))
}

async fn killed_again_and_again(pair: Pair) {
    let Some(deployment) = Deployment::new(pair).await else { return };
    let mut server = deployment.start("node", None).await;
    let table: Table = deployment.table(&server).await;
    let consumer = consumer(&deployment, &server, table.code()).await;
    let story = Story::of(&table, &server, Duration::ZERO);
    let cast = story.begin(PUBLISHERS, &consumer.key, &consumer.subscription);

    for round in 0..ROUNDS {
        // Some die while they start, most at work: every fifth only once it has acknowledged something.
        if round % 5 == 0 {
            story.goes_on(1).await;
        }
        tokio::time::sleep(moment(round)).await;
        server.kill().await;
        server = deployment.spawn("node", None);
        story.goes_on_with(&server);
    }
    assert!(server.serves().await, "the last one ended: {}", server.said());
    let wanted = story.ends(cast, &table, &server).await;
    let (acknowledged, replayed) = (story.acknowledged(), story.replayed());
    println!(
        "{pair:?}: {ROUNDS} kills, {acknowledged} batches of {BATCH}, {replayed} known again by their key"
    );
    assert!(acknowledged >= ROUNDS / 5, "too little happened between the kills");
    while copy(&consumer.copy).await.as_ref() != Some(&wanted) {
        // It comes to that: a row too many never goes away, and the count below would say so.
        let rows = copy(&consumer.copy).await.unwrap_or_default();
        assert!(
            rows.keys().all(|id| wanted.contains_key(id)) && rows.values().all(|times| *times == 1),
            "{rows:?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.kill().await;
    reconcile(&deployment, "node");
    deployment.done().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_moment_nothing_is_lost_and_nothing_is_there_twice_embedded() {
    killed_again_and_again(Pair::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_moment_nothing_is_lost_and_nothing_is_there_twice_production() {
    killed_again_and_again(Pair::Production).await;
}
