//! What a sink writes to hangs: its own connector waits, another one goes on, orders are taken, and the server stops.

use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection, SqliteConnection};

use super::deployment::{Deployment, Process};
use super::proxy::Proxy;
use crate::support::{Client, Pair, wait};

/// What hangs.
enum Target {
    /// A PostgreSQL behind a network that falls silent.
    Database(Proxy, String),
    /// An SQLite file that another program holds.
    File(SqliteConnection, String),
}

impl Target {
    async fn new(deployment: &mut Deployment) -> (Option<Self>, String) {
        let Some(url) = deployment.database().map(str::to_owned) else {
            return (None, "sqlite:copy.db".to_owned());
        };
        let (proxy, by_proxy) = Proxy::before_database(&url).await;
        deployment.set("CHANGTONG_CONNECTORS__DATABASES", proxy.address.clone());
        (Some(Self::Database(proxy, url)), by_proxy)
    }

    async fn hangs(&mut self) {
        match self {
            Self::Database(proxy, _) => proxy.fall_silent(),
            Self::File(file, _) => {
                sqlx::query("BEGIN IMMEDIATE").execute(file).await.expect("it is held");
            }
        }
    }

    async fn answers_again(&mut self) {
        match self {
            Self::Database(proxy, _) => proxy.reopen(),
            Self::File(file, _) => {
                sqlx::query("ROLLBACK").execute(file).await.expect("it is let go");
            }
        }
    }

    async fn rows(&self) -> i64 {
        const COUNT: &str = "SELECT count(*) FROM the_copy";
        let count = match self {
            Self::Database(_, url) => {
                let mut database = PgConnection::connect(url).await.expect("PostgreSQL");
                sqlx::query_scalar(COUNT).fetch_one(&mut database).await
            }
            Self::File(_, url) => {
                let mut file = SqliteConnection::connect(url).await.expect("the file");
                sqlx::query_scalar(COUNT).fetch_one(&mut file).await
            }
        };
        count.expect("the table is there")
    }
}

async fn details(consumer: &Client) -> Value {
    consumer.get("/api/v1/connectors/copy").await.expect(200)["status"]["details"].clone()
}

async fn comes_to(consumer: &Client, what: impl Fn(&Value) -> bool) {
    wait(async || {
        let details = details(consumer).await;
        if what(&details) { Ok(()) } else { Err(details.to_string()) }
    })
    .await;
}

fn caller(server: &Process, key: &str) -> Client {
    Client::new(server.url.clone(), Some(key.to_owned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_hangs_holds_up_its_own_connector_alone_embedded() {
    a_target_that_hangs_holds_up_its_own_connector_alone(Pair::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_hangs_holds_up_its_own_connector_alone_production() {
    a_target_that_hangs_holds_up_its_own_connector_alone(Pair::Production).await;
}

async fn a_target_that_hangs_holds_up_its_own_connector_alone(pair: Pair) {
    let Some(mut deployment) = Deployment::new(pair).await else { return };
    let (target, url) = Target::new(&mut deployment).await;
    let mut server = deployment.start("node", None).await;
    let table = deployment.table(&server).await;
    let reader = deployment.reader(&server, &table).await;
    let consumer = caller(&server, &reader.key);
    let sink = json!({ "name": "copy", "grant": reader.grant,
        "sink": { "sql": { "url": url, "table": "the_copy" } } });
    consumer.post("/api/v1/connectors", sink).await.expect(201);
    table.publish(&server, "first", 0..10).await.expect("a first batch");
    comes_to(&consumer, |details| details["counts"]["delivered"] == 10).await;

    let mut target = match target {
        Some(target) => target,
        None => {
            let file = deployment.folder().join("node/files/91999999FAKE00013K/copy.db");
            let url = format!("sqlite:{}", file.display());
            Target::File(SqliteConnection::connect(&url).await.expect("the sink's file"), url)
        }
    };
    target.hangs().await;
    table.publish(&server, "second", 10..40).await.expect("a second batch");
    match &target {
        // It has been delivered and is being written.
        Target::Database(proxy, _) => proxy.holds_something().await,
        Target::File(..) => comes_to(&consumer, |details| details["last_error"]["code"].is_string()).await,
    }
    // Its owner does what one does, and is told why it takes so long.
    for order in ["stop", "reset", "start"] {
        consumer.post(&format!("/api/v1/connectors/copy/{order}"), json!({})).await.expect(200);
    }
    let waits = |details: &Value| match &target {
        Target::Database(..) => details["ends_since"].is_string(),
        Target::File(..) => details["last_error"]["code"].is_string(),
    };
    comes_to(&consumer, waits).await;

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
    // All the while it hung, and hangs.
    comes_to(&consumer, waits).await;
    assert_eq!(target.rows().await, 10, "nothing half written");

    server.signal("-TERM");
    assert_eq!(server.exit_code().await, 0, "{}", server.said());
    if let Target::Database(..) = &target {
        assert!(server.said().contains("batches at work were left"), "it waited: {}", server.said());
    }
    target.answers_again().await;
    let server = deployment.start("node", None).await;
    wait(async || match target.rows().await {
        42 => Ok(()),
        rows => Err(format!("{rows} rows of 42: {}", details(&caller(&server, &reader.key)).await)),
    })
    .await;
    server.kill().await;
    super::deployment::reconcile(&deployment, "node");
    deployment.done().await;
}
