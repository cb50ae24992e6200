//! A deployment whose server process can be killed and started again on the same engines and data.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use changtong::client::Client;
use changtong_catalog::store::testing::Fresh;
use serde_json::{Value, json};
use tempfile::TempDir;

pub use super::process::Process;
pub use super::table::Table;
use crate::support::{Pair, production};

pub const BINARY: &str = env!("CARGO_BIN_EXE_changtong");

/// Engines, folders and settings that outlive any one process.
pub struct Deployment {
    environment: Vec<(String, String)>,
    folder: TempDir,
    fresh: Option<Fresh>,
}

impl Deployment {
    /// `None` where the machine is declared to be without an engine of the pair.
    pub async fn new(pair: Pair) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        let mut environment = vec![
            ("CHANGTONG_KEYS__DIR".to_owned(), path("keys")),
            ("CHANGTONG_PROFILES".to_owned(), path("profiles.toml")),
            ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
            // The least there is: readers wait so long behind what landed and never counted.
            ("CHANGTONG_TIME__SETTLE_AFTER".to_owned(), "15s".to_owned()),
        ];
        let fresh = match pair {
            Pair::Embedded => None,
            Pair::Production => {
                let (fresh, production) = production().await?;
                environment.extend(production);
                Some(fresh)
            }
        };
        Some(Self { environment, folder, fresh })
    }

    pub fn set(&mut self, name: &str, value: String) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value));
    }

    /// A setting of the deployment; empty if it has none.
    pub fn setting(&self, name: &str) -> &str {
        let found = self.environment.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    pub fn database(&self) -> Option<&str> {
        self.fresh.as_ref().map(|fresh| fresh.config.url.as_str())
    }

    fn profiles(&self) -> PathBuf {
        self.folder.path().join("profiles.toml")
    }

    /// Starts a process on the node's own data folder, perhaps with a fault, and waits until it serves.
    pub async fn start(&self, node: &str, fault: Option<&str>) -> Process {
        let mut process = self.spawn(node, fault);
        assert!(process.serves().await, "the server ended: {}", process.said());
        process
    }

    /// The same without waiting.
    pub fn spawn(&self, node: &str, fault: Option<&str>) -> Process {
        self.spawn_by(&[], free_port(), node, fault)
    }

    /// Starts it on a port that its callers know from before, and waits until it serves.
    pub async fn start_on(&self, port: u16, node: &str) -> Process {
        let mut process = self.spawn_by(&[], port, node, None);
        assert!(process.serves().await, "the server ended: {}", process.said());
        process
    }

    /// Started by another program, which becomes the server (`sh -c '… exec "$@"' sh`).
    pub fn spawn_through(&self, by: &[String], node: &str) -> Process {
        self.spawn_by(by, free_port(), node, None)
    }

    fn spawn_by(&self, by: &[String], port: u16, node: &str, fault: Option<&str>) -> Process {
        let output = self.folder.path().join(format!("{node}-{port}.log"));
        let file = std::fs::File::create(&output).expect("a file for its output");
        let mut words = by.iter().map(String::as_str).chain([BINARY]);
        let mut command = Command::new(words.next().unwrap_or(BINARY));
        command
            .args(words)
            .args(["serve", "--dev", "--data"])
            .arg(self.folder.path().join(node))
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("CHANGTONG_HTTP__LISTEN", format!("127.0.0.1:{port}"))
            .env("CHANGTONG_REGISTRY__LISTEN", "127.0.0.1:0")
            .env("CHANGTONG_OPERATIONS__LISTEN", "127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("its output"))
            .stderr(file);
        if let Some(fault) = fault {
            command.env("CHANGTONG_FAULT", fault);
        }
        let child = command.spawn().expect("the server starts");
        Process { child, url: format!("http://127.0.0.1:{port}"), output }
    }

    /// The key of the built-in authority, which the first start wrote.
    pub fn authority(&self) -> String {
        let text = std::fs::read_to_string(self.profiles()).expect("the authority's profile");
        let profiles: BTreeMap<String, BTreeMap<String, String>> = toml::from_str(&text).expect("profiles");
        profiles["authority"]["key"].clone()
    }

    /// The folder that all of it lies in; a node's data is in the folder of its name.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The key of an auditor.
    pub async fn auditor(&self, server: &Process) -> String {
        let authority = Client::new(&server.url, &self.authority(), "en").expect("a client");
        let account = json!({ "name": "auditor", "roles": ["auditor"] });
        let account =
            authority.post("/agencies/authority/accounts", &account).await.expect("an account").body;
        let path = format!("/accounts/{}/keys", account["id"].as_str().expect("its id"));
        let key = authority.post(&path, &json!({ "roles": ["auditor"] })).await.expect("a key").body;
        key["text"].as_str().expect("its text").to_owned()
    }

    /// Every event, as `audit export` writes them.
    pub async fn events(&self, server: &Process, auditor: &str) -> String {
        let url = format!("{}/api/v1/audit/events", server.url);
        let asked =
            reqwest::Client::new().get(url).bearer_auth(auditor).header("accept", "application/x-ndjson");
        let answer = asked.send().await.expect("an answer");
        assert!(answer.status().is_success());
        answer.text().await.expect("its text")
    }

    /// Runs a command on the node's data folder; whether it went well, and what it said.
    pub fn command(&self, arguments: &[&str], node: &str) -> (bool, String) {
        said(self.prepared(arguments, node).output().expect("the command runs"))
    }

    /// The same in that language, beside what else is awaited.
    pub async fn command_in(&self, language: &str, arguments: &[&str], node: &str) -> (bool, String) {
        let mut command = tokio::process::Command::from(self.prepared(arguments, node));
        said(command.env("LANG", language).output().await.expect("the command runs"))
    }

    fn prepared(&self, arguments: &[&str], node: &str) -> Command {
        let mut command = Command::new(BINARY);
        command
            .args(arguments)
            .arg("--data")
            .arg(self.folder.path().join(node))
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// An agency with a published table, made through a running server.
    pub async fn table(&self, server: &Process) -> Table {
        let authority = Client::new(&server.url, &self.authority(), "en").expect("a client");
        let joining = json!({"code": "11999999FAKE00021N", "name": "统计局", "alias": "stats"});
        let joined = authority.post("/agencies", &joining).await.expect("an agency").body;
        self.table_of(server, &text(&joined["key"]["text"])).await
    }

    /// A further table of whom that key belongs to.
    pub async fn table_of(&self, server: &Process, key: &str) -> Table {
        let owner = Client::new(&server.url, key, "en").expect("a client");
        let entry = json!({
            "class": "307022", "title": "编号", "provider": "stats", "abstract": "试", "kind": "table",
            "share_type": "unconditional", "update_cycle": "daily", "key": ["id"],
            "items": [{"name": "id", "title": "编号", "type": "I", "length": 9}],
        });
        let drafted = owner.post("/resources", &entry).await.expect("a draft").body;
        let code = drafted["code"].as_str().expect("its code").replace('/', "-");
        for act in ["submit", "approve", "publish"] {
            owner.post(&format!("/resources/{code}/{act}"), &json!({})).await.expect(act);
        }
        Table::new(key.to_owned(), code)
    }

    /// A second agency with a grant on the table and a subscription from its start.
    pub async fn reader(&self, server: &Process, table: &Table) -> Reader {
        self.reader_within(server, table, json!({})).await
    }

    /// The same within limits.
    pub async fn reader_within(&self, server: &Process, table: &Table, limits: Value) -> Reader {
        let joining = json!({"code": READER, "name": "应急局", "alias": "emergency"});
        let authority = Client::new(&server.url, &self.authority(), "en").expect("a client");
        let joined = authority.post("/agencies", &joining).await.expect("an agency").body;
        self.reads(server, table, text(&joined["key"]["text"]), limits).await
    }

    /// A grant on a further table, for the agency that reads already.
    pub async fn reads(&self, server: &Process, table: &Table, key: String, limits: Value) -> Reader {
        let consumer = Client::new(&server.url, &key, "en").expect("a client");
        let asked = json!({
            "resource": table.code(), "consumer": "emergency", "history": "all", "items": ["id"],
            "purposes": [{"code": "test", "text": "测试"}], "basis": "职责", "limits": limits,
            "consented_by": {"office": "办公室", "document": "函〔2026〕1号"},
        });
        let request = consumer.post("/requests", &asked).await.expect("a request").body;
        let submit = format!("/requests/{}/submit", text(&request["id"]));
        let grant = text(&consumer.post(&submit, &json!({})).await.expect("a grant").body["grant"]);
        let subscribe = format!("/grants/{grant}/subscriptions");
        let from = json!({"name": "copy", "from": "start"});
        let subscription = text(&consumer.post(&subscribe, &from).await.expect("a subscription").body["id"]);
        Reader { key, grant, subscription }
    }

    /// Whether any of its servers ever said that in its log.
    pub fn said(&self, what: &str) -> bool {
        let files = std::fs::read_dir(self.folder.path()).expect("its folder");
        let mut logs = files
            .map(|file| file.expect("a file").path())
            .filter(|path| path.extension() == Some("log".as_ref()));
        logs.any(|log| std::fs::read_to_string(log).expect("a log").contains(what))
    }

    /// The id that a node keeps in its data folder.
    pub fn node_id(&self, node: &str) -> String {
        let path = self.folder.path().join(node).join("node");
        std::fs::read_to_string(path).expect("the node's id").trim().to_owned()
    }

    /// What a server noted outside its store.
    fn marks(&self, node: &str) -> Value {
        let bytes = std::fs::read(self.folder.path().join(node).join("marks")).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Waits until it is noted that so many offsets of the first topic are known to the store.
    pub async fn marked(&self, node: &str, offsets: usize) {
        let known = |marks: &Value| {
            let parts = marks["topics"]["1.1"].as_array().cloned().unwrap_or_default();
            let ends = parts.iter().map(|part| part[0].as_u64().max(part[1].as_u64()).unwrap_or(0));
            ends.sum::<u64>()
        };
        self.until_marks(node, |marks| known(marks) == offsets as u64).await;
    }

    /// Waits until it is noted by when so many records of the first topic lay where they lie.
    pub async fn looked_at(&self, node: &str, records: i64) {
        let sum = |marks: &Value| {
            let first = marks["looks"]["1.1"]["first"].as_array().cloned().unwrap_or_default();
            first.iter().filter_map(Value::as_i64).sum::<i64>()
        };
        self.until_marks(node, |marks| sum(marks) == records).await;
    }

    async fn until_marks(&self, node: &str, say: impl Fn(&Value) -> bool) {
        let noted = async {
            while !say(&self.marks(node)) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let noted = tokio::time::timeout(Duration::from_secs(60), noted).await;
        assert!(noted.is_ok(), "it was never noted: {}", self.marks(node));
    }

    /// Compares store and events both ways, with the server stopped.
    pub async fn done(self) {
        if let Some(fresh) = self.fresh {
            fresh.done().await;
        }
    }
}

fn said(output: std::process::Output) -> (bool, String) {
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// The agency of whoever reads.
pub const READER: &str = "91999999FAKE00013K";

/// Who reads under a grant.
pub struct Reader {
    pub key: String,
    pub grant: String,
    pub subscription: String,
}

impl Reader {
    pub fn client(&self, server: &Process) -> crate::support::Client {
        crate::support::Client::new(server.url.clone(), Some(self.key.clone()))
    }

    pub fn path(&self, query: &str) -> String {
        format!("/api/v1/subscriptions/{}/records?{query}", self.subscription)
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its number").port()
}

/// The ids of the ranges, each once.
pub fn once(ranges: &[std::ops::Range<u32>]) -> BTreeMap<u64, usize> {
    ranges.iter().cloned().flatten().map(|id| (u64::from(id), 1)).collect()
}

/// Partitions that a receipt names.
pub fn partitions(receipt: &Value) -> usize {
    let runs = receipt["runs"].as_array().expect("runs");
    let named: std::collections::BTreeSet<_> = runs.iter().map(|run| run["partition"].as_i64()).collect();
    named.len()
}

/// Compares visible runs, windows and changes with the events, through the server's own command.
pub fn reconcile(deployment: &Deployment, node: &str) {
    let output = Command::new(BINARY)
        .args(["reconcile", "--data"])
        .arg(Path::new(deployment.folder.path()).join(node))
        .env_clear()
        .envs(deployment.environment.iter().map(|(name, value)| (name, value)))
        .output()
        .expect("reconcile runs");
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "store and events differ: {text}");
}
