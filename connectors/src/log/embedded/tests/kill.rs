//! Killed at any moment, the file holds every answered append, whole.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use changtong_catalog::clock::ManualClock;
use changtong_catalog::ids::{Generation, ResourceNumber, TopicName};
use chrono::DateTime;

use super::EmbeddedLog;
use crate::log::conformance::{DEADLINE, append, entry, range, read_all};
use crate::log::{Log, RECORD_MAX, TopicSpec};

const FILE: &str = "CHANGTONG_TEST_LOG_FILE";
const ROUNDS: usize = 6;

#[expect(clippy::disallowed_methods, reason = "the test starts itself as the process to be killed")]
fn file_to_write() -> Option<String> {
    std::env::var(FILE).ok()
}

fn topic() -> TopicName {
    TopicName::records("", ResourceNumber(1), Generation(1))
}

async fn open(path: &Path) -> EmbeddedLog {
    EmbeddedLog::open(path, Arc::new(ManualClock::at(DateTime::UNIX_EPOCH))).await.unwrap()
}

/// The child: four writers append calls of 30 records until they are killed, and print what was answered.
async fn write_until_killed(path: &Path) {
    let log = Arc::new(open(path).await);
    let writers = (0..4).map(|writer| {
        let log = Arc::clone(&log);
        tokio::spawn(async move {
            for call in 0.. {
                let value = format!("{}.{writer}.{call}", std::process::id());
                let entries = (0..30).map(|i| entry(i % 3, "k", &value)).collect();
                let offsets = append(&*log, &topic(), entries).await.unwrap();
                println!("answered {value} {} {} {}", offsets[0], offsets[1], offsets[2]);
            }
        })
    });
    futures::future::join_all(writers).await;
}

/// Runs the child, kills it after some answers, and gives the answers that it got out.
fn run_and_kill(path: &Path, after: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "log::embedded::tests::kill::what_was_answered_survives_kill_9"])
        .env(FILE, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut answered: Vec<String> = Vec::new();
    for line in lines.by_ref() {
        // The harness prints the name of the test on the line of the first answer.
        answered.extend(line.split_once("answered ").map(|(_, rest)| rest.to_owned()));
        if answered.len() == after {
            break;
        }
    }
    child.kill().unwrap();
    let rest = lines.filter_map(|line| line.strip_prefix("answered ").map(str::to_owned));
    // A last line cut by the kill says nothing.
    answered.extend(rest.filter(|line| line.split(' ').count() == 4));
    child.wait().unwrap();
    assert!(answered.len() >= after, "the child ended by itself");
    answered
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_survives_kill_9() {
    if let Some(path) = file_to_write() {
        return write_until_killed(Path::new(&path)).await;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.db");
    let log = open(&path).await;
    log.make_topic(&TopicSpec { name: topic(), partitions: 3, retention: None }, false).await.unwrap();
    log.close(DEADLINE).await;
    let mut answered = Vec::new();
    for round in 0..ROUNDS {
        answered.extend(run_and_kill(&path, 1 + round * 37));
        let log = open(&path).await;
        let extents = log.extents(&[topic()]).await.unwrap();
        let ranges: Vec<_> = (0..).zip(&extents[&topic()]).map(|(p, e)| range(p, 0, e.end)).collect();
        let read = read_all(&log, &topic(), &ranges, 100_000, 64 * RECORD_MAX).await;
        let value_at = |partition: i32, offset: i64| {
            let found = read.iter().find(|r| r.partition == partition && r.offset == offset);
            found.map(|r| String::from_utf8(r.value.clone().unwrap().to_vec()).unwrap())
        };
        for line in &answered {
            let fields: Vec<_> = line.split(' ').collect();
            for (partition, first) in (0..).zip(&fields[1..]) {
                let first: i64 = first.parse().unwrap();
                assert!(
                    (first..first + 10).all(|o| value_at(partition, o).as_deref() == Some(fields[0])),
                    "{line}"
                );
            }
        }
        // What was not answered is there whole or not at all.
        assert!(extents[&topic()].iter().all(|e| e.end == extents[&topic()][0].end && e.end % 10 == 0));
        log.close(DEADLINE).await;
    }
}
