//! What happens to a log behind the bus: a topic deleted, made anew, cut at the front, put back older or written to by
//! a stranger. The resource stops, or a hole is settled; nobody ever sees a wrong record, and a new generation brings
//! back what is still there, to the copies of sinks too.

use std::path::Path;
use std::time::Duration;

use changtong::client::CallError;
use changtong_connectors::log::kafka::damage;
use serde_json::Value;
use sqlx::{Connection as _, SqliteConnection};

use super::copies::Copies;
use super::deployment::{Deployment, Process, Table, once, reconcile};
use crate::support::{Client, Pair};

const FIRST: std::ops::Range<u32> = 0..300;
const LOST: std::ops::Range<u32> = 300..400;
const LATER: std::ops::Range<u32> = 500..560;

/// Clocks of log and store may lie five seconds apart: what takes the place of a record within that time cannot be told
/// from it.
const APART: Duration = Duration::from_secs(6);

fn brokers(deployment: &Deployment) -> &str {
    deployment.setting("CHANGTONG_KAFKA__BROKERS")
}

fn topic(deployment: &Deployment) -> String {
    format!("{}ct.r.1", deployment.setting("CHANGTONG_LOG__PREFIX"))
}

/// A deployment with a table of 300 records.
async fn filled(pair: Pair) -> Option<(Deployment, Process, Table)> {
    let deployment = Deployment::new(pair).await?;
    let server = deployment.start("node", None).await;
    let table = deployment.table(&server).await;
    table.publish(&server, "first", FIRST).await.expect("a first batch");
    Some((deployment, server, table))
}

fn code(answer: Result<Value, CallError>) -> String {
    let refusal = answer.expect_err("it is refused");
    refusal.code().unwrap_or_default().to_owned()
}

async fn ready(server: &Process) -> u16 {
    Client::new(server.operations(), None).get("/health/ready").await.status
}

