//! A broker killed under unanswered requests: every offset that an append claims is true when read back.

use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use changtong_catalog::ids::{Generation, ResourceNumber, TopicName};

use super::{broker, open, settings};
use crate::log::conformance::{DEADLINE, append, entry, range, read_all};
use crate::log::{Entry, Log, LogRecord, RECORD_MAX, TopicSpec};

const KILLS: usize = 2;
const WRITERS: usize = 4;

/// A broker of this test's own.
struct Broker {
    dir: PathBuf,
    child: Child,
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/scripts/kafka.sh")
}

fn start(dir: &Path) -> Child {
    Command::new(script()).arg("start").arg(dir).spawn().unwrap()
}

impl Broker {
    fn start(dir: &Path, port: u16, controller: u16) -> Self {
        let formatted = Command::new(script())
            .arg("format")
            .arg(dir)
            .args([port.to_string(), controller.to_string()])
            .status()
            .unwrap();
        assert!(formatted.success());
        // A broker that was killed may come back once its old session is over (the last value of a name holds).
        let mut settings =
            std::fs::OpenOptions::new().append(true).open(dir.join("server.properties")).unwrap();
        settings.write_all(b"broker.session.timeout.ms=6000\n").unwrap();
        Self { dir: dir.to_owned(), child: start(dir) }
    }

    fn kill_and_restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = start(&self.dir);
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ports below the range that the system gives out by itself, so that the broker gets its own back.
fn free_ports() -> (u16, u16) {
    let begin = 20_000 + (std::process::id() % 10_000) as u16;
    let mut free = (begin..32_000).filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    (free.next().unwrap(), free.next().unwrap())
}

/// What one append said: its entries, and partition and offset of those that it claims landed.
struct Claim {
    entries: Vec<Entry>,
    landed: Vec<(i32, i64)>,
    whole: bool,
}

async fn write(
    log: Arc<dyn Log>,
    topic: TopicName,
    writer: usize,
    stop: Arc<AtomicBool>,
    wholes: Arc<AtomicUsize>,
) -> Vec<Claim> {
    let mut claims = Vec::new();
    for call in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let entries: Vec<_> = (0..90).map(|i| entry(i % 3, "k", &format!("{writer}.{call}.{i}"))).collect();
        let answer = append(&*log, &topic, entries.clone()).await;
        let partitions = entries.iter().map(|entry| entry.partition);
        let (landed, whole) = match answer {
            Ok(offsets) => (partitions.zip(offsets).collect(), true),
            Err(error) => (error.landed, false),
        };
        wholes.fetch_add(usize::from(whole), Ordering::Relaxed);
        claims.push(Claim { entries, landed, whole });
    }
    claims
}

fn check(claim: &Claim, read: &[Vec<LogRecord>]) {
    let at = |partition: i32, offset: i64| &read[partition as usize][offset as usize];
    if claim.whole {
        assert_eq!(claim.landed.len(), claim.entries.len());
        for (entry, (partition, offset)) in claim.entries.iter().zip(&claim.landed) {
            assert_eq!(at(*partition, *offset).value, entry.value, "an answered offset is false");
        }
    } else {
        for (partition, offset) in &claim.landed {
            let own =
                |entry: &Entry| entry.partition == *partition && entry.value == at(*partition, *offset).value;
            assert!(claim.entries.iter().any(own), "an offset said to have landed is another's");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_are_true_after_kills_of_the_broker() {
    if broker().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (port, controller) = free_ports();
    let mut own = Broker::start(dir.path(), port, controller);
    let log: Arc<dyn Log> = open(settings(&format!("127.0.0.1:{port}")));
    let topic = TopicName::records("", ResourceNumber(1), Generation(1));
    let spec = TopicSpec { name: topic.clone(), partitions: 3, retention: None };
    for tries in 0.. {
        match log.make_topic(&spec, true).await {
            Ok(()) => break,
            Err(refusal) => assert!(tries < 10, "the broker did not start: {refusal}"),
        }
    }
    let (stop, wholes) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            tokio::spawn(write(log.clone(), topic.clone(), writer, Arc::clone(&stop), Arc::clone(&wholes)))
        })
        .collect();
    let some_more = async |more: usize| {
        let enough = wholes.load(Ordering::Relaxed) + more;
        while wholes.load(Ordering::Relaxed) < enough {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    for _ in 0..KILLS {
        some_more(30).await;
        own.kill_and_restart();
    }
    some_more(30).await;
    stop.store(true, Ordering::Relaxed);
    let mut claims = Vec::new();
    for writer in writers {
        claims.extend(writer.await.unwrap());
    }
    let extents = loop {
        // The connection that asks has not noticed every kill yet.
        let known = log.extents(std::slice::from_ref(&topic)).await.unwrap().remove(&topic);
        match known {
            Some(extents) => break extents,
            None => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    };
    let mut read = Vec::new();
    for (partition, extent) in (0..).zip(extents) {
        read.push(read_all(&*log, &topic, &[range(partition, 0, extent.end)], 5_000, RECORD_MAX).await);
    }
    claims.iter().for_each(|claim| check(claim, &read));
    let broken = claims.iter().filter(|claim| !claim.whole).count();
    println!("{} appends, {broken} of them broken off", claims.len());
    log.close(DEADLINE).await;
}
