//! Case 17: PostgreSQL itself dies under publishers and readers, killed or ended at once, and comes back. What was
//! acknowledged before, meanwhile and after is there once; whoever asks meanwhile is refused by name and in words.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;

use super::broker::free_ports;
use super::deployment::{Deployment, Process, Table, reconcile};
use super::story::Story;
use crate::support::{Client, Others, Pair, Reply, engine};

/// A PostgreSQL of a test's own, to be killed.
pub(super) struct Database {
    dir: TempDir,
    programs: String,
    /// Whom it runs as, where the test runs as root: PostgreSQL refuses that.
    user: Option<(u32, u32)>,
    port: u16,
    child: Option<Child>,
}

impl Database {
    /// `None` where the machine is declared to be without PostgreSQL.
    pub(super) async fn start() -> Option<Self> {
        let programs = engine("postgres", "CHANGTONG_TEST_PG_BIN")?;
        let dir = tempfile::tempdir().expect("a folder");
        let data = dir.path().join("data");
        std::fs::create_dir(&data).expect("a folder");
        let root = std::fs::metadata(dir.path()).expect("the folder").uid() == 0;
        let user = root.then(someone_else);
        if let Some((user, group)) = user {
            std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).expect("its mode");
            std::os::unix::fs::chown(&data, Some(user), Some(group)).expect("its owner");
        }
        let [port] = free_ports();
        let mut database = Self { dir, programs, user, port, child: None };
        // What it writes while it is made needs no sync; what it commits later does.
        let mut made = database.program("initdb");
        made.args(["--no-sync", "-A", "trust", "-U", "changtong", "-E", "UTF8", "--locale=C.UTF-8"]);
        let Output { status, stderr, .. } = made.output().expect("initdb runs");
        assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
        database.runs().await;
        Some(database)
    }

    pub(super) fn url(&self) -> String {
        format!("postgres://changtong@127.0.0.1:{}/postgres", self.port)
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(Path::new(&self.programs).join(name));
        command.current_dir("/").arg("-D").arg(self.dir.path().join("data")).stdin(Stdio::null());
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }

    /// Starts it, again, and waits until it answers. What is left of one that was killed may hold its memory for a moment,
    /// and a start meanwhile ends.
    pub(super) async fn runs(&mut self) {
        for _ in 0..600 {
            let ended = |child: &mut Child| child.try_wait().expect("its state").is_some();
            if self.child.as_mut().is_none_or(ended) {
                let log = std::fs::File::create(self.dir.path().join("log")).expect("its log");
                let mut command = self.program("postgres");
                command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-k", ""]);
                command.stdout(log.try_clone().expect("its log")).stderr(log);
                self.child = Some(command.spawn().expect("it starts"));
            }
            if let Ok(connection) = PgConnection::connect(&self.url()).await {
                connection.close().await.expect("closed");
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{}", std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default());
    }

    /// By that signal: `-KILL`, or `-QUIT`, at which it lets nobody finish (`pg_ctl stop -m immediate`).
    pub(super) fn ends(&mut self, signal: &str) {
        let mut child = self.child.take().expect("it runs");
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(sent.expect("kill").success());
        child.wait().expect("it has ended");
    }
}

impl Database {
    /// Ends, keeps its files as they are, and starts again: a replica that gets nothing from here on.
    pub(super) async fn is_copied(&mut self) {
        self.ends("-INT");
        let mut copy = Command::new("cp");
        copy.arg("-a").arg(self.dir.path().join("data")).arg(self.dir.path().join("copy"));
        assert!(copy.status().expect("cp").success());
        self.runs().await;
    }

    /// The copy starts in its place.
    pub(super) async fn is_replaced_by_its_copy(&mut self) {
        let data = self.dir.path().join("data");
        std::fs::remove_dir_all(&data).expect("it has ended");
        std::fs::rename(self.dir.path().join("copy"), &data).expect("a copy");
        self.runs().await;
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.ends("-QUIT");
        }
    }
}

