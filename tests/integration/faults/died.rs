//! Tasks that die without the process: nothing goes on as if nothing had happened. What nothing goes on without ends the
//! server, which says so; what can be tried again is told by readiness until it goes well.

use serde_json::{Value, json};

use super::deployment::{Deployment, Process, once, reconcile};
use crate::support::{Client, Pair, wait};

const FIRST: std::ops::Range<u32> = 0..10;
const BATCH: std::ops::Range<u32> = 100..400;

async fn ready(server: &Process) -> (u16, Value) {
    let reply = Client::new(server.operations(), None).get("/health/ready").await;
    (reply.status, reply.json())
}

#[tokio::test]
async fn a_dead_committer_ends_the_server_embedded() {
    a_dead_committer_ends_the_server(Pair::Embedded).await;
}

#[tokio::test]
async fn a_dead_committer_ends_the_server_production() {
    a_dead_committer_ends_the_server(Pair::Production).await;
}

async fn a_dead_committer_ends_the_server(pair: Pair) {
    let Some(deployment) = Deployment::new(pair).await else { return };
    let server = deployment.start("node", None).await;
    let table = deployment.table(&server).await;
    table.publish(&server, "first", FIRST).await.expect("a first batch");
    server.kill().await;

    let mut server = deployment.start("node", Some("commit.before=panic")).await;
    table.publish_once(&server, "batch", BATCH).await.expect_err("nobody commits it");
    assert_eq!(server.exit_code().await, 1, "{}", server.said());
    let said = server.said();
    assert!(said.contains("后台任务 commits") && said.contains("the background task commits"), "{said}");

    let server = deployment.start("node", None).await;
    assert_eq!(table.visible(&server).await, once(&[FIRST]));
    table.publish(&server, "batch", BATCH).await.expect("the retry");
    assert_eq!(table.visible(&server).await, once(&[FIRST, BATCH]));
    server.kill().await;
    reconcile(&deployment, "node");
    deployment.done().await;
}

/// The writer of the embedded log has its own task; a producer of Kafka has none that could die alone.
#[tokio::test]
async fn a_dead_writer_of_the_log_is_told_by_readiness() {
    let deployment = Deployment::new(Pair::Embedded).await.expect("always there");
    let server = deployment.start("node", None).await;
    let table = deployment.table(&server).await;
    table.publish(&server, "first", FIRST).await.expect("a first batch");
    assert_eq!(ready(&server).await.0, 200);
    server.kill().await;

    let server = deployment.start("node", Some("publish.appending=panic")).await;
    table.publish_once(&server, "batch", BATCH).await.expect_err("nobody writes it");
    let (status, said) = ready(&server).await;
    assert_eq!((status, &said["checks"]["log"]), (503, &"broker_unavailable".into()), "{said}");
    assert_eq!(table.visible(&server).await, once(&[FIRST]), "what is there can still be read");
    server.kill().await;
    reconcile(&deployment, "node");
    deployment.done().await;
}

/// It breaks off once: who waits for its connector is served all the same.
#[tokio::test]
async fn connectors_go_on_where_their_keeper_broke_off() {
    let deployment = Deployment::new(Pair::Embedded).await.expect("always there");
    let server = deployment.start("node", Some("connectors.comparing=panic@3")).await;
    let table = deployment.table(&server).await;
    wait(async || {
        let said = server.said();
        if said.contains("the background task connectors broke off") { Ok(()) } else { Err(said) }
    })
    .await;
    let folder = deployment.folder().join("node/files/11999999FAKE00021N");
    std::fs::create_dir_all(&folder).expect("the agency's folder");
    std::fs::write(folder.join("ids.csv"), "id\n7\n8\n").expect("a file");
    let source = json!({
        "name": "ids", "resource": table.code(),
        "source": { "file": { "path": "ids.csv", "format": "csv", "mode": "append" } },
    });
    let owner = Client::new(server.url.clone(), Some(table.key().to_owned()));
    owner.post("/api/v1/connectors", source).await.expect(201);
    wait(async || {
        let seen = table.visible(&server).await;
        if seen == once(std::slice::from_ref(&(7..9))) { Ok(()) } else { Err(format!("{seen:?}")) }
    })
    .await;
    assert_eq!(ready(&server).await.0, 200, "it went well since");
    server.kill().await;
    reconcile(&deployment, "node");
    deployment.done().await;
}
