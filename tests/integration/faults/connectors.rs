//! kill -9 at random moments of connectors in processes of their own, and of their server meanwhile: every record of
//! the files is published once, and the table that a sink fills is what the resource holds.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use changtong::client::Client;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection, SqliteConnection};

use super::deployment::{BINARY, Deployment, Process, free_port, reconcile};
use crate::support::Pair;

/// Rounds, each ended by kill -9.
const ROUNDS: u32 = 24;
/// In these rounds the server dies too, and the connectors meet a server that is away.
const AWAY: [u32; 3] = [6, 13, 20];
/// Lines that a round appends, in batches of 50.
const LINES: u32 = 1500;
/// Rows of the file that is the full state.
const ROWS: u32 = 1200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_random_embedded() {
    killed_at_random(Pair::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_random_production() {
    killed_at_random(Pair::Production).await;
}

async fn killed_at_random(pair: Pair) {
    let Some(deployment) = Deployment::new(pair).await else { return };
    let port = free_port();
    let mut server = deployment.start_on(port, "node").await;
    let world = World::new(&deployment, &server).await;
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    for round in 0..ROUNDS {
        world.write_files(round);
        let mut running = world.spawn_all(round);
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        tokio::time::sleep(Duration::from_millis(150 + (random >> 33) % 1350)).await;
        if AWAY.contains(&round) {
            server.kill().await;
            tokio::time::sleep(Duration::from_millis(1500)).await;
            for (name, child) in &mut running {
                let ended = child.try_wait().expect("its state");
                assert!(ended.is_none(), "{name} ended with its server: {}", world.said(name, round));
            }
            server = deployment.start_on(port, "node").await;
            tokio::time::sleep(Duration::from_millis((random >> 40) % 800)).await;
        }
        for (_, child) in &mut running {
            child.kill().expect("kill -9");
            child.wait().expect("its end");
        }
    }
    let running = world.spawn_all(ROUNDS);
    world.comes_out_even(&server).await;
    for (_, mut child) in running {
        child.kill().expect("kill -9");
        child.wait().expect("its end");
    }
    server.kill().await;
    reconcile(&deployment, "node");
    deployment.done().await;
}

struct World<'a> {
    deployment: &'a Deployment,
    url: String,
    provider: String,
    consumer: String,
    appended: String,
    replaced: String,
    names: Vec<&'static str>,
}

impl<'a> World<'a> {
    async fn new(deployment: &'a Deployment, server: &Process) -> Self {
        let authority = Client::new(&server.url, &deployment.authority(), "en").expect("a client");
        let provider = join(&authority, "stats", "11999999FAKE00021N").await;
        let consumer = join(&authority, "emergency", "12440000FAKE0003XR").await;
        let owner = Client::new(&server.url, &provider, "en").expect("a client");
        let appended = entry(&owner, "流水").await;
        let replaced = entry(&owner, "全量").await;
        let reader = Client::new(&server.url, &consumer, "en").expect("a client");
        let url = server.url.clone();
        let mut world = Self { deployment, url, provider, consumer, appended, replaced, names: Vec::new() };
        let (appended, replaced) = (world.appended.clone(), world.replaced.clone());
        let source = |code: &str, path: &str, mode: &str| {
            format!(
                "resource = \"{code}\"\n[source.file]\npath = \"{path}\"\nformat = \"csv\"\nmode = \"{mode}\"\n\
                 max_deletes = \"100%\"\nbatch_records = 50\n"
            )
        };
        world.declare("append-in", &source(&appended, "append.csv", "append"));
        world.declare("replace-in", &source(&replaced, "replace.csv", "replace"));
        for (name, code) in [("append-out", &appended), ("replace-out", &replaced)] {
            let grant = granted(&reader, code).await;
            let target = match deployment.database() {
                Some(url) => url.to_owned(),
                None => "sqlite:copies.db".to_owned(),
            };
            let table = name.replace('-', "_");
            world.declare(
                name,
                &format!("grant = \"{grant}\"\n[sink.sql]\nurl = \"{target}\"\ntable = \"{table}\"\n"),
            );
        }
        std::fs::write(deployment.folder().join("append.csv"), "id,n\n").expect("the file");
        world
    }

    fn declare(&mut self, name: &'static str, rest: &str) {
        let text = format!("name = \"{name}\"\nprocess = \"own\"\n{rest}");
        std::fs::write(self.deployment.folder().join(format!("{name}.toml")), text)
            .expect("a connector's file");
        self.names.push(name);
    }

    /// More lines for the one file, another full state in the place of the other.
    fn write_files(&self, round: u32) {
        use std::io::Write as _;
        let path = self.deployment.folder().join("append.csv");
        let mut file = std::fs::OpenOptions::new().append(true).open(path).expect("the file");
        let lines: String = (0..LINES).map(|at| format!("{},{round}\n", round * LINES + at)).collect();
        file.write_all(lines.as_bytes()).expect("more lines");
        let mut text = "id,n\n".to_owned();
        for (id, n) in state(round) {
            let _ = writeln!(text, "{id},{n}");
        }
        let fresh = self.deployment.folder().join("replace.new");
        std::fs::write(&fresh, text).expect("a new state");
        std::fs::rename(fresh, self.deployment.folder().join("replace.csv")).expect("in its place");
    }

    fn spawn_all(&self, round: u32) -> Vec<(&'static str, Child)> {
        self.names.iter().map(|name| (*name, self.spawn(name, round))).collect()
    }

    fn spawn(&self, name: &str, round: u32) -> Child {
        let key = if name.ends_with("in") { &self.provider } else { &self.consumer };
        let log = std::fs::File::create(self.deployment.folder().join(format!("{name}-{round}.log")))
            .expect("a log");
        Command::new(BINARY)
            .args(["connector", "run"])
            .arg(self.deployment.folder().join(format!("{name}.toml")))
            .env_clear()
            .env("CHANGTONG_URL", &self.url)
            .env("CHANGTONG_KEY", key)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("a connector starts")
    }

    fn said(&self, name: &str, round: u32) -> String {
        std::fs::read_to_string(self.deployment.folder().join(format!("{name}-{round}.log")))
            .unwrap_or_default()
    }

    /// Until both resources and both copies are what the files say; then that nothing was published twice.
    async fn comes_out_even(&self, server: &Process) {
        let all: BTreeMap<i64, i64> =
            (0..ROUNDS * LINES).map(|id| (i64::from(id), i64::from(id / LINES))).collect();
        let last = state(ROUNDS - 1);
        let owner = Client::new(&server.url, &self.provider, "en").expect("a client");
        let mut seen = String::new();
        for _ in 0..1200 {
            let appended = records(&owner, &self.appended).await;
            let replaced = records(&owner, &self.replaced).await;
            let copies = (self.copy("append_out").await, self.copy("replace_out").await);
            let even = |found: &BTreeMap<i64, i64>, wanted: &BTreeMap<i64, i64>| found == wanted;
            if even(&applied(&appended), &all)
                && even(&applied(&replaced), &last)
                && even(&copies.0, &all)
                && even(&copies.1, &last)
            {
                assert_eq!(appended.len(), all.len(), "a line was published twice");
                assert_no_change_twice(&replaced);
                return;
            }
            let count = |rows: &BTreeMap<i64, i64>| rows.len();
            seen = format!(
                "{} of {} appended, {} replaced of {}, copies {} and {}",
                appended.len(),
                all.len(),
                count(&applied(&replaced)),
                last.len(),
                count(&copies.0),
                count(&copies.1)
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let logs: String = self.names.iter().map(|name| self.said(name, ROUNDS)).collect();
        panic!("it did not come out even: {seen}\n{logs}");
    }

    async fn copy(&self, table: &str) -> BTreeMap<i64, i64> {
        let rows = format!("SELECT CAST(id AS BIGINT), CAST(n AS BIGINT) FROM {table}");
        let rows = sqlx::AssertSqlSafe(rows);
        let rows: Vec<(i64, i64)> = match self.deployment.database() {
            Some(url) => {
                let mut connection = PgConnection::connect(url).await.expect("PostgreSQL");
                sqlx::query_as(rows).fetch_all(&mut connection).await.unwrap_or_default()
            }
            None => {
                let url = format!("sqlite:{}", self.deployment.folder().join("copies.db").display());
                let Ok(mut connection) = SqliteConnection::connect(&url).await else {
                    return BTreeMap::new();
                };
                sqlx::query_as(rows).fetch_all(&mut connection).await.unwrap_or_default()
            }
        };
        rows.into_iter().collect()
    }
}

/// The full state of a round: some rows are new, some changed, some gone.
fn state(round: u32) -> BTreeMap<i64, i64> {
    let rows = (0..ROWS).filter(|id| !(id + round).is_multiple_of(5));
    rows.map(|id| (i64::from(id), i64::from(if id % 3 == round % 3 { round } else { id }))).collect()
}

/// Every visible record of a resource, in the order of its partition: id and value, `None` of a delete.
async fn records(owner: &Client, code: &str) -> Vec<(i64, Option<i64>)> {
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let page = owner.read_own(code, cursor.as_deref()).await.expect("the owner's reading");
        for line in page.records() {
            let line: Value = serde_json::from_slice(line).expect("a line");
            let id = line["record"]["id"].as_i64().expect("an id");
            found.push((id, (line["op"] != "delete").then(|| line["record"]["n"].as_i64().expect("n"))));
        }
        if page.is_empty() {
            return found;
        }
        cursor = Some(page.next);
    }
}

fn applied(records: &[(i64, Option<i64>)]) -> BTreeMap<i64, i64> {
    let mut rows = BTreeMap::new();
    for (id, value) in records {
        match value {
            Some(n) => rows.insert(*id, *n),
            None => rows.remove(id),
        };
    }
    rows
}

/// A record that leaves its row as it is was published for nothing: once too often.
fn assert_no_change_twice(records: &[(i64, Option<i64>)]) {
    let mut rows = BTreeMap::new();
    for (id, value) in records {
        let before = rows.insert(*id, *value).flatten();
        assert!(before != *value, "the row {id} was made {value:?} twice");
    }
}

async fn join(authority: &Client, alias: &str, code: &str) -> String {
    let joining = json!({ "code": code, "name": alias, "alias": alias });
    let joined = authority.post("/agencies", &joining).await.expect("an agency").body;
    joined["key"]["text"].as_str().expect("its key").to_owned()
}

async fn entry(owner: &Client, title: &str) -> String {
    let entry = json!({
        "class": "307022", "title": title, "provider": "stats", "kind": "table",
        "share_type": "unconditional", "update_cycle": "daily", "key": ["id"],
        "items": [
            { "name": "id", "title": "编号", "type": "I", "length": 9 },
            { "name": "n", "title": "数", "type": "I", "length": 9 },
        ],
    });
    let drafted = owner.post("/resources", &entry).await.expect("a draft").body;
    let code = drafted["code"].as_str().expect("its code").replace('/', "-");
    for act in ["submit", "approve", "publish"] {
        owner.post(&format!("/resources/{code}/{act}"), &json!({})).await.expect(act);
    }
    code
}

async fn granted(reader: &Client, code: &str) -> String {
    let request = json!({
        "resource": code, "consumer": "emergency", "purposes": [{ "code": "copy", "text": "副本" }],
        "basis": "职责", "consented_by": { "office": "办公室", "document": "1号" }, "history": "all",
        "items": ["id", "n"],
    });
    let request = reader.post("/requests", &request).await.expect("a request").body;
    let submit = format!("/requests/{}/submit", request["id"].as_str().expect("its id"));
    let agreed = reader.post(&submit, &json!({})).await.expect("it is agreed").body;
    agreed["grant"].as_str().expect("a grant").to_owned()
}
