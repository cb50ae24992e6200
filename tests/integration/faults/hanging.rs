//! What a sink writes to hangs: its own connector waits, nobody else does, and the server still stops.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use tokio::time::timeout;

use super::deployment::{Deployment, Process};
use super::proxy::Proxy;
use crate::support::{Client, Pair, wait};

/// Who waits longer waits for the host that hangs.
const FOR_EVER: Duration = Duration::from_secs(90);

async fn shown(consumer: &Client) -> Value {
    consumer.get("/api/v1/connectors/copy").await.expect(200)["status"].clone()
}

async fn comes_to(consumer: &Client, what: impl Fn(&Value) -> bool) {
    wait(async || {
        let status = shown(consumer).await;
        if what(&status) { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
}

fn caller(server: &Process, key: &str) -> Client {
    Client::new(server.url.clone(), Some(key.to_owned()))
}

/// PostgreSQL behind a network that went silent; of SQLite, a file, nothing of the kind is known.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_hangs_holds_up_its_own_connector_alone() {
    let Some(mut deployment) = Deployment::new(Pair::Production).await else { return };
    let (proxy, url) = Proxy::before_database(deployment.database().expect("PostgreSQL")).await;
    deployment.set("CHANGTONG_CONNECTORS__DATABASES", proxy.address.clone());
    let mut server = deployment.start("node", None).await;
    let table = deployment.table(&server).await;
    let (reader, auditor) = (deployment.reader(&server, &table).await, deployment.auditor(&server).await);
    let consumer = caller(&server, &reader.key);
    let sink = json!({ "name": "copy", "grant": reader.grant,
        "sink": { "sql": { "url": url, "table": "the_copy" } } });
    consumer.post("/api/v1/connectors", sink).await.expect(201);
    table.publish(&server, "first", 0..10).await.expect("a first batch");
    comes_to(&consumer, |status| status["details"]["counts"]["delivered"] == 10).await;

    let windows = async || deployment.events(&server, &auditor).await.matches("deliver.opened").count();
    let before = windows().await;
    proxy.fall_silent();
    table.publish(&server, "second", 10..40).await.expect("a second batch");
    wait(async || {
        let now = windows().await;
        if now > before { Ok(()) } else { Err(format!("{now} windows")) }
    })
    .await;
    // It has been delivered and is being written. Its owner does what one does, and is told why it takes so long.
    for order in ["stop", "reset", "start"] {
        consumer.post(&format!("/api/v1/connectors/copy/{order}"), json!({})).await.expect(200);
    }
    comes_to(&consumer, |status| status["details"]["ends_since"].is_string()).await;

    let folder = deployment.folder().join("node/files/11999999FAKE00021N");
    std::fs::create_dir_all(&folder).expect("the agency's folder");
    std::fs::write(folder.join("ids.csv"), "id\n100\n101\n").expect("a file");
    let source = json!({ "name": "ids", "resource": table.code(),
        "source": { "file": { "path": "ids.csv", "format": "csv", "mode": "append" } } });
    caller(&server, table.key()).post("/api/v1/connectors", source).await.expect(201);
    wait(async || {
        let seen = table.visible(&server).await;
        if seen.len() == 42 { Ok(()) } else { Err(format!("{} records", seen.len())) }
    })
    .await;

    server.signal("-TERM");
    let code = timeout(FOR_EVER, server.exit_code()).await.expect("it stops");
    assert_eq!(code, 0, "{}", server.said());
    proxy.reopen();
    let server = deployment.start("node", None).await;
    let mut copy = PgConnection::connect(deployment.database().expect("PostgreSQL")).await.expect("it");
    let mut rows = async || {
        let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM the_copy");
        count.fetch_one(&mut copy).await.unwrap_or_default()
    };
    let coming = async {
        while rows().await != 42 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(FOR_EVER, coming).await.expect("the copy is begun anew and comes to all of it");
    server.kill().await;
    deployment.done().await;
}
