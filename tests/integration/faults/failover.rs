//! A replica that had lagged takes the place of the database under a server that goes on: nothing tells but what the
//! server itself knows to have counted. It settles nothing, says so, and does not forget it at its next start.

use std::ops::Range;

use super::database::Database;
use super::deployment::{Deployment, Process, Table, once, reconcile};
use crate::support::{Client, Pair};

const BEFORE: Range<u32> = 0..200;
const LACKING: Range<u32> = 200..500;
/// Publishes that the replica may take before its lack is found.
const LATER: u32 = 1_000;
const BATCH: u32 = 30;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_lagged_takes_the_databases_place() {
    let Some(mut database) = Database::start().await else { return };
    let Some(mut deployment) = Deployment::new(Pair::Production).await else { return };
    deployment.set("CHANGTONG_DATABASE__URL", database.url());
    let server = deployment.start("node", None).await;
    let table = deployment.table(&server).await;
    table.publish(&server, "before", BEFORE).await.expect("a batch that the replica has");
    database.is_copied().await;
    table.publish(&server, "lacking", LACKING).await.expect("a batch that it lacks");
    database.ends("-KILL");
    database.is_replaced_by_its_copy().await;

    let taken = publishes_until_it_is_found(&table, &server).await;
    assert_eq!(table.own(&server).await.expect_err("nothing is read either"), "store_older_than_log");
    let ready = Client::new(server.operations(), None).get("/health/ready").await;
    assert!(ready.text.contains("store_older_than_log"), "{}", ready.text);
    server.kill().await;

    // What was committed since reaches beyond what is lacking, and a start is told all the same.
    let server = deployment.start("node", None).await;
    let refused = table.publish_once(&server, "again", 9_000..9_001).await.expect_err("it is still older");
    assert_eq!(refused.code(), Some("store_older_than_log"), "{refused}");
    server.kill().await;
    let nothing = deployment.folder().join("none.ndjson");
    std::fs::write(&nothing, "").expect("a file");
    let (ok, said) = deployment.command(&["reconcile", "--adopt", &nothing.display().to_string()], "node");
    assert!(!ok && said.contains("300"), "nothing that it lacks was declared dead by itself: {said}");

    let (ok, said) = deployment.command(&["reconcile", "--declare-dead"], "node");
    assert!(ok && said.contains("changtong resource new-generation "), "{said}");
    let server = deployment.start("node", None).await;
    table.new_generation(&server, None).await.expect("copies begin anew");
    table.publish(&server, "lacking", LACKING).await.expect("the retry");
    let mut all = vec![BEFORE, LACKING];
    all.extend(taken);
    assert_eq!(table.visible(&server).await, once(&all));
    server.kill().await;
    reconcile(&deployment, "node");
    deployment.done().await;
}

/// What the replica took of it.
async fn publishes_until_it_is_found(table: &Table, server: &Process) -> Vec<Range<u32>> {
    let mut taken = Vec::new();
    for batch in 0..2_000 {
        let ids = LATER + batch * BATCH..LATER + (batch + 1) * BATCH;
        let key = format!("later-{batch}");
        match table.publish_once(server, &key, ids.clone()).await {
            Ok(_) => taken.push(ids),
            Err(refused) => match refused.code() {
                Some("store_older_than_log") => return taken,
                Some("store_unavailable" | "overloaded") => {}
                // It may have been taken: the retry says so, or that the lack is found.
                Some("outcome_unknown") => {
                    if table.publish(server, &key, ids.clone()).await.is_ok() {
                        taken.push(ids);
                    }
                }
                _ => panic!("{refused}: {}", server.said()),
            },
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("it was never found: {}", server.said());
}