/// The account that PostgreSQL's package makes, or the one that owns nothing.
fn someone_else() -> (u32, u32) {
    let ids = |user: &str| {
        let id = |what: &str| {
            let said = Command::new("id").args([what, user]).output().ok()?;
            String::from_utf8_lossy(&said.stdout).trim().parse::<u32>().ok()
        };
        id("-u").zip(id("-g"))
    };
    ids("postgres").or_else(|| ids("nobody")).expect("somebody who is not root")
}

const REFUSED: [&str; 3] = ["store_unavailable", "outcome_unknown", "overloaded"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_is_killed_under_publishers_and_readers() {
    let Some(mut database) = Database::start().await else { return };
    let Some(mut deployment) = Deployment::new(Pair::Production).await else { return };
    deployment.set("CHANGTONG_DATABASE__URL", database.url());
    let mut server = deployment.start("node", None).await;
    let table = deployment.table(&server).await;
    let reader = deployment.reader(&server, &table).await;
    let others = Others::beside(&Client::new(server.url.clone(), Some(deployment.authority()))).await;
    let story = Story::of(&table, &server, Duration::from_millis(5));
    let cast = story.begin(4, &reader.key, &reader.subscription);
    story.goes_on(8).await;
    for signal in ["-KILL", "-QUIT", "-KILL"] {
        database.ends(signal);
        // One that is kept waiting for longer than its lease ends, and says so: then nobody is left to refuse.
        tokio::select! {
            () = everyone_is_told(&story, &server, &table) => {}
            () = server.is_gone() => {}
        }
        database.runs().await;
        let ended = tokio::select! {
            () = story.goes_on(8) => false,
            () = server.is_gone() => true,
        };
        if ended {
            assert!(server.said().contains("lost its lease"), "{}", server.said());
            server = deployment.start("node", None).await;
            story.goes_on_with(&server);
            story.goes_on(8).await;
        }
    }
    let codes = story.codes();
    assert!(!codes.is_empty() && codes.keys().all(|code| REFUSED.contains(&code.as_str())), "{codes:?}");
    story.ends(cast, &table, &server).await;
    // Both agencies are served as before, and so are others.
    table.catalog_is_served(&server).await;
    let other = Client::new(server.url.clone(), Some(reader.key.clone()));
    other.get("/api/v1/resources").await.expect(200);
    others.at(&server.url).come_to_be_served().await;
    let ready = Client::new(server.operations(), None).get("/health/ready").await;
    assert_eq!(ready.status, 200, "{}", ready.text);
    server.kill().await;
    reconcile(&deployment, "node");
    deployment.done().await;
}

/// Publishers, whoever changes the catalog, in words of either language, and who asks whether the server is ready.
async fn everyone_is_told(story: &Story, server: &Process, table: &Table) {
    story.everyone_is_refused().await;
    let owner = Client::new(server.url.clone(), Some(table.key().to_owned()));
    for (language, says) in [("en", "the database does not answer"), ("zh", "数据库暂时不应答")] {
        let suspend = format!("/api/v1/resources/{}/suspend", table.code());
        let asked = owner.request_in(language, "post", &suspend).json(&json!({ "cause": "security" }));
        let reply = answer(Reply::if_any(asked)).await;
        assert_eq!((reply.status, reply.code().as_str()), (503, "store_unavailable"), "{}", reply.text);
        assert!(reply.headers.contains_key("retry-after") && reply.text.contains(says), "{}", reply.text);
    }
    let asked = Client::new(server.operations(), None).request("get", "/health/ready");
    let reply = answer(Reply::if_any(asked)).await;
    assert_eq!((reply.status, &reply.json()["checks"]["store"]), (503, &"store_unavailable".into()));
}

/// Of a server that ended meanwhile there is none.
async fn answer(reply: impl Future<Output = Option<Reply>>) -> Reply {
    match reply.await {
        Some(reply) => reply,
        None => std::future::pending().await,
    }
}
