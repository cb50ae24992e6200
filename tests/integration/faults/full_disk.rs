//! Case 18: the disk of the embedded engines is full. Publishing is refused by name, the catalog is still read, the
//! process stays up, and once there is room again every refused batch counts, once.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use changtong::client::CallError;
use sqlx::{Connection as _, SqliteConnection};

use super::deployment::{Deployment, Process, Table, once, reconcile};
use crate::support::Pair;

/// Who waits so long for its end waits for ever.
const LONGER_THAN_THE_LEASE: Duration = Duration::from_secs(90);

const FIRST: std::ops::Range<u32> = 0..300;

fn batch(number: u32) -> std::ops::Range<u32> {
    1000 * number..1000 * number + 300
}

/// A disk that can be filled and emptied while the server runs.
enum Disk {
    /// A small one, mounted for the server alone.
    Mounted,
    /// Where nothing may be mounted: files that may grow no further, which the engines call an error of the device.
    Limited,
}

impl Disk {
    /// Whether this machine lets a process have mounts of its own, and how.
    fn of_this_machine() -> (Self, Vec<String>) {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        for unshare in ["-m", "-rm"] {
            let mounts = ["unshare", unshare, "sh", "-c", "mount -t tmpfs -o size=4m tmpfs /mnt"];
            if Command::new(mounts[0]).args(&mounts[1..]).output().is_ok_and(|done| done.status.success()) {
                let script = "mkdir -p \"$5\" && mount -t tmpfs -o size=24m tmpfs \"$5\" && exec \"$@\"";
                return (Self::Mounted, words(&["unshare", unshare, "sh", "-c", script, "sh"]));
            }
        }
        (Self::Limited, words(&["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"]))
    }

    fn fill(&self, server: &Process, folder: &Path) {
        match self {
            Self::Limited => limit_files(server, "1"),
            Self::Mounted => {
                let mut file = std::fs::File::create(seen(server, &folder.join("filler"))).expect("a file");
                for size in [1 << 20, 4 << 10, 1] {
                    let piece = vec![0; size];
                    while file.write(&piece).is_ok_and(|written| written > 0) {}
                }
            }
        }
    }

    fn make_room(&self, server: &Process, folder: &Path) {
        match self {
            Self::Limited => limit_files(server, "unlimited"),
            Self::Mounted => std::fs::remove_file(seen(server, &folder.join("filler"))).expect("room again"),
        }
    }

    fn codes(&self) -> &'static [&'static str] {
        match self {
            Self::Mounted => &["storage_full"],
            Self::Limited => &["storage_full", "store_unavailable", "broker_unavailable"],
        }
    }
}

fn limit_files(server: &Process, bytes: &str) {
    let limit = ["--pid", &server.id().to_string(), &format!("--fsize={bytes}:")].map(str::to_owned);
    let set = Command::new("prlimit").args(limit).status();
    assert!(set.is_ok_and(|status| status.success()), "its limits cannot be set");
}

/// A path as the server sees it: its disk may be mounted for it alone.
fn seen(server: &Process, path: &Path) -> PathBuf {
    PathBuf::from(format!("/proc/{}/root{}", server.id(), path.display()))
}

