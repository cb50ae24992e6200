//! An older store under a newer log: nothing is settled, published or delivered until an operator has decided, and
//! what is decided is exactly what then counts.

use std::ops::Range;
use std::path::PathBuf;

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::copies::Copies;
use super::deployment::{Deployment, Process, Reader, Table, once, reconcile};
use crate::support::Pair;

pub(super) const BEFORE: Range<u32> = 0..200;
pub(super) const AFTER: Range<u32> = 200..500;
const LATER: Range<u32> = 500..550;

/// A copy of the store as it was, to be put back.
pub(super) enum Backup {
    Files(PathBuf),
    Database { server: String, name: String },
}

impl Backup {
    async fn of(deployment: &Deployment) -> Self {
        let Some(url) = deployment.database() else {
            let copy = deployment.folder().join("backup");
            copy_files(&deployment.folder().join("node"), &copy);
            return Self::Files(copy);
        };
        let (server, name) = url.rsplit_once('/').expect("a database");
        let (server, name) = (format!("{server}/postgres"), name.to_owned());
        make(&server, &format!("{name}_backup"), &name).await;
        Self::Database { server, name }
    }

    async fn put_back(&self, deployment: &Deployment) {
        match self {
            Self::Files(copy) => copy_files(copy, &deployment.folder().join("node")),
            Self::Database { server, name } => make(server, name, &format!("{name}_backup")).await,
        }
    }

    pub(super) async fn done(self) {
        if let Self::Database { server, name } = self {
            run(&server, format!("DROP DATABASE IF EXISTS {name}_backup WITH (FORCE)")).await;
        }
    }
}

/// The files of the store, and of them alone.
fn copy_files(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for ending in ["", "-wal", "-shm"] {
        let name = format!("catalog.db{ending}");
        let _ = std::fs::remove_file(to.join(&name));
        if from.join(&name).exists() {
            std::fs::copy(from.join(&name), to.join(&name)).expect("a copy");
        }
    }
}

async fn run(server: &str, sql: String) {
    let mut connection = PgConnection::connect(server).await.expect("the server");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("it is done");
    connection.close().await.expect("it is closed");
}

