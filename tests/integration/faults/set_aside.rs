//! What happens to records set aside whose topic is lost behind the bus: deleted, or put back older. What lies in the
//! place of one now is never shown or published as it; the bus makes the topic anew and sets aside again.

use std::path::Path;
use std::time::Duration;

use changtong::client::{CallError, Client, Problem};
use changtong_connectors::log::kafka::damage;
use serde_json::json;

use super::damage::copy_log;
use super::deployment::{Deployment, Process, Table, once, reconcile};
use crate::support::Pair;

const GOOD: std::ops::Range<u32> = 0..20;

/// A deployment with a table of some records.
async fn filled(pair: Pair) -> Option<(Deployment, Process, Table)> {
    let deployment = Deployment::new(pair).await?;
    let server = deployment.start("node", None).await;
    let table = deployment.table(&server).await;
    table.publish(&server, "good", GOOD).await.expect("a first batch");
    Some((deployment, server, table))
}

fn owner(server: &Process, table: &Table, language: &str) -> Client {
    Client::new(&server.url, table.key(), language).expect("a client").with_patience(Duration::from_secs(90))
}

/// Sets a record aside that says so, and answers its id.
async fn set_aside(server: &Process, table: &Table, word: &str) -> String {
    let owner = owner(server, table, "en");
    let body = format!("{{\"id\":\"{word}\"}}\n");
    let receipt = owner.publish(table.code(), "application/x-ndjson", "quarantine", word, body.into()).await;
    let receipt = receipt.expect("it is set aside");
    assert_eq!((&receipt["accepted"], &receipt["quarantined"]), (&0.into(), &1.into()));
    let all = owner.list(&format!("/quarantine?resource={}", table.code())).await.expect("the list");
    let row = all.iter().find(|row| row["batch"] == receipt["batch"]).expect("its row");
    row["id"].as_str().expect("an id").to_owned()
}

async fn is_shown(server: &Process, table: &Table, id: &str, word: &str) {
    let shown = owner(server, table, "en").get(&format!("/quarantine/{id}")).await.expect("it is shown");
    assert_eq!(shown["record"], format!("{{\"id\":\"{word}\"}}"));
}

fn problem<T: std::fmt::Debug>(answer: Result<T, CallError>) -> Problem {
    match answer {
        Err(CallError::Refused(problem)) => *problem,
        other => panic!("it is refused: {other:?}"),
    }
}

/// Its bytes are no more: neither shown nor published as they came. Corrected it is published all the same.
async fn is_gone(server: &Process, table: &Table, id: &str, corrected: u32) {
    let (path, replay) = (format!("/quarantine/{id}"), format!("/quarantine/{id}/replay"));
    for (language, word) in [("en", "no longer in the log"), ("zh", "已不在日志中")] {
        let owner = owner(server, table, language).with_patience(Duration::ZERO);
        let shown = problem(owner.get(&path).await);
        assert_eq!((shown.status, shown.code.as_str()), (404, "not_found"), "{shown:?}");
        assert!(shown.detail.contains(word), "{}", shown.detail);
        let replayed = problem(owner.post(&replay, &json!({})).await);
        assert_eq!((replayed.status, replayed.code.as_str()), (404, "not_found"), "{replayed:?}");
    }
    let mended = format!("{{\"id\":{corrected}}}\n");
    let receipt =
        owner(server, table, "en").post_records(&replay, "application/x-ndjson", mended.into()).await;
    assert_eq!(receipt.expect("corrected")["accepted"], 1);
}

async fn ends(deployment: Deployment, server: Process, table: &Table, corrected: u32) {
    assert_eq!(table.visible(&server).await, once(&[GOOD, corrected..corrected + 1]));
    server.kill().await;
    reconcile(&deployment, "node");
    deployment.done().await;
}

fn log_of(deployment: &Deployment) -> (std::path::PathBuf, std::path::PathBuf) {
    let folder: &Path = deployment.folder();
    (folder.join("node"), folder.join("older"))
}

