//! The clients of docs/clients, as they stand there, against the real application behind a rough road: refusals that
//! pass, answers that get lost, a view that changed, a position that somebody set.

use std::collections::BTreeMap;
use std::path::Path;

use changtong_catalog::connector::Process;
use changtong_connectors::runner::ConnectorSpec;
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};
use tempfile::TempDir;
use tokio::process::Command;

use crate::shell::project;
use crate::support::{Road, TestApp, Turn, World, on_both_pairs, resource_file};

on_both_pairs!(python_publishes_and_reads, java_publishes_and_reads, curl_publishes_and_reads);

/// Station and hour → temperature.
type Rows = BTreeMap<(String, i64), String>;

/// A client: its programs, how they are run and where its copy lies.
struct Client {
    page: &'static str,
    language: &'static str,
    publisher: &'static [&'static str],
    reader: &'static [&'static str],
}

async fn python_publishes_and_reads(app: &TestApp) {
    let client = Client {
        page: "python.md",
        language: "python",
        publisher: &["python3", "publish.py"],
        reader: &["python3", "reader.py"],
    };
    publishes_and_reads(app, &client, async |folder| {
        let url = format!("sqlite:{}", folder.join("copy.db").display());
        let mut copy = SqliteConnection::connect(&url).await.expect("the copy");
        let records: Vec<(String,)> =
            sqlx::query_as("SELECT record FROM held").fetch_all(&mut copy).await.expect("its rows");
        records.iter().map(|(record,)| row(record)).collect()
    })
    .await;
}

async fn java_publishes_and_reads(app: &TestApp) {
    let client = Client {
        page: "java.md",
        language: "java",
        publisher: &["java", "Publisher.java"],
        reader: &["java", "Reader.java"],
    };
    publishes_and_reads(app, &client, async |folder| {
        let copy = std::fs::read_to_string(folder.join("copy.tsv")).expect("the copy");
        let line = |line: &str| -> Value {
            serde_json::from_str(line.split('\t').nth(2).expect("a line as delivered")).expect("JSON")
        };
        copy.lines().skip(1).map(|held| row(&line(held)["record"].to_string())).collect()
    })
    .await;
}

async fn curl_publishes_and_reads(app: &TestApp) {
    let client = Client {
        page: "curl.md",
        language: "bash",
        publisher: &["bash", "publish.sh"],
        reader: &["bash", "reader.sh"],
    };
    publishes_and_reads(app, &client, async |folder| {
        let files = std::fs::read_dir(folder.join("copy")).expect("the copy");
        let files = files.map(|entry| entry.expect("a file").path());
        let rows = files.filter(|path| !path.file_name().expect("a name").to_string_lossy().starts_with('.'));
        rows.filter_map(|path| Some(row(std::fs::read_to_string(path).expect("a row").lines().nth(1)?)))
            .collect()
    })
    .await;
}

fn row(record: &str) -> ((String, i64), String) {
    let record: Value = serde_json::from_str(record).expect("a record");
    let station = record["station"].as_str().expect("a station").to_owned();
    ((station, record["hour"].as_i64().expect("an hour")), record["temp"].to_string())
}

