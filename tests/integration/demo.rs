//! The demo's flow on the bundled data, with the real binary, on both pairs of engines.

use std::path::Path;
use std::process::Command;

use changtong_catalog::store::testing::postgres;

use crate::support::{kafka, prefix};

/// Runs it with a settings file; what it printed.
fn told(settings: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("changtong.toml");
    std::fs::write(&config, settings).expect("its settings");
    let output = Command::new(env!("CARGO_BIN_EXE_changtong"))
        .args(["demo", "--config"])
        .arg(&config)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .env_clear()
        .output()
        .expect("the demo runs");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}\n{said}");
    printed
}

fn check(printed: &str) {
    assert!(printed.contains("Every count agrees."), "{printed}");
    let flights = printed.lines().find(|line| line.starts_with("flights")).expect("a line on flights");
    let figures: Vec<&str> = flights.split_whitespace().collect();
    // Counted once by hand from the bundled files: records of both days; lines delivered; rows left in the copy.
    assert_eq!(figures[1..7], ["1649", "1649", "0", "393", "543", "184"], "{printed}");
}

#[test]
fn embedded() {
    check(&told(""));
}

#[tokio::test]
async fn production() {
    let Some(brokers) = kafka() else { return };
    let Some(fresh) = postgres().await else { return };
    let (url, prefix) = (&fresh.config.url, prefix(&fresh.config.url));
    check(&told(&format!(
        "[database]\nurl = \"{url}\"\n[kafka]\nbrokers = [\"{brokers}\"]\nreplication_factor = 1\n\
         min_insync_replicas = 1\n[log]\nprefix = \"{prefix}\"\n"
    )));
    fresh.done().await;
}