#[tokio::test]
async fn an_older_log_file_shows_no_other_record_set_aside() {
    let (deployment, server, table) = filled(Pair::Embedded).await.expect("always there");
    let kept = set_aside(&server, &table, "kept").await;
    let (data, backup) = log_of(&deployment);
    server.kill().await;
    copy_log(&data, &backup);
    let server = deployment.start("node", None).await;
    let lost = set_aside(&server, &table, "lost").await;
    is_shown(&server, &table, &lost, "lost").await;
    server.kill().await;
    copy_log(&backup, &data);
    let server = deployment.start("node", None).await;
    let later = set_aside(&server, &table, "later").await;
    is_shown(&server, &table, &kept, "kept").await;
    is_shown(&server, &table, &later, "later").await;
    is_gone(&server, &table, &lost, 500).await;
    ends(deployment, server, &table, 500).await;
}

/// Put back from before anything was set aside: nobody makes the topic because somebody looks for a record in it.
#[tokio::test]
async fn a_log_file_without_the_topic_says_that_the_record_is_gone() {
    let (deployment, server, table) = filled(Pair::Embedded).await.expect("always there");
    let (data, backup) = log_of(&deployment);
    server.kill().await;
    copy_log(&data, &backup);
    let server = deployment.start("node", None).await;
    let lost = set_aside(&server, &table, "lost").await;
    server.kill().await;
    copy_log(&backup, &data);
    let server = deployment.start("node", None).await;
    is_gone(&server, &table, &lost, 500).await;
    let later = set_aside(&server, &table, "later").await;
    is_shown(&server, &table, &later, "later").await;
    ends(deployment, server, &table, 500).await;
}

fn topic(deployment: &Deployment) -> (&str, String) {
    let prefix = deployment.setting("CHANGTONG_LOG__PREFIX");
    (deployment.setting("CHANGTONG_KAFKA__BROKERS"), format!("{prefix}ct.q.1"))
}

#[tokio::test]
async fn a_topic_made_anew_shows_no_other_record_set_aside() {
    let Some((deployment, server, table)) = filled(Pair::Production).await else { return };
    let lost = set_aside(&server, &table, "lost").await;
    is_shown(&server, &table, &lost, "lost").await;
    server.kill().await;
    let (brokers, name) = topic(&deployment);
    damage::delete_topic(brokers, &name).await.expect("it is deleted");
    let server = deployment.start("node", None).await;
    let later = set_aside(&server, &table, "later").await;
    is_shown(&server, &table, &later, "later").await;
    is_gone(&server, &table, &lost, 500).await;
    ends(deployment, server, &table, 500).await;
}

/// While the server runs; a file's topics are only ever lost while it does not.
#[tokio::test]
async fn a_deleted_topic_is_made_again_and_what_lay_there_is_gone() {
    let Some((deployment, server, table)) = filled(Pair::Production).await else { return };
    let lost = set_aside(&server, &table, "lost").await;
    let (brokers, name) = topic(&deployment);
    damage::delete_topic(brokers, &name).await.expect("it is deleted");
    let later = set_aside(&server, &table, "later").await;
    is_shown(&server, &table, &later, "later").await;
    is_gone(&server, &table, &lost, 500).await;
    set_aside(&server, &table, "last").await;
    ends(deployment, server, &table, 500).await;
}

/// Nobody publishes meanwhile.
#[tokio::test]
async fn what_lay_in_a_deleted_topic_is_gone_though_nothing_was_set_aside_since() {
    let Some((deployment, server, table)) = filled(Pair::Production).await else { return };
    let lost = set_aside(&server, &table, "lost").await;
    let (brokers, name) = topic(&deployment);
    damage::delete_topic(brokers, &name).await.expect("it is deleted");
    is_gone(&server, &table, &lost, 500).await;
    ends(deployment, server, &table, 500).await;
}
