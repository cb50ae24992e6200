//! Participants, entries, requests and grants by command.

use encoding_rs::GB18030;
use serde_json::Value;

use super::{agencies, published};
use crate::shell::{Shell, member};
use crate::support::{Pair, TestApp};

const CSV: &str = "编号,name,人数\n1,甲,12\n2,乙,NA\n3,丙,7\n";

const REQUEST: &str = r#"
resource = "300000-000001"
consumer = "emergency"
purposes = [{ code = "drill", text = "演练" }]
basis = "突发事件应对职责"
consented_by = { office = "应急局办公室", document = "应急函〔2026〕1号" }
history = "all"
items = ["c1", "name"]
"#;

#[tokio::test]
async fn participants_join_and_leave() {
    let app = TestApp::start(Pair::Embedded, &[]).await.expect("the embedded engines are always there");
    let shell = Shell::of(&app);
    agencies(&shell).await;
    let wrong = shell.refused("agency add other --name other --code 11999999FAKE00021M", 1).await;
    assert!(wrong.contains("code"), "{wrong}");
    let listed = shell.json("agency list").await;
    assert_eq!(listed.as_array().expect("a list").len(), 3);

    let accounts = shell.json("account list stats").await;
    let head = accounts.as_array().expect("a list").iter().find(|account| account["name"] == "head");
    let head = member(head.expect("the head"), "/id");
    let keys = shell.json(&format!("key list {head}")).await;
    let key = member(&keys, "/0/id");
    shell.line("resource list --as stats-head").await;
    shell.line(&format!("key revoke {key}")).await;
    shell.refused("resource list --as stats-head", 1).await;

    let issued = shell.line(&format!("key issue {head} --roles reviewer")).await;
    let text = issued.split_whitespace().find(|word| word.starts_with("ctk_")).expect("the key's text");
    let url = format!("http://{}", app.api);
    shell.line(&format!("resource list --url {url} --key {text}")).await;
    shell.line(&format!("account disable {head} --cause security")).await;
    shell.refused(&format!("resource list --url {url} --key {text}"), 1).await;

    shell.line("agency suspend emergency").await;
    shell.refused("resource list --as emergency", 1).await;
    shell.line("agency resume emergency").await;
    shell.line("resource list --as emergency").await;
    app.stop().await;
}

#[tokio::test]
async fn an_entry_from_draft_to_its_end() {
    let app = TestApp::start(Pair::Embedded, &[]).await.expect("the embedded engines are always there");
    let shell = Shell::of(&app);
    agencies(&shell).await;
    shell.write("people.csv", &GB18030.encode(CSV).0);
    shell.refused("resource draft people.csv --provider stats", 1).await;
    let draft = "resource draft people.csv --encoding gb18030 --provider stats --out people.toml";
    shell.line(draft).await;
    shell.refused(draft, 1).await;
    assert!(shell.read("people.toml").contains("编号"));

    assert!(shell.line("resource apply people.toml --dry-run --as stats").await.contains("a new entry"));
    assert_eq!(shell.json("resource list --as stats").await, serde_json::json!([]));
    let stopped = shell.refused("resource apply people.toml --publish --as stats", 1).await;
    assert!(stopped.contains("four_eyes") && stopped.contains("approve"), "{stopped}");
    shell.line("resource reject 300000-000001 --reason again --as stats-head").await;
    shell.write("people.toml", shell.read("people.toml").replace("abstract = \"\"", "abstract = \"x\""));
    let changed = shell.line("resource apply people.toml --as stats").await;
    assert!(changed.contains("changed: abstract"), "{changed}");
    for (step, account) in [("submit", "stats"), ("approve", "stats-head"), ("publish", "stats-head")] {
        shell.line(&format!("resource {step} 300000-000001 --as {account}")).await;
    }
    shell.write("people.toml", shell.read("people.toml").replace("abstract = \"x\"", "abstract = \"y\""));
    let proposed = shell.line("resource apply people.toml --as stats-head").await;
    assert!(
        proposed.contains("changed: abstract") && proposed.contains("resource revise 300000-000001"),
        "{proposed}"
    );
    assert!(shell.line("resource apply people.toml --as stats-head").await.contains("nothing to change"));
    let other = shell.json("resource show 300000-000001 --as emergency").await;
    assert_eq!((&other["abstract"], other.get("proposal")), (&"x".into(), None));
    assert!(shell.line("resource show 300000-000001 --as stats").await.contains("proposed by"));
    let alone = shell.refused("resource revise 300000-000001 --as stats-head", 1).await;
    assert!(alone.contains("four_eyes"), "{alone}");
    shell.line("resource reject 300000-000001 --reason 摘要过短 --as stats").await;
    let rejected = shell.line("resource show 300000-000001 --as stats-head").await;
    assert!(rejected.contains("摘要过短") && !rejected.contains("proposed by"), "{rejected}");
    shell.write("people.toml", shell.read("people.toml").replace("abstract = \"y\"", "abstract = \"z\""));
    let alone = shell.refused("resource revise 300000-000001 people.toml --as stats-head", 1).await;
    assert!(alone.contains("four_eyes") && alone.contains("resource apply"), "{alone}");
    shell.line("resource apply people.toml --as stats-head").await;
    let revised = shell.line("resource revise 300000-000001 --as stats").await;
    assert!(revised.contains("is revised: abstract"), "{revised}");
    assert_eq!(shell.json("resource show 300000-000001 --as emergency").await["abstract"], "z");

    shell.line("resource suspend 300000-000001 --cause data_fault --as stats-head").await;
    assert_eq!(shell.json("resource show 300000-000001 --as stats").await["state"], "suspended");
    shell.line("resource resume 300000-000001 --as stats-head").await;
    shell.line("resource retire 300000-000001 --cause law_changed --filing 1 --as stats-head").await;
    assert_eq!(shell.json("resource show 300000-000001 --as stats").await["state"], "retired");
    app.stop().await;
}

