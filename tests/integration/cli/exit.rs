//! Exit codes and what is said: 0 done, 1 refused, 2 wrong usage, 3 not reachable.

use std::os::unix::fs::PermissionsExt as _;

use crate::shell::Shell;
use crate::support::{Pair, TestApp};

#[tokio::test]
async fn exit_codes_say_what_kind_of_failure_it_is() {
    let app = TestApp::start(Pair::Embedded, &[]).await.expect("the embedded engines are always there");
    let shell = Shell::of(&app);
    assert!(shell.line("agency list").await.contains("authority"));
    let refused = shell.refused("resource show 300000-000009", 1).await;
    assert!(refused.contains("not_found"), "{refused}");
    let url = format!("http://{}", app.api);
    let refused = shell.refused(&format!("agency list --url {url} --key ctk_wrong"), 1).await;
    assert!(refused.contains("unauthenticated") && refused.contains("changtong login"), "{refused}");
    shell.refused("agency list --as nobody", 2).await;
    shell.refused("agency frobnicate", 2).await;
    shell.refused("publish", 2).await;
    let refused = shell.refused("agency list --url http://127.0.0.1:1 --key ctk_x", 3).await;
    assert!(refused.contains("does not answer") && refused.contains("CHANGTONG_URL"), "{refused}");
    for url in ["not-an-address", "ftp://127.0.0.1", "http://"] {
        let refused = shell.refused(&format!("agency list --url {url} --key ctk_x"), 2).await;
        assert!(refused.contains("no address of a server"), "{refused}");
    }
    app.stop().await;
}

#[tokio::test]
async fn errors_come_in_the_language_of_the_terminal() {
    let app = TestApp::start(Pair::Embedded, &[]).await.expect("the embedded engines are always there");
    let shell = Shell::of(&app);
    let mut command = shell.command(&["resource", "show", "300000-000009"]);
    let output = command.env("LANG", "zh_CN.UTF-8").output().await.expect("the command runs");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("not_found") && error.contains("信息资源"), "{error}");
    let mut command = shell.command(&["serve"]);
    command.env("LANG", "zh_CN.UTF-8").env("CHANGTONG_HTTP__LISTN", "127.0.0.1:0");
    let output = command.output().await.expect("the command runs");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("没有 http.listn 这项设置;是否应为 http.listen?"), "{error}");
    app.stop().await;
}

#[tokio::test]
async fn a_key_is_tried_before_it_becomes_a_profile() {
    let app = TestApp::start(Pair::Embedded, &[]).await.expect("the embedded engines are always there");
    let (shell, url) = (Shell::new(), format!("http://{}", app.api));
    shell.refused("agency list", 2).await;
    shell.refused(&format!("login --url {url} --key ctk_wrong"), 1).await;
    assert!(!shell.profiles().exists());
    let said = shell.line(&format!("login --url {url} --key {}", app.authority)).await;
    assert!(said.contains("profile default") && !said.contains(&app.authority), "{said}");
    let mode = std::fs::metadata(shell.profiles()).expect("the profile file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    shell.line("agency list").await;
    shell.line(&format!("login --url {url} --key {} --as boss", app.authority)).await;
    shell.line("agency list --as boss").await;
    app.stop().await;
}

#[tokio::test]
async fn completions_need_no_server() {
    let script = Shell::new().line("completions bash").await;
    assert!(script.contains("changtong") && script.contains("quarantine"));
}

#[tokio::test]
async fn a_file_that_is_there_is_not_overwritten() {
    let shell = Shell::new();
    shell.write("rooms.csv", "id,name\n1,a\n2,b\n");
    let draft = "resource draft rooms.csv --provider stats --out rooms.toml";
    shell.line(draft).await;
    let written = shell.read("rooms.toml");
    let refused = shell.refused(draft, 1).await;
    assert!(refused.contains("rooms.toml: it is there already and is not overwritten"), "{refused}");
    assert_eq!(shell.read("rooms.toml"), written);
}
