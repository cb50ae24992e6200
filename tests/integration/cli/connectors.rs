//! A managed connector by command.

use std::time::Duration;

use serde_json::Value;

use super::{agencies, published};
use crate::shell::Shell;
use crate::support::{Pair, TestApp};

const CONNECTOR: &str = r#"
name = "people-in"
resource = "300000-000001"
[source.file]
path = "people.csv"
format = "csv"
null = ["", "NA"]
mode = "append"
"#;

/// Looks until the connector is shown so.
async fn shown(shell: &Shell, what: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..600 {
        let shown = shell.json("connector status people-in --as stats").await;
        if what(&shown) {
            return shown;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{}", shell.line("connector status people-in --as stats").await);
}

#[tokio::test]
async fn a_connector_is_applied_ordered_and_removed() {
    let app = TestApp::start(Pair::Embedded, &[]).await.expect("the embedded engines are always there");
    let shell = Shell::of(&app);
    agencies(&shell).await;
    shell.write("people.csv", "id,name\n1,a\n2,NA\n3,c\n");
    shell.line("resource draft people.csv --provider stats --out people.toml").await;
    assert_eq!(published(&shell, "people.toml").await, "300000-000001");
    shell.write("people-in.toml", CONNECTOR);
    assert!(shell.line("connector apply people-in.toml --dry-run --as stats").await.contains("would be new"));
    assert!(shell.line("connector apply people-in.toml --as stats").await.contains("is new"));
    assert!(shell.line("connector apply people-in.toml --as stats").await.contains("unchanged"));
    // It says what it waits for, by the name that the folder has in the settings.
    let awaited = "connectors.root/11999999FAKE00021N/people.csv";
    let waiting = shown(&shell, |shown| !shown["status"]["details"]["waits_for"].is_null()).await;
    let waits_for = &waiting["status"]["details"]["waits_for"];
    assert_eq!((&waits_for["path"], &waits_for["folder"]), (&awaited.into(), &"there".into()));
    let files = app.app().settings.data.dir.join("files/11999999FAKE00021N");
    std::fs::create_dir_all(&files).expect("the agency's folder");
    std::fs::copy(shell.path("people.csv"), files.join("people.csv")).expect("its file");

    shown(&shell, |shown| shown["status"]["details"]["counts"]["accepted"] == 3).await;
    assert!(shell.line("connector list --as stats").await.contains("people-in"));
    assert_eq!(shell.json("connector list --as emergency").await, serde_json::json!([]));

    for (order, desired) in
        [("pause", "paused"), ("resume", "running"), ("stop", "stopped"), ("start", "running")]
    {
        let answer = shell.json(&format!("connector {order} people-in --as stats")).await;
        assert_eq!(answer["desired"], desired);
    }
    shell.line("connector stop people-in --as stats").await;
    shell.line("connector reset people-in --as stats").await;
    shell.line("connector confirm people-in --as stats").await;
    shell.line("connector remove people-in --as stats").await;
    let gone = shell.refused("connector status people-in --as stats", 1).await;
    assert!(gone.contains("not_found"), "{gone}");

    let root = app.app().settings.data.dir.join("files").display().to_string();
    let bench = shell.json(&format!("bench connector --thousands 2 --root {root}")).await;
    let figures = &bench["rows"][0]["figures"];
    assert_eq!((&figures["records"]["median"], &figures["answered"]["median"]), (&2000.into(), &2000.into()));
    app.stop().await;
}
