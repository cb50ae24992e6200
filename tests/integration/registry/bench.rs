//! `changtong bench registry` against a real server: every answer it counts is a schema.

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