async fn publishes_and_reads(app: &TestApp, client: &Client, copy: impl AsyncFn(&Path) -> Rows) {
    let world = World::of(app).await;
    let code = world.entry(resource_file("unconditional")).await;
    let folder = tempfile::tempdir().expect("a folder");
    unpack(client, &folder);
    let first: Vec<Value> =
        (0..24).flat_map(|hour| ["JFK", "LGA"].map(|at| observation(at, hour, "1.5"))).collect();
    write(&folder, &first);

    // A refusal that passes, then an answer that gets lost: the records count once.
    let road = Road::to(app.api).await;
    road.expect("POST", Turn::Refuse);
    road.expect("POST", Turn::SlowDown);
    road.expect("POST", Turn::LoseAnswer);
    let run = Run { client, folder: &folder, url: road.url() };
    let said = run.publisher(world.provider.integrator.key(), &code).await;
    assert!(said.contains("48 records, 48 of them published before"), "{said}");
    assert_eq!(road.left(), 0);
    let again = run.publisher(world.provider.integrator.key(), &code).await;
    assert!(again.contains("48 records, 48 of them published before"), "{again}");
    let own = format!("/api/v1/resources/{code}/records");
    assert_eq!(world.provider.integrator.get(&own).await.lines().len(), 49);

    let (_, request) = world.request(request_file(&code)).await;
    let grant = request["grant"].as_str().expect("a grant").to_owned();
    let key = world.consumer.integrator.key();
    road.expect("GET /api/v1/subscriptions", Turn::Refuse);
    road.expect("GET /api/v1/subscriptions", Turn::LoseAnswer);
    road.expect("/acks", Turn::LoseAnswer);
    let said = run.reader(key, &grant).await;
    assert!(said.contains("48 rows held"), "{said}");
    assert_eq!((road.left(), copy(folder.path()).await), (0, rows(&first)));

    // Corrections and a withdrawal; then somebody sets the position, and everything comes again.
    let mut second = first.clone();
    second[3] = observation("LGA", 1, "9.5");
    let gone = second.remove(10);
    let withdrawn = json!({ "$op": "delete", "station": gone["station"], "hour": gone["hour"] });
    world.provider.integrator.publish(&code, &[second[3].clone(), withdrawn]).await.expect(200);
    run.reader(key, &grant).await;
    assert_eq!(copy(folder.path()).await, rows(&second));
    let listed =
        world.consumer.integrator.get(&format!("/api/v1/grants/{grant}/subscriptions")).await.expect(200);
    let subscription = listed["items"][0]["id"].as_str().expect("its subscription").to_owned();
    let seek = format!("/api/v1/subscriptions/{subscription}/seek");
    let start =
        world.consumer.integrator.post(&seek, json!({ "from": "start" })).await.expect(200)["next"].clone();
    run.reader(key, &grant).await;
    assert_eq!(copy(folder.path()).await, rows(&second), "what comes again changes nothing");

    // The view changed: the copy begins anew, so a row that is in no line any more goes.
    let next = start.as_str().expect("a cursor");
    road.expect("GET /api/v1/subscriptions", Turn::Gone("view_changed", next.to_owned()));
    run.reader(key, &grant).await;
    road.expect("GET /api/v1/subscriptions", Turn::Gone("position_expired", next.to_owned()));
    run.reader(key, &grant).await;
    assert_eq!((road.left(), copy(folder.path()).await), (0, rows(&second)));

    // Both sides' word is in the evidence: the reader's own digest of a window.
    let events = world.auditor.get("/api/v1/audit/events?code=deliver.acked&limit=100").await.expect(200);
    let acks = events["items"].as_array().expect("events");
    assert!(acks.iter().any(|event| event.to_string().contains("\"digest\"")), "{acks:?}");
}

#[test]
fn the_connector_of_the_page_is_one_for_a_process_of_its_own() {
    let page = std::fs::read_to_string(project("docs/clients/README.md")).expect("the page");
    let block = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a file");
    let file: Value = toml::from_str(block).expect("TOML");
    let spec = ConnectorSpec::from_value(&file).expect("a connector's file");
    assert_eq!((spec.name.as_str(), spec.process), ("flights-in", Process::Own));
}

fn observation(station: &str, hour: i64, temp: &str) -> Value {
    json!({ "station": station, "hour": hour, "temp": temp, "observer": "王小明" })
}

fn rows(records: &[Value]) -> Rows {
    records.iter().map(|record| row(&record.to_string())).collect()
}

fn request_file(code: &str) -> Value {
    json!({
        "resource": code, "consumer": "emergency", "purposes": [{ "code": "storm", "text": "暴雨应急" }],
        "basis": "突发事件应对职责", "consented_by": { "office": "应急局办公室", "document": "应急函〔2026〕1号" },
        "history": "all", "items": ["station", "hour", "temp"], "valid_until": "2090-12-31",
    })
}

fn write(folder: &TempDir, records: &[Value]) {
    let lines: String = records.iter().map(|record| format!("{record}\n")).collect();
    std::fs::write(folder.path().join("records.ndjson"), lines).expect("the file");
}

/// The page's blocks as files; the first line of each names its file.
fn unpack(client: &Client, folder: &TempDir) {
    let page = std::fs::read_to_string(project(&format!("docs/clients/{}", client.page))).expect(client.page);
    let blocks: Vec<&str> = page.split(&format!("```{}\n", client.language)).skip(1).collect();
    assert_eq!(blocks.len(), 2, "{} has a publisher and a reader", client.page);
    for block in blocks {
        let code = block.split("\n```").next().expect("the end of a block");
        let name = code.lines().next().and_then(|line| line.split_whitespace().nth(1)).expect("its name");
        std::fs::write(folder.path().join(name), format!("{code}\n")).expect("a program");
    }
}

struct Run<'a> {
    client: &'a Client,
    folder: &'a TempDir,
    url: String,
}

impl Run<'_> {
    async fn publisher(&self, key: &str, code: &str) -> String {
        self.program(self.client.publisher, key, &[code, "records.ndjson"]).await
    }

    async fn reader(&self, key: &str, grant: &str) -> String {
        self.program(self.client.reader, key, &[grant]).await
    }

    async fn program(&self, program: &[&str], key: &str, args: &[&str]) -> String {
        let output = Command::new(program[0])
            .args(&program[1..])
            .args(args)
            .current_dir(self.folder.path())
            .env("CHANGTONG_URL", &self.url)
            .env("CHANGTONG_KEY", key)
            .env("no_proxy", "127.0.0.1")
            .stdin(std::process::Stdio::null())
            .output()
            .await;
        let output = output.unwrap_or_else(|error| panic!("{}: {error}", program[0]));
        let (said, failed) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{program:?}: {said}{failed}");
        said.into_owned()
    }
}
