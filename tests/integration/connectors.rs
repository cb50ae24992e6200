//! Connectors through the whole: a file becomes records, records become a table and a file, and both follow the
//! provider's file. The copy equals the granted view (I11).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection, SqliteConnection};

use crate::support::{Client, Pair, TestApp, World, on_both_pairs, request_file, resource_file, wait};

/// Station and hour → temperature, as a grant with `temp > 10` shows them.
type Rows = BTreeMap<(String, i64), String>;

const DAY: usize = 48;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_becomes_a_table_and_a_file_embedded() {
    let app = TestApp::start(Pair::Embedded, &[]).await.expect("always there");
    a_file_becomes_a_table_and_a_file(&app, None).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_becomes_a_table_and_a_file_production() {
    let server = postgres_server();
    let address = server.rsplit('@').next().and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let databases = [("CHANGTONG_CONNECTORS__DATABASES", address)];
    let Some(app) = TestApp::start(Pair::Production, &databases).await else { return };
    let url = app.app().settings.database.url.clone().expect("a PostgreSQL");
    a_file_becomes_a_table_and_a_file(&app, Some(url)).await;
    app.stop().await;
}

on_both_pairs!(a_source_whose_key_was_revoked_reads_nothing_more);

/// A `replace` source reads its own resource to know the difference; that too ends with its key.
async fn a_source_whose_key_was_revoked_reads_nothing_more(app: &TestApp) {
    let world = World::of(app).await;
    let code = world.entry(resource_file("unconditional")).await;
    let inbox = folder(app, &world, "meteorology").await;
    let first = vec![Some(12.5); DAY];
    put(&inbox, &first, &[]);
    let source = json!({ "name": "obs-in", "resource": code, "source": {
        "file": { "path": "obs.csv", "format": "csv", "null": ["NA"], "mode": "replace", "max_deletes": "100%" } } });
    world.provider.integrator.post("/api/v1/connectors", source).await.expect(201);
    until(&world.provider.integrator, "obs-in", |details| details["counts"]["accepted"] == DAY).await;
    // It knows by now what it published itself; a start from nothing asks.
    order(&world.provider.integrator, "obs-in", "stop").await;
    until_state(&world.provider.integrator, "obs-in", "stopped").await;
    put(&inbox, &first, &[3]);
    order(&world.provider.integrator, "obs-in", "start").await;
    until(&world.provider.integrator, "obs-in", |details| details["counts"]["deleted"] == 1).await;
    let reads = async || {
        let found = world.auditor.get("/api/v1/audit/events?code=steward.read").await.expect(200);
        found["items"].as_array().expect("events").len()
    };
    let before = reads().await;
    assert!(before > 0, "it has read what there is");

    // Somebody else's record is there to be read.
    world.provider.integrator.publish(&code, &[json!({ "station": "EWR", "hour": 1 })]).await.expect(200);
    let revoke = format!("/api/v1/keys/{}/revoke", world.provider.integrator_key);
    world.authority.post(&revoke, json!({})).await.expect(200);
    put(&inbox, &first, &[3, 4]);
    wait(async || {
        let found = world.auditor.get("/api/v1/audit/events?code=connector.state").await.expect(200);
        let told = |event: &Value| event["error"] == "unauthenticated";
        if found["items"].as_array().expect("events").iter().any(told) {
            Ok(())
        } else {
            Err(found.to_string())
        }
    })
    .await;
    assert_eq!(reads().await, before, "nothing was read under a key that had ended");
}

#[expect(clippy::disallowed_methods, reason = "which engines a test run has is told by the environment")]
fn postgres_server() -> String {
    std::env::var("CHANGTONG_TEST_POSTGRES").unwrap_or_default()
}

async fn a_file_becomes_a_table_and_a_file(app: &TestApp, postgres: Option<String>) {
    let world = World::of(app).await;
    let code = world.entry(resource_file("unconditional")).await;
    let inbox = folder(app, &world, "meteorology").await;
    let first: Vec<Option<f64>> = (0..DAY).map(|at| (at % 7 != 0).then_some(at as f64 / 2.0)).collect();
    put(&inbox, &first, &[]);
    let source = json!({
        "name": "obs-in",
        "resource": code,
        "source": { "file": { "path": "obs.csv", "format": "csv", "null": ["NA"], "mode": "replace" } },
    });
    let provider = &world.provider.integrator;
    provider.post("/api/v1/connectors", source.clone()).await.expect(201);
    until(provider, "obs-in", |details| details["counts"]["accepted"] == DAY).await;
    provider.post("/api/v1/connectors", source).await.expect(201);

    let grant = granted(&world, &code).await;
    let consumer = &world.consumer.integrator;
    let sink = |name: &str, kind: &str, target: Value| json!({ "name": name, "grant": grant, "sink": { kind: target } });
    let sqlite = sink("to-sqlite", "sql", json!({ "url": "sqlite:copy.db", "table": "obs" }));
    let csv = sink("to-csv", "file", json!({ "path": "obs.csv", "format": "csv" }));
    let mut files = vec![sqlite, csv];
    if let Some(url) = &postgres {
        files.push(sink("to-postgres", "sql", json!({ "url": url, "table": "obs_copy" })));
    }
    for file in &files {
        consumer.post("/api/v1/connectors", file.clone()).await.expect(201);
    }
    let outbox = folder(app, &world, "emergency").await;
    let copies = Copies { outbox, postgres };
    copies.come_to(&view(&first, &[])).await;

    // The second day's file corrects, withdraws and drops.
    let mut second = first.clone();
    second[3] = Some(30.0);
    second[40] = None;
    second[41] = Some(1.0);
    put(&inbox, &second, &[44, 45]);
    copies.come_to(&view(&second, &[44, 45])).await;

    // A new generation with other partitions: the copies begin anew, the provider's file goes on.
    let path = format!("/api/v1/resources/{code}/new-generation");
    world.provider.reviewer.post(&path, json!({ "partitions": 5 })).await.expect(200);
    copies.come_to(&view(&second, &[44, 45])).await;
    second[2] = Some(33.0);
    put(&inbox, &second, &[44, 45, 46]);
    copies.come_to(&view(&second, &[44, 45, 46])).await;

    // What happens while a sink stands still comes when it starts again; a reset builds the copy anew.
    order(consumer, "to-sqlite", "stop").await;
    until_state(consumer, "to-sqlite", "stopped").await;
    second[5] = Some(31.5);
    put(&inbox, &second, &[44]);
    order(consumer, "to-sqlite", "reset").await;
    order(consumer, "to-sqlite", "start").await;
    copies.come_to(&view(&second, &[44])).await;

    // A file that would delete too much waits for a person.
    put(&inbox, &second, &(0..40).collect::<Vec<_>>());
    until_state(provider, "obs-in", "confirm").await;
    let running = provider.post("/api/v1/connectors/obs-in/reset", json!({})).await;
    assert_eq!((running.status, running.code().as_str()), (409, "invalid_state"));
    copies.come_to(&view(&second, &[44])).await;
    order(provider, "obs-in", "confirm").await;
    copies.come_to(&view(&second, &(0..40).collect::<Vec<_>>())).await;

    let listed = world.operator.get("/api/v1/connectors").await.expect(200);
    let listed = listed["items"].as_array().expect("connectors");
    assert!(listed.len() >= 3 && listed.iter().all(|one| one.get("spec").is_none()), "{listed:?}");

    let revoke = json!({ "cause": "purpose_done", "filing": "备案1号" });
    world.provider.reviewer.post(&format!("/api/v1/grants/{grant}/revoke"), revoke).await.expect(200);
    until(consumer, "to-csv", |details| details["last_error"]["code"] == "grant_revoked").await;
}

/// The folder of an agency's connectors.
async fn folder(app: &TestApp, world: &World, alias: &str) -> PathBuf {
    let shown = world.authority.get(&format!("/api/v1/agencies/{alias}")).await.expect(200);
    let folder =
        app.app().settings.data.dir.join("files").join(shown["code"].as_str().expect("a credit code"));
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Puts the whole file in place at once.
fn put(folder: &std::path::Path, temps: &[Option<f64>], dropped: &[usize]) {
    let mut text = "观测站,hour,temp,observer\n".to_owned();
    for (at, temp) in temps.iter().enumerate().filter(|(at, _)| !dropped.contains(at)) {
        let temp = temp.map_or("NA".to_owned(), |temp| format!("{temp:.1}"));
        let _ = writeln!(text, "{},{},{temp},王小明", station(at), at % 24);
    }
    fs::write(folder.join("obs.new"), text).expect("the new file");
    fs::rename(folder.join("obs.new"), folder.join("obs.csv")).expect("in its place");
}

fn station(at: usize) -> &'static str {
    if at < 24 { "JFK" } else { "LGA" }
}

/// What the grant shows of a file, worked out from the file alone.
fn view(temps: &[Option<f64>], dropped: &[usize]) -> Rows {
    let kept = temps.iter().enumerate().filter(|(at, _)| !dropped.contains(at));
    kept.filter_map(|(at, temp)| {
        let temp = temp.filter(|temp| *temp > 10.0)?;
        Some(((station(at).to_owned(), at as i64 % 24), format!("{temp:.1}")))
    })
    .collect()
}

async fn granted(world: &World, code: &str) -> String {
    let file = request_file(code, &["station", "hour", "temp"], Some("temp > 10"));
    let (_, request) = world.request(file).await;
    let grant = request["grant"].as_str().expect("a grant").to_owned();
    let shown = world.consumer.integrator.get(&format!("/api/v1/grants/{grant}")).await.expect(200);
    assert_eq!(shown["state"], "active");
    grant
}

async fn order(client: &Client, name: &str, verb: &str) {
    client.post(&format!("/api/v1/connectors/{name}/{verb}"), json!({})).await.expect(200);
}

async fn status(client: &Client, name: &str) -> Value {
    client.get(&format!("/api/v1/connectors/{name}")).await.expect(200)["status"].clone()
}

async fn until(client: &Client, name: &str, what: impl Fn(&Value) -> bool) {
    wait(async || {
        let status = status(client, name).await;
        if what(&status["details"]) { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
}

async fn until_state(client: &Client, name: &str, state: &str) {
    wait(async || {
        let status = status(client, name).await;
        if status["state"] == state { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
}

struct Copies {
    outbox: PathBuf,
    postgres: Option<String>,
}

impl Copies {
    /// Table and deliveries, each by itself, hold exactly these rows.
    async fn come_to(&self, wanted: &Rows) {
        wait(async || {
            let mut found = vec![("SQLite", self.sqlite().await), ("CSV", self.csv())];
            if let Some(url) = &self.postgres {
                found.push(("PostgreSQL", postgres(url).await));
            }
            match found.into_iter().find(|(_, rows)| rows.as_ref() != Some(wanted)) {
                None => Ok(()),
                Some((place, rows)) => Err(format!("{place} holds {rows:?}, wanted {wanted:?}")),
            }
        })
        .await;
    }

    async fn sqlite(&self) -> Option<Rows> {
        let url = format!("sqlite:{}", self.outbox.join("copy.db").display());
        let mut connection = SqliteConnection::connect(&url).await.ok()?;
        let rows: Vec<(String, i64, String)> =
            sqlx::query_as("SELECT station, hour, temp FROM obs").fetch_all(&mut connection).await.ok()?;
        Some(rows.into_iter().map(|(station, hour, temp)| ((station, hour), temp)).collect())
    }

    /// The deliveries applied in their order, by row handle.
    fn csv(&self) -> Option<Rows> {
        let text = fs::read_to_string(self.outbox.join("obs.csv")).ok()?;
        let (mut ids, mut rows) = (Vec::new(), BTreeMap::new());
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split(',').collect();
            let [id, op, k, _, station, hour, temp] = fields[..] else { return None };
            ids.push(id.to_owned());
            match op {
                "upsert" => {
                    rows.insert(k.to_owned(), ((station.to_owned(), hour.parse().ok()?), temp.to_owned()))
                }
                _ => rows.remove(k),
            };
        }
        let lines = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), lines, "no line is there twice");
        Some(rows.into_values().collect())
    }
}

async fn postgres(url: &str) -> Option<Rows> {
    let mut connection = PgConnection::connect(url).await.ok()?;
    let rows: Vec<(String, i32, String)> = sqlx::query_as("SELECT station, hour, temp::text FROM obs_copy")
        .fetch_all(&mut connection)
        .await
        .ok()?;
    Some(rows.into_iter().map(|(station, hour, temp)| ((station, i64::from(hour)), temp)).collect())
}
