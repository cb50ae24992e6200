//! The store gone between append and commit: a refusal that says so, and one true result for the retry.

use super::deployment::{Deployment, once, reconcile};
use super::proxy::Proxy;
use crate::support::Pair;

const BATCH: std::ops::Range<u32> = 100..400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_goes_between_append_and_commit() {
    let Some(mut deployment) = Deployment::new(Pair::Production).await else { return };
    let (proxy, url) = Proxy::before_database(deployment.database().expect("PostgreSQL")).await;
    deployment.set("CHANGTONG_DATABASE__URL", url);

    let server = deployment.start("node", None).await;
    let table = deployment.table(&server).await;
    server.kill().await;
    let server = deployment.start("node", Some("publish.appended=stop")).await;
    let publishing = table.publish_once(&server, "batch", BATCH);
    let losing = async {
        server.stands_still().await;
        proxy.close();
        server.signal("-CONT");
    };
    let (answer, ()) = tokio::join!(publishing, losing);
    let refusal = answer.expect_err("there is no store");
    assert!(matches!(refusal.code(), Some("store_unavailable" | "outcome_unknown")), "{refusal}");

    proxy.reopen();
    let receipt = table.publish(&server, "batch", BATCH).await.expect("the retry");
    assert_eq!(receipt["accepted"], 300);
    assert_eq!(table.visible(&server).await, once(&[BATCH]), "lost or doubled");
    server.kill().await;
    reconcile(&deployment, "node");
    deployment.done().await;
}