/// Publishes until a batch is refused; answers the numbers of those that were taken, and the refusal.
async fn until_refused(table: &Table, server: &Process) -> (Vec<u32>, CallError) {
    let mut taken = Vec::new();
    for number in 1..500 {
        match table.publish_once(server, &format!("batch-{number}"), batch(number)).await {
            Ok(_) => taken.push(number),
            Err(refusal) => return (taken, refusal),
        }
    }
    panic!("a full disk takes {} batches", taken.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_while_the_disk_is_full() {
    let Some(deployment) = Deployment::new(Pair::Embedded).await else { return };
    let (disk, by) = Disk::of_this_machine();
    let folder = deployment.folder().join("node");
    let mut server = deployment.spawn_through(&by, "node");
    assert!(server.serves().await, "the server ended: {}", server.said());
    let table = deployment.table(&server).await;
    table.publish(&server, "first", FIRST).await.expect("a first batch");
    disk.fill(&server, &folder);
    let (taken, refusal) = until_refused(&table, &server).await;
    let CallError::Refused(problem) = &refusal else { panic!("no answer: {refusal}") };
    assert!(problem.status == 503 && disk.codes().contains(&problem.code.as_str()), "{refusal}");
    assert!(problem.retry_after.is_some(), "when to come back");
    table.catalog_is_served(&server).await;

    disk.make_room(&server, &folder);
    let refused = u32::try_from(taken.len()).expect("a number") + 1;
    for number in 1..=refused + 3 {
        let receipt = table
            .publish(&server, &format!("batch-{number}"), batch(number))
            .await
            .unwrap_or_else(|refusal| panic!("{refusal}: {}", server.said()));
        assert_eq!(
            (&receipt["accepted"], &receipt["replayed"]),
            (&300.into(), &taken.contains(&number).into())
        );
    }
    let ids: Vec<_> = std::iter::once(FIRST).chain((1..=refused + 3).map(batch)).collect();
    assert_eq!(table.visible(&server).await, once(&ids), "lost or doubled");
    whole(&server, &folder).await;
    server.kill().await;
    deployment.done().await;
}

/// The lease cannot be renewed on a full disk: a server may not outlive it (protocol.md 10), whatever keeps it from the
/// database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_stays_full_ends_the_server_and_a_restart_loses_nothing() {
    let Some(deployment) = Deployment::new(Pair::Embedded).await else { return };
    let by = ["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"].map(str::to_owned);
    let mut server = deployment.spawn_through(&by, "node");
    assert!(server.serves().await, "the server ended: {}", server.said());
    let table = deployment.table(&server).await;
    table.publish(&server, "first", FIRST).await.expect("a first batch");
    limit_files(&server, "1");
    let (taken, refusal) = until_refused(&table, &server).await;
    let CallError::Refused(problem) = &refusal else { panic!("no answer: {refusal}") };
    assert!(problem.status == 503 && Disk::Limited.codes().contains(&problem.code.as_str()), "{refusal}");
    let ended = tokio::time::timeout(LONGER_THAN_THE_LEASE, server.exit_code()).await;
    assert_eq!(ended.expect("it ends by itself"), 1);

    let server = deployment.start("node", None).await;
    let refused = u32::try_from(taken.len()).expect("a number") + 1;
    for number in 1..=refused {
        let receipt = table
            .publish(&server, &format!("batch-{number}"), batch(number))
            .await
            .unwrap_or_else(|refusal| panic!("{refusal}: {}", server.said()));
        assert_eq!(receipt["accepted"], 300);
    }
    let ids: Vec<_> = std::iter::once(FIRST).chain((1..=refused).map(batch)).collect();
    assert_eq!(table.visible(&server).await, once(&ids), "lost or doubled");
    server.kill().await;
    reconcile(&deployment, "node");
    deployment.done().await;
}

/// The engines' files are sound: copied while the server stands still, as its disk goes with it.
async fn whole(server: &Process, folder: &Path) {
    let copies = tempfile::tempdir().expect("a folder");
    server.signal("-STOP");
    server.stands_still().await;
    for name in ["catalog.db", "log.db"] {
        for part in [name.to_owned(), format!("{name}-wal")] {
            let file = seen(server, &folder.join(&part));
            // What was written into the file itself has no log beside it.
            if part == name || file.exists() {
                std::fs::copy(file, copies.path().join(&part)).expect("a copy");
            }
        }
    }
    server.signal("-CONT");
    for name in ["catalog.db", "log.db"] {
        let url = format!("sqlite:{}", copies.path().join(name).display());
        let mut file = SqliteConnection::connect(&url).await.expect("a database");
        let checked = sqlx::query_as("PRAGMA integrity_check").fetch_one(&mut file).await;
        let (said,): (String,) = checked.expect("an answer");
        assert_eq!(said, "ok", "{name}");
    }
}
