//! A deployment whose server process can be killed and started again on the same engines and data.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use changtong::client::Client;
use changtong_catalog::store::testing::Fresh;
use serde_json::{Value, json};
use tempfile::TempDir;

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
        let output = Command::new(BINARY)
            .args(arguments)
            .arg("--data")
            .arg(self.folder.path().join(node))
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .output()
            .expect("the command runs");
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    /// An agency with a published table, made through a running server.
    pub async fn table(&self, server: &Process) -> Table {
        let authority = Client::new(&server.url, &self.authority(), "en").expect("a client");
        let joining = json!({"code": "11999999FAKE00021N", "name": "统计局", "alias": "stats"});
        let joined = authority.post("/agencies", &joining).await.expect("an agency").body;
        let key = joined["key"]["text"].as_str().expect("its key").to_owned();
        let owner = Client::new(&server.url, &key, "en").expect("a client");
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
        Table { key, code }
    }

    /// A second agency with a grant on the table and a subscription from its start.
    pub async fn reader(&self, server: &Process, table: &Table) -> Reader {
        let joining = json!({"code": "91999999FAKE00013K", "name": "应急局", "alias": "emergency"});
        let authority = Client::new(&server.url, &self.authority(), "en").expect("a client");
        let joined = authority.post("/agencies", &joining).await.expect("an agency").body;
        let key = joined["key"]["text"].as_str().expect("its key").to_owned();
        let consumer = Client::new(&server.url, &key, "en").expect("a client");
        let asked = json!({
            "resource": table.code, "consumer": "emergency", "history": "all", "items": ["id"],
            "purposes": [{"code": "test", "text": "测试"}], "basis": "职责",
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

    /// The id that a node keeps in its data folder.
    pub fn node_id(&self, node: &str) -> String {
        let path = self.folder.path().join(node).join("node");
        std::fs::read_to_string(path).expect("the node's id").trim().to_owned()
    }

    /// Compares store and events both ways, with the server stopped.
    pub async fn done(self) {
        if let Some(fresh) = self.fresh {
            fresh.done().await;
        }
    }
}

pub struct Process {
    child: Child,
    pub url: String,
    output: PathBuf,
}

impl Process {
    /// Waits until it answers; false if it ended instead.
    pub async fn serves(&mut self) -> bool {
        let address = self.url.trim_start_matches("http://").to_owned();
        loop {
            if tokio::net::TcpStream::connect(&address).await.is_ok() && self.profile_is_written() {
                return true;
            }
            if self.child.try_wait().expect("its state").is_some() {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    fn profile_is_written(&self) -> bool {
        self.output.parent().is_some_and(|folder| folder.join("profiles.toml").exists())
    }

    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.output).unwrap_or_default()
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill").success(), "the process is gone: {}", self.said());
    }

    /// Waits for its end; answers the code it ended with.
    pub async fn exit_code(&mut self) -> i32 {
        self.ended().await;
        self.child.wait().expect("its state").code().expect("it was not killed")
    }

    /// Waits until it has ended by itself or by its fault.
    pub async fn ended(&mut self) {
        while self.child.try_wait().expect("its state").is_none() {
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// Waits until it stands still at a fault.
    pub async fn stands_still(&self) {
        let stat = format!("/proc/{}/stat", self.child.id());
        while !std::fs::read_to_string(&stat).expect("its state").contains(") T ") {
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it holds in memory now, in bytes.
    pub fn resident(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(status).expect("its state");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        let kib = line.split_whitespace().next().expect("a number").parse::<u64>().expect("a number");
        kib << 10
    }

    /// The address of its operations listener, as it said it.
    pub fn operations(&self) -> String {
        let said = self.said();
        let address = said.split("operations=").nth(1).and_then(|rest| rest.split_whitespace().next());
        format!("http://{}", address.unwrap_or_else(|| panic!("no operations listener: {said}")))
    }

    pub async fn kill(mut self) {
        self.child.kill().expect("it is killed");
        self.ended().await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Who reads under a grant.
pub struct Reader {
    pub key: String,
    pub grant: String,
    pub subscription: String,
}

impl Reader {
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