#[tokio::test]
async fn a_request_is_written_once_shown_before_it_is_agreed_and_its_grant_ends() {
    let app = TestApp::start(Pair::Embedded, &[]).await.expect("the embedded engines are always there");
    let shell = Shell::of(&app);
    agencies(&shell).await;
    shell.write("people.csv", CSV);
    shell.line("resource draft people.csv --provider stats --out people.toml").await;
    let conditional = "share_type = \"conditional\"\nshare_condition = \"x\"\nshare_scope = \"y\" #";
    let file = shell.read("people.toml").replace("share_type = \"unconditional\"", conditional);
    shell.write("people.toml", file);
    assert_eq!(published(&shell, "people.toml").await, "300000-000001");
    shell.line("publish 300000-000001 people.csv --as stats").await;
    let refused = shell.refused("subscribe 300000-000001 --as emergency", 2).await;
    assert!(refused.contains("--request"), "{refused}");

    shell.write("request.toml", REQUEST);
    assert!(shell.line("request apply request.toml --dry-run --as emergency").await.contains("would be new"));
    let request = shell.json("request apply request.toml --as emergency").await;
    let id = member(&request, "/id");
    assert!(shell.line("request apply request.toml --as emergency").await.contains("unchanged"));
    shell.write("request.toml", REQUEST.replace("\"name\"]", "\"name\", \"c3\"]"));
    assert!(shell.line("request apply request.toml --as emergency").await.contains("changed"));
    assert_eq!(shell.json("request list --as emergency").await.as_array().expect("a list").len(), 1);
    shell.line(&format!("request submit {id} --as emergency-head")).await;
    shell.line(&format!("request need-material {id} --text more --as stats-head")).await;
    shell.line(&format!("request submit {id} --as emergency-head")).await;

    let agree = format!("request agree {id} --mask name=blank --as stats-head");
    let ran = shell.run(&agree.split_whitespace().collect::<Vec<_>>()).await;
    assert_eq!(ran.code, 2, "nobody can be asked here: {}", ran.err);
    assert!(ran.out.contains("blank") && ran.out.contains("人数"), "{}", ran.out);
    assert!(ran.out.contains("\"type\":\"record\""), "the derived schema: {}", ran.out);
    assert!(ran.out.contains("\"op\":\"upsert\"") && !ran.out.contains("甲"), "a sample: {}", ran.out);
    assert_eq!(shell.json(&format!("request show {id} --as stats")).await["state"], "submitted");
    shell.line(&format!("{agree} --yes")).await;

    let out = shell.line("subscribe --request request.toml --as emergency").await;
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).expect("a line")).collect();
    assert_eq!(lines.len(), 3);
    assert!(lines.iter().all(|line| line["record"]["name"] != "甲" && line["record"]["c1"].is_i64()));

    let grants = shell.json("grant list --resource 300000-000001 --as emergency").await;
    let grant = member(&grants, "/0/id");
    assert!(shell.line(&format!("grant show {grant} --as emergency")).await.contains("drill"));
    shell.line(&format!("grant show {grant} --schema --as emergency")).await;
    shell.line(&format!("grant suspend {grant} --cause overdue --as stats-head")).await;
    shell.line(&format!("grant resume {grant} --as stats-head")).await;
    shell.line(&format!("grant revoke {grant} --cause purpose_done --filing 1 --as stats-head")).await;
    assert_eq!(shell.json(&format!("grant show {grant} --as stats")).await["state"], "revoked");

    shell.write("request.toml", REQUEST.replace("all", "none"));
    let second = member(&shell.json("request apply request.toml --as emergency").await, "/id");
    shell.line(&format!("request submit {second} --as emergency-head")).await;
    shell.line(&format!("request refuse {second} --reason not_held --text no --as stats-head")).await;
    shell.write("request.toml", REQUEST.replace("drill", "other"));
    let third = member(&shell.json("request apply request.toml --as emergency").await, "/id");
    shell.line(&format!("request withdraw {third} --as emergency")).await;
    app.stop().await;
}
