//! Ids of schemas outlive whoever gave them: after a death, and from another server on the same store, one schema has the
//! id it had, and what is new the one that follows.

use changtong::client::Client;
use serde_json::json;

use super::deployment::{Deployment, Process};
use crate::support::Pair;

/// A schema of its own for each number.
fn text(number: usize) -> String {
    json!({ "type": "record", "name": "R", "fields": [{ "name": format!("f{number}"), "type": "int" }] })
        .to_string()
}

/// Registers it under a subject of its own; its id.
async fn register(server: &Process, key: &str, context: &str, number: usize) -> i64 {
    let url = format!("{}/registry/subjects/{context}s{number}/versions", server.url);
    let asked = reqwest::Client::builder().no_proxy().build().expect("a client").post(url).bearer_auth(key);
    let answer = asked.json(&json!({ "schema": text(number) })).send().await.expect("an answer");
    let body: serde_json::Value = answer.json().await.expect("JSON");
    assert_eq!(body["version"], 1, "{body}");
    body["id"].as_i64().unwrap_or_else(|| panic!("an id in {body}"))
}

/// The ids of the first `count`, which are there or come.
async fn ids(server: &Process, key: &str, context: &str, count: usize) -> Vec<i64> {
    let mut ids = Vec::new();
    for number in 0..count {
        ids.push(register(server, key, context, number).await);
    }
    ids
}

/// What `node` gave is what it, or another, gives later.
async fn ids_stay(deployment: &Deployment, nodes: [&str; 2]) {
    let first = deployment.start(nodes[0], None).await;
    let key = deployment.authority();
    let table = deployment.table(&first).await;
    let given = ids(&first, &key, "", 3).await;
    assert_eq!(given[2] - given[0], 2, "one behind the other: {given:?}");
    let inside = ids(&first, &key, ":.x:", 2).await;
    assert_eq!(inside, [1, 2]);
    table.publish(&first, "batch", 0..10).await.expect("records");
    first.kill().await;

    let second = loop {
        let mut second = deployment.spawn(nodes[1], None);
        if second.serves().await {
            break second;
        }
        assert!(second.said().contains("another_server_active"), "{}", second.said());
    };
    let later = ids(&second, &key, "", 5).await;
    let last = given[2];
    assert_eq!(later, [given.clone(), vec![last + 1, last + 2]].concat());
    assert_eq!(ids(&second, &key, ":.x:", 3).await, [1, 2, 3]);
    // And those of a resource.
    let owner = Client::new(&second.url, &key, "en").expect("a client");
    let path = format!("/resources/{}/schema", table.code());
    let schema = owner.get(&path).await.expect("its schemas");
    let id = schema["value"]["id"].as_i64().expect("an id");
    assert!(id < given[0], "it was there before: {id}");
    let receipt = table.publish(&second, "later", 10..20).await.expect("records");
    assert_eq!(receipt["schema_id"], id);
    second.kill().await;
}

async fn after_a_restart(pair: Pair) {
    let Some(deployment) = Deployment::new(pair).await else { return };
    ids_stay(&deployment, ["one", "one"]).await;
    deployment.done().await;
}

#[tokio::test]
async fn after_a_restart_ids_are_what_they_were_on_embedded_engines() {
    after_a_restart(Pair::Embedded).await;
}

#[tokio::test]
async fn after_a_restart_ids_are_what_they_were_on_production_engines() {
    after_a_restart(Pair::Production).await;
}

#[tokio::test]
async fn after_a_takeover_ids_are_what_they_were() {
    let Some(deployment) = Deployment::new(Pair::Production).await else { return };
    ids_stay(&deployment, ["one", "two"]).await;
    deployment.done().await;
}
