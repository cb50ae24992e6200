//! What `connector run` refuses before it begins, and that it waits where it may.

use std::time::Duration;

use crate::shell::Shell;

const FILE: &str = "name = \"in\"\nprocess = \"own\"\nresource = \"300000-000001\"\n[source.file]\npath = \"a.csv\"\n\
    format = \"csv\"\n";

#[tokio::test]
async fn what_cannot_run_is_said_at_once() {
    let shell = Shell::new();
    shell.write("in.toml", FILE);
    shell.write("managed.toml", FILE.replace("process = \"own\"\n", ""));
    shell.write("key", "ctk_x");
    for (line, code, said) in [
        ("in.toml --root nowhere", 1, "nowhere: there is no such folder"),
        ("none.toml", 1, "none.toml"),
        ("managed.toml", 1, "process = \"own\""),
        ("in.toml --state no/in.state", 1, "no/in.state"),
        ("in.toml --metrics 8.8.8.8:1", 2, "asks no credentials"),
        ("in.toml --key file:key", 2, "chmod"),
        ("in.toml --key env:NOT_THERE", 2, "NOT_THERE"),
        ("in.toml --url ftp://x", 2, "http://"),
    ] {
        let own = line.split_whitespace().next().expect("a file");
        let mut args = vec!["connector", "run", own];
        let more: Vec<&str> = line.split_whitespace().skip(1).collect();
        args.extend(&more);
        for (flag, value) in [("--url", "http://127.0.0.1:1"), ("--key", "ctk_x")] {
            if !more.contains(&flag) {
                args.extend([flag, value]);
            }
        }
        let ran = shell.run(&args).await;
        assert_eq!(ran.code, code, "{line}: {}", ran.err);
        assert!(ran.err.contains(said), "{line}: {}", ran.err);
        assert!(!shell.path("in.state").exists() || !shell.read("in.state").contains("ctk_x"));
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_waited_for() {
    let shell = Shell::new();
    shell.write("in.toml", FILE);
    let mut command =
        shell.command(&["connector", "run", "in.toml", "--url", "http://127.0.0.1:1", "--key", "ctk_x"]);
    let log = std::fs::File::create(shell.path("log")).expect("a log");
    let mut process = command.stderr(log).spawn().expect("it starts");
    while shell.read("log").matches("not registered yet").count() < 2 {
        assert!(process.try_wait().expect("its state").is_none(), "{}", shell.read("log"));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(shell.read("log").contains("server_unreachable"));
    let state: serde_json::Value = serde_json::from_str(&shell.read("in.state")).expect("its state");
    let members: Vec<&String> = state.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["connector", "name", "node", "server"], "nothing that counts, and no key");
    process.kill().await.expect("kill -9");
}
