//! Case 11: names and values of connectors that would break out of a statement of SQL.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection, SqliteConnection};

use super::connectors::{failure, folder};
use super::scene::{Scene, in_chinese, observation, refused};
use crate::support::{Pair, TestApp};

/// What ends a statement, a string or a name in one dialect or another.
const BREAKING: [&str; 10] = [
    "users\"; DROP TABLE victim; --",
    "users'; DROP TABLE victim; --",
    "obs; DROP TABLE victim",
    "obs\" WHERE 1=1 OR \"x",
    "obs--",
    "obs/*",
    "public.victim",
    "ｏｂｓ",
    "“obs”",
    "sqlite_master",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_and_names_stay_what_they_are_in_sqlite() {
    let app = TestApp::start(Pair::Embedded, &[]).await.expect("the embedded engines are always there");
    let scene = Scene::of(&app).await;
    let outbox = folder(&app, &scene, "emergency").await;
    let file = format!("sqlite:{}", outbox.join("copy.db").display());
    let mut victim = SqliteConnection::connect(&format!("{file}?mode=rwc")).await.expect("a database");
    sqlx::query("CREATE TABLE victim (id INTEGER)").execute(&mut victim).await.expect("a table");
    sqlx::query("INSERT INTO victim VALUES (7)").execute(&mut victim).await.expect("a row");
    victim.close().await.expect("closed");
    let written = names_are_refused_and_values_arrive(&scene, "sqlite:copy.db").await;
    let mut copy = SqliteConnection::connect(&file).await.expect("the copy");
    loop {
        let rows: Result<Vec<(String,)>, _> =
            sqlx::query_as("SELECT observer FROM obs ORDER BY hour").fetch_all(&mut copy).await;
        let rows: Vec<String> = rows.unwrap_or_default().into_iter().map(|(text,)| text).collect();
        if rows.len() == written.len() {
            assert_eq!(rows, written);
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let left: Vec<(i64,)> =
        sqlx::query_as("SELECT id FROM victim").fetch_all(&mut copy).await.expect("still there");
    assert_eq!(left, [(7,)]);
    scene.others_are_served().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_and_names_stay_what_they_are_in_postgresql() {
    let address = postgres_address();
    let databases = [("CHANGTONG_CONNECTORS__DATABASES", address.as_str())];
    let Some(app) = TestApp::start(Pair::Production, &databases).await else { return };
    let scene = Scene::of(&app).await;
    let url = app.app().settings.database.url.clone().expect("a PostgreSQL");
    let mut copy = PgConnection::connect(&url).await.expect("the database");
    sqlx::query("CREATE TABLE victim (id BIGINT)").execute(&mut copy).await.expect("a table");
    sqlx::query("INSERT INTO victim VALUES (7)").execute(&mut copy).await.expect("a row");
    let written = names_are_refused_and_values_arrive(&scene, &url).await;
    loop {
        let rows: Result<Vec<(String,)>, _> =
            sqlx::query_as("SELECT observer FROM obs ORDER BY hour").fetch_all(&mut copy).await;
        let rows: Vec<String> = rows.unwrap_or_default().into_iter().map(|(text,)| text).collect();
        if rows.len() == written.len() {
            assert_eq!(rows, written);
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let left: Vec<(i64,)> =
        sqlx::query_as("SELECT id FROM victim").fetch_all(&mut copy).await.expect("still there");
    assert_eq!(left, [(7,)]);
    // Where no operator allowed it, no connection is even tried.
    let grant = scene.granted(&["station", "hour"], None).await;
    let elsewhere = json!({ "name": "elsewhere", "grant": grant,
        "sink": { "sql": { "url": "postgres://a@169.254.169.254:80/x", "table": "t" } } });
    scene.world.consumer.integrator.post("/api/v1/connectors", elsewhere).await.expect(201);
    assert_eq!(failure(&scene.world.consumer.integrator, "elsewhere").await, "forbidden");
    copy.close().await.expect("closed");
    scene.others_are_served().await;
    app.stop().await;
}

#[expect(clippy::disallowed_methods, reason = "which engines a test run has is told by the environment")]
fn postgres_address() -> String {
    let url = std::env::var("CHANGTONG_TEST_POSTGRES").unwrap_or_default();
    url.rsplit('@').next().and_then(|rest| rest.split('/').next()).unwrap_or_default().to_owned()
}

/// Publishes values that would break out of a statement and lets a sink write them; answers them in order.
async fn names_are_refused_and_values_arrive(scene: &Scene, url: &str) -> Vec<String> {
    let mut file = crate::support::resource_file("unconditional");
    // Without a mask, so that a value arrives as it was written.
    file["items"][3]["mask"] = Value::Null;
    let code = scene.world.entry(file).await;
    let values: Vec<String> = BREAKING
        .iter()
        .map(|text| text.chars().take(40).collect())
        .chain(["$1", "%s", "\\'; --", "''", "\u{2019}; --", "NULL", "');--"].map(str::to_owned))
        .collect();
    let lines = values.iter().enumerate().map(|(hour, value)| {
        let mut line = observation("JFK", hour);
        line["observer"] = json!(value);
        line
    });
    scene.world.provider.integrator.publish(&code, &lines.collect::<Vec<_>>()).await.expect(200);
    let nul = json!({ "station": "J\0K", "hour": 1 });
    let reply = scene.world.provider.integrator.publish(&code, &[nul]).await;
    refused(&reply, 422, "records_invalid");

    let mut request = scene.request(&["hour", "observer"], None);
    request["resource"] = json!(code);
    let (_, agreed) = scene.world.request(request).await;
    let grant = agreed["grant"].as_str().expect("a grant");
    let reader = &scene.world.consumer.integrator;
    let sink = |name: &str, table: &str| json!({ "name": name, "grant": grant, "sink": { "sql": { "url": url, "table": table } } });
    for table in BREAKING {
        let reply = reader.post("/api/v1/connectors", sink("breaking", table)).await;
        let problem = refused(&reply, 422, "invalid");
        assert_eq!(problem["path"], "sink.sql.table");
    }
    let breaking = Some(sink("breaking", BREAKING[0]));
    in_chinese(reader, "post", "/api/v1/connectors", breaking).await;
    // A table that is not ours is not written, whatever its name.
    reader.post("/api/v1/connectors", sink("not-ours", "victim")).await.expect(201);
    assert_eq!(failure(reader, "not-ours").await, "conflict");
    reader.post("/api/v1/connectors", sink("copy", "obs")).await.expect(201);
    values
}
