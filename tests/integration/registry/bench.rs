//! `changtong bench registry` and `versions` against a real server: every answer they count is a schema.

use serde_json::Value;

use crate::shell::Shell;
use crate::support::{Pair, TestApp};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bench_counts_what_was_answered() {
    let app = TestApp::start(Pair::Embedded, &[]).await.expect("embedded engines");
    let command = "bench registry --seconds 1 --connections 2 --agencies 1 --output json";
    let ran = Shell::of(&app).run(&command.split(' ').collect::<Vec<_>>()).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    let report: Value = serde_json::from_str(&ran.out).expect("JSON");
    let requests = &report["rows"][0]["figures"]["requests"]["median"];
    assert!(requests.as_i64().is_some_and(|requests| requests > 0), "{report}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_many_versions_is_registered_and_asked_for_once() {
    let app = TestApp::start(Pair::Embedded, &[]).await.expect("embedded engines");
    let pid = std::process::id();
    let line = format!("bench versions --versions 40 --connections 3 --agencies 2 --pid {pid}");
    let report = Shell::of(&app).json(&line).await;
    let rows = report["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 3, "registered, asked by id, asked by subject and version: {report}");
    for row in rows {
        let figures = &row["figures"];
        assert_eq!(figures["requests"]["median"], 40, "{report}");
        assert!(figures["resident_mib_before"]["median"].as_f64() > Some(0.0), "{report}");
        assert!(figures["resident_mib"]["median"].as_f64() > Some(0.0), "{report}");
    }
    app.stop().await;
}