/// Publishes until the resource is found to have lost records.
async fn stops(table: &Table, server: &Process) {
    for attempt in 0..120 {
        let answer = table.publish_once(server, &format!("try-{attempt}"), LOST).await;
        let said = code(answer);
        if said == "log_rolled_back" {
            assert_eq!(table.own(server).await.expect_err("it stands still"), "log_rolled_back");
            return;
        }
        assert!(matches!(said.as_str(), "broker_unavailable" | "attempt_too_late"), "{said}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("the loss was never found");
}

/// The same with two sinks that hold all of it.
async fn copied(pair: Pair) -> Option<(Deployment, Process, Table, Copies)> {
    let (deployment, server, table) = filled(pair).await?;
    let reader = deployment.reader(&server, &table).await;
    let copies = Copies::begin(&deployment, &server, &reader).await;
    copies.come_to(&server, &once(&[FIRST])).await;
    Some((deployment, server, table, copies))
}

/// Brings the resource back, where it goes on after a restart too; these are still there.
async fn comes_back(
    deployment: Deployment,
    server: Process,
    table: Table,
    copies: Option<Copies>,
    there: std::ops::Range<u32>,
) {
    let server = back(&deployment, server, &table, copies.as_ref(), there).await;
    ends(deployment, server).await;
}

async fn ends(deployment: Deployment, server: Process) {
    server.kill().await;
    reconcile(&deployment, "node");
    deployment.done().await;
}

async fn back(
    deployment: &Deployment,
    server: Process,
    table: &Table,
    copies: Option<&Copies>,
    there: std::ops::Range<u32>,
) -> Process {
    // One resource stands still; the server is there for all others.
    assert_eq!(ready(&server).await, 200, "before the way out");
    let moved = table.new_generation(&server, None).await.expect("the way out");
    assert_eq!(ready(&server).await, 200, "behind it");
    assert_eq!((&moved["generation"], &moved["log_rolled_back"]), (&2.into(), &false.into()), "{moved}");
    assert_eq!(moved["copied"], there.len(), "{moved}");
    assert_eq!(
        table.visible(&server).await,
        once(std::slice::from_ref(&there)),
        "what is still there, and nothing else"
    );
    if let Some(copies) = copies {
        copies.go_on(&server).await;
        copies.come_to(&server, &once(std::slice::from_ref(&there))).await;
    }
    table.publish(&server, "later", LATER).await.expect("publishing goes on");
    assert_eq!(table.visible(&server).await, once(&[there.clone(), LATER]));
    server.kill().await;
    let server = deployment.start("node", None).await;
    table.publish(&server, "last", 600..610).await.expect("it goes on after a restart");
    let all = once(&[there, LATER, 600..610]);
    assert_eq!(table.visible(&server).await, all);
    if let Some(copies) = copies {
        copies.come_to(&server, &all).await;
    }
    server
}

#[tokio::test]
async fn a_deleted_topic_stops_the_resource() {
    let Some((deployment, server, table)) = filled(Pair::Production).await else { return };
    damage::delete_topic(brokers(&deployment), &topic(&deployment)).await.expect("it is deleted");
    stops(&table, &server).await;
    let server = back(&deployment, server, &table, None, 0..0).await;
    // The old topic is still short of what was published to it: two answers that say so stop nobody any more.
    tokio::time::sleep(Duration::from_secs(7)).await;
    table.publish(&server, "at-last", 610..620).await.expect("it still goes on");
    ends(deployment, server).await;
}

#[tokio::test]
async fn records_of_a_topic_made_anew_are_never_taken_for_those_lost() {
    let Some((deployment, server, table, copies)) = copied(Pair::Production).await else { return };
    tokio::time::sleep(APART).await;
    let name = topic(&deployment);
    damage::delete_topic(brokers(&deployment), &name).await.expect("it is deleted");
    damage::make_topic(brokers(&deployment), &name, 3).await.expect("it is made anew");
    stops(&table, &server).await;
    comes_back(deployment, server, table, Some(copies), 0..0).await;
}

/// Filled again past where it ended, while no server ran: no end and no append tells.
#[tokio::test]
async fn an_idle_topic_that_was_replaced_stops_the_resource() {
    let Some((deployment, server, table)) = filled(Pair::Production).await else { return };
    deployment.looked_at("node", 300).await;
    server.kill().await;
    let name = topic(&deployment);
    damage::delete_topic(brokers(&deployment), &name).await.expect("it is deleted");
    damage::make_topic(brokers(&deployment), &name, 3).await.expect("it is made anew");
    damage::write(brokers(&deployment), &name, 3000).await.expect("a stranger fills it");
    let server = deployment.start("node", None).await;
    for _ in 0..120 {
        if table.entry(&server).await["log_rolled_back"] == true {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(table.own(&server).await.expect_err("it stands still"), "log_rolled_back");
    let refused = table.new_generation_as_it_is(&server).await.expect_err("nothing is left out unasked");
    assert!(refused.contains("left_out") && refused.contains("300"), "{refused}: {}", server.said());
    comes_back(deployment, server, table, None, 0..0).await;
}

#[tokio::test]
async fn a_front_cut_off_is_said_and_the_rest_is_there() {
    let Some((deployment, server, table)) = filled(Pair::Production).await else { return };
    let before = table.own(&server).await.expect("all of it");
    let first: Value = serde_json::from_str(before.lines().next().expect("a line")).expect("JSON");
    let id = first["id"].as_str().expect("an id").to_owned();
    let partition = id.split('.').nth(1).expect("a partition").to_owned();
    let gone: Vec<u64> = before
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| {
            let mut parts = line["id"].as_str().unwrap_or_default().split('.').skip(1);
            parts.next() == Some(&partition)
                && parts.next().is_some_and(|at| at.parse::<i64>().unwrap_or(9) < 5)
        })
        .filter_map(|line| line["record"]["id"].as_u64())
        .collect();
    assert_eq!(gone.len(), 5);
    let at = partition.parse().expect("a number");
    damage::cut_front(brokers(&deployment), &topic(&deployment), at, 5).await.expect("the front is cut");
    let mut left = once(&[FIRST]);
    left.retain(|id, _| !gone.contains(id));
    assert_eq!(table.visible(&server).await, left, "what is left, from the first record kept on");
    table.publish(&server, "later", LATER).await.expect("publishing goes on");
    let moved = table.new_generation(&server, Some(2)).await.expect("a new generation");
    assert_eq!(moved["copied"], 295 + 60);
    let mut all = once(&[FIRST, LATER]);
    all.retain(|id, _| !gone.contains(id));
    assert_eq!(table.visible(&server).await, all);
    server.kill().await;
    reconcile(&deployment, "node");
    deployment.done().await;
}

#[tokio::test]
async fn a_strangers_records_are_a_hole_that_is_settled() {
    let Some((deployment, server, table)) = filled(Pair::Production).await else { return };
    let auditor = deployment.auditor(&server).await;
    damage::write(brokers(&deployment), &topic(&deployment), 30).await.expect("a stranger writes");
    table.publish(&server, "later", LATER).await.expect("publishing goes on");
    let all = once(&[FIRST, LATER]);
    for _ in 0..80 {
        let seen = table.visible(&server).await;
        assert!(seen.keys().all(|id| all.contains_key(id)), "nobody sees a stranger's record");
        if seen == all {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(table.visible(&server).await, all, "readers are not stuck");
    let events = deployment.events(&server, &auditor).await;
    assert!(events.lines().any(|event| event.contains(r#""code":"settled""#)), "the hole has its event");
    let moved = table.new_generation(&server, None).await.expect("a new generation");
    assert_eq!(moved["copied"], 360, "none of the stranger's is copied");
    server.kill().await;
    reconcile(&deployment, "node");
    deployment.done().await;
}

pub(super) fn copy_log(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for ending in ["", "-wal", "-shm"] {
        let name = format!("log.db{ending}");
        let _ = std::fs::remove_file(to.join(&name));
        if from.join(&name).exists() {
            std::fs::copy(from.join(&name), to.join(&name)).expect("a copy");
        }
    }
}

#[tokio::test]
async fn an_older_log_file_stops_the_resource() {
    let (deployment, server, table, copies) = copied(Pair::Embedded).await.expect("always there");
    server.kill().await;
    let (data, backup) = (deployment.folder().join("node"), deployment.folder().join("older"));
    copy_log(&data, &backup);
    let server = deployment.start("node", None).await;
    table.publish(&server, "lost", LOST).await.expect("a batch that will be lost");
    copies.come_to(&server, &once(&[FIRST, LOST])).await;
    tokio::time::sleep(APART).await;
    server.kill().await;
    copy_log(&backup, &data);
    let server = deployment.start("node", None).await;
    stops(&table, &server).await;
    comes_back(deployment, server, table, Some(copies), FIRST).await;
}

#[tokio::test]
async fn rows_taken_from_the_end_of_the_log_file_stop_the_resource() {
    let (deployment, server, table) = filled(Pair::Embedded).await.expect("always there");
    table.publish(&server, "lost", LOST).await.expect("a batch that will be lost");
    tokio::time::sleep(APART).await;
    server.kill().await;
    let url = format!("sqlite:{}", deployment.folder().join("node").join("log.db").display());
    let mut file = SqliteConnection::connect(&url).await.expect("the file");
    let last = "DELETE FROM batch WHERE id > (SELECT max(id) FROM batch) - 3";
    sqlx::query(last).execute(&mut file).await.expect("rows are gone");
    file.close().await.expect("closed");
    let server = deployment.start("node", None).await;
    stops(&table, &server).await;
    comes_back(deployment, server, table, None, FIRST).await;
}

#[tokio::test]
async fn of_a_log_file_with_a_row_missing_the_rest_comes_back() {
    let (deployment, server, table) = filled(Pair::Embedded).await.expect("always there");
    table.publish(&server, "later", LATER).await.expect("a second batch");
    server.kill().await;
    let url = format!("sqlite:{}", deployment.folder().join("node").join("log.db").display());
    let mut file = SqliteConnection::connect(&url).await.expect("the file");
    let one = "DELETE FROM batch WHERE id = (SELECT min(id) FROM batch) RETURNING last - first + 1";
    let gone: i64 = sqlx::query_scalar(one).fetch_one(&mut file).await.expect("a row is gone");
    file.close().await.expect("closed");
    let server = deployment.start("node", None).await;
    assert_eq!(table.own(&server).await.expect_err("it is said, not passed over"), "broker_unavailable");
    let moved = table.new_generation(&server, None).await.expect("the way out");
    assert_eq!(moved["copied"], 360 - gone, "{moved}");
    let (seen, all) = (table.visible(&server).await, once(&[FIRST, LATER]));
    assert_eq!(seen.len() as i64, 360 - gone);
    assert!(seen.iter().all(|(id, times)| *times == 1 && all.contains_key(id)));
    server.kill().await;
    reconcile(&deployment, "node");
    deployment.done().await;
}