async fn make(server: &str, name: &str, of: &str) {
    let others = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{of}'");
    run(server, others).await;
    run(server, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
    run(server, format!("CREATE DATABASE {name} TEMPLATE {of}")).await;
}

/// Up to the point where the server stands still: records published before and after the backup, the events exported.
pub(super) async fn put_back(
    deployment: &Deployment,
    before: Range<u32>,
) -> (Table, Backup, PathBuf, Process) {
    let (_, table, backup, events, server) = put_back_under(deployment, before, false).await;
    (table, backup, events, server)
}

/// Who read before the store went back.
struct Readers {
    /// Of sinks that had applied all of it.
    copies: Copies,
    reader: Reader,
    /// The cursor of a seek that the store does not know any more.
    sought: String,
}

/// The same, perhaps under readers.
async fn put_back_under(
    deployment: &Deployment,
    before: Range<u32>,
    read: bool,
) -> (Option<Readers>, Table, Backup, PathBuf, Process) {
    let records = before.len() + AFTER.len();
    let server = deployment.start("node", None).await;
    let table = deployment.table(&server).await;
    let auditor = deployment.auditor(&server).await;
    let mut readers = None;
    if read {
        let reader = deployment.reader(&server, &table).await;
        let copies = Copies::begin(deployment, &server, &reader).await;
        readers = Some(Readers { copies, reader, sought: String::new() });
    }
    if !before.is_empty() {
        table.publish(&server, "before", before).await.expect("a batch before the backup");
    }
    server.kill().await;
    let backup = Backup::of(deployment).await;

    let server = deployment.start("node", None).await;
    table.publish(&server, "after", AFTER).await.expect("a batch after the backup");
    if let Some(Readers { copies, reader, sought }) = &mut readers {
        copies.come_to(&server, &once(&[BEFORE, AFTER])).await;
        let path = format!("/api/v1/subscriptions/{}/seek", reader.subscription);
        let seek = reader.client(&server).post(&path, json!({ "from": "start" })).await.expect(200);
        *sought = seek["next"].as_str().expect("a cursor").to_owned();
    }
    let events = deployment.folder().join("events.ndjson");
    std::fs::write(&events, deployment.events(&server, &auditor).await).expect("the export");
    deployment.marked("node", records).await;
    server.kill().await;
    backup.put_back(deployment).await;

    let server = deployment.start("node", None).await;
    let refused = table.publish_once(&server, "later", LATER).await.expect_err("the store is older");
    assert_eq!(refused.code(), Some("store_older_than_log"), "{refused}");
    assert_eq!(table.own(&server).await.expect_err("nothing is read either"), "store_older_than_log");
    (readers, table, backup, events, server)
}

async fn adopted(pair: Pair) {
    let Some(deployment) = Deployment::new(pair).await else { return };
    let (table, backup, events, server) = put_back(&deployment, BEFORE).await;
    server.kill().await;
    // Without a decision nothing is changed.
    let empty = deployment.folder().join("none.ndjson");
    std::fs::write(&empty, "").expect("a file");
    let (ok, said) = deployment.command(&["reconcile", "--adopt", &empty.display().to_string()], "node");
    assert!(!ok && said.contains("store_older_than_log") && said.contains("300"), "{said}");

    let file = events.display().to_string();
    let (ok, said) = deployment.command(&["reconcile", "--adopt", &file], "node");
    assert!(ok && said.contains("adopted 300 records of 1 events; declared 0 records dead"), "{said}");
    assert!(said.contains("300 records in 1 batches of account"), "who may publish twice is named: {said}");
    // Once more changes nothing.
    let (ok, said) = deployment.command(&["reconcile", "--adopt", &file], "node");
    assert!(ok && said.contains("adopted 0 records"), "{said}");

    let server = deployment.start("node", None).await;
    assert_eq!(table.visible(&server).await, once(&[BEFORE, AFTER]), "what was acknowledged is back");
    table.publish(&server, "later", LATER).await.expect("publishing goes on");
    assert_eq!(table.visible(&server).await, once(&[BEFORE, AFTER, LATER]));
    server.kill().await;
    reconcile(&deployment, "node");
    backup.done().await;
    deployment.done().await;
}

async fn declared_dead(pair: Pair) {
    let Some(deployment) = Deployment::new(pair).await else { return };
    let (readers, table, backup, _, server) = put_back_under(&deployment, BEFORE, true).await;
    let Readers { copies, reader, sought } = readers.expect("they read");
    server.kill().await;
    let (ok, said) = deployment.command(&["reconcile", "--declare-dead"], "node");
    assert!(ok && said.contains("declared 300 records dead"), "{said}");
    assert!(said.contains("changtong resource new-generation "), "{said}");
    let server = deployment.start("node", None).await;
    let refused = table.publish_once(&server, "after", AFTER).await.expect_err("copies hold what is dead");
    assert_eq!(refused.code(), Some("log_rolled_back"), "{refused}");
    let moved = table.new_generation(&server, None).await.expect("the way out");
    assert_eq!(moved["copied"], BEFORE.len(), "{moved}");
    assert_eq!(table.visible(&server).await, once(&[BEFORE]), "only what the backup knows");
    copies.go_on(&server).await;
    copies.come_to(&server, &once(&[BEFORE])).await;
    for (query, status, code) in
        [(format!("cursor={sought}"), 409, "cursor_superseded"), (String::new(), 410, "view_changed")]
    {
        let read = reader.client(&server).get(&reader.path(&query)).await;
        assert_eq!((read.status, read.code().as_str()), (status, code), "{}", read.text);
    }
    // The key of the lost batch is free again: its retry publishes it once more.
    let receipt = table.publish(&server, "after", AFTER).await.expect("the retry");
    assert_eq!(receipt["replayed"], false);
    assert_eq!(table.visible(&server).await, once(&[BEFORE, AFTER]));
    copies.come_to(&server, &once(&[BEFORE, AFTER])).await;
    server.kill().await;
    reconcile(&deployment, "node");
    backup.done().await;
    deployment.done().await;
}

/// The store knows the entry and nothing of its topic.
async fn first_published_after(pair: Pair) {
    let Some(deployment) = Deployment::new(pair).await else { return };
    let (table, backup, _, server) = put_back(&deployment, 0..0).await;
    server.kill().await;
    let (ok, said) = deployment.command(&["reconcile", "--declare-dead"], "node");
    let topic = format!("300 {}ct.r.1", deployment.setting("CHANGTONG_LOG__PREFIX"));
    assert!(ok && said.contains(&topic), "{said}");
    let server = deployment.start("node", None).await;
    table.new_generation(&server, None).await.expect("copies begin anew");
    table.publish(&server, "after", AFTER).await.expect("the topic is there to be published to");
    assert_eq!(table.visible(&server).await, once(&[AFTER]));
    server.kill().await;
    reconcile(&deployment, "node");
    backup.done().await;
    deployment.done().await;
}

#[tokio::test]
async fn what_was_first_published_after_the_backup_can_be_published_again_embedded() {
    first_published_after(Pair::Embedded).await;
}

#[tokio::test]
async fn what_was_first_published_after_the_backup_can_be_published_again_production() {
    first_published_after(Pair::Production).await;
}

#[tokio::test]
async fn exported_events_bring_it_back_embedded() {
    adopted(Pair::Embedded).await;
}

#[tokio::test]
async fn exported_events_bring_it_back_production() {
    adopted(Pair::Production).await;
}

#[tokio::test]
async fn what_is_declared_dead_never_counts_embedded() {
    declared_dead(Pair::Embedded).await;
}

#[tokio::test]
async fn what_is_declared_dead_never_counts_production() {
    declared_dead(Pair::Production).await;
}
