//! Records by command: publish in every form, set aside, read, and the events of it.

use changtong_connectors::avro::container::{head, put_block};
use serde_json::Value;

use super::{agencies, published};
use crate::shell::{PEOPLE, Shell, member};
use crate::support::{TestApp, on_both_pairs};

on_both_pairs!(
    every_form_is_published_and_read_back,
    a_stream_writes_lines_as_they_come_and_acknowledges_them,
    bad_records_are_named_by_their_place_in_the_file_or_set_aside,
    small_things_are_said_as_they_are,
);

/// What the people of this file have beside their number.
const MORE: &str = r#"
[[items]]
name = "name"
title = "姓名"
type = "C"
length = 8
nullable = true
[[items]]
name = "fee"
title = "费用"
type = "N"
precision = 12
scale = 2
nullable = true
"#;

async fn world(app: &TestApp) -> Shell {
    let shell = Shell::of(app);
    agencies(&shell).await;
    shell.write("people.toml", format!("{PEOPLE}{MORE}"));
    assert_eq!(published(&shell, "people.toml").await, "300000-000001");
    shell
}

/// A container file with a block for each record of a number and a name.
fn container(records: &[&[u8]]) -> Vec<u8> {
    let schema = br#"{"type":"record","name":"P","fields":[{"name":"id","type":"int"},{"name":"name","type":"string"}]}"#;
    let mut file = head(schema, [7; 16]);
    for record in records {
        put_block(1, record, [7; 16], &mut file);
    }
    file
}

/// Asks for everything with both accounts, then reads as the first.
async fn subscribe(shell: &Shell, more: &str) -> Vec<Value> {
    let line = format!("subscribe 300000-000001 --as emergency {more}");
    let ran = shell.run(&line.split_whitespace().collect::<Vec<_>>()).await;
    let ran = match ran.code {
        0 => ran,
        _ => {
            assert!(ran.err.contains("four_eyes"), "{}", ran.err);
            let id = member(&shell.json("request list --as emergency").await, "/0/id");
            shell.line(&format!("request submit {id} --as emergency-head")).await;
            shell.run(&line.split_whitespace().collect::<Vec<_>>()).await
        }
    };
    assert_eq!(ran.code, 0, "{}", ran.err);
    ran.out.lines().map(|line| serde_json::from_str(line).expect("a line")).collect()
}

async fn every_form_is_published_and_read_back(app: &TestApp) {
    let shell = world(app).await;
    shell.write("a.csv", "编号,name,费用\n1,甲,1.10\n2,-,NA\n");
    shell.write(
        "b.ndjson",
        "{\"id\":3,\"姓名\":\"丙\",\"fee\":3.30}\n\n{\"id\":4,\"name\":null,\"fee\":null}\n",
    );
    shell.write("c.json", "[{\"id\":5,\n\"name\":\"戊\"},{\"$op\":\"delete\",\"id\":1}]");
    shell.write("d.avro", container(&[b"\x0c\x02f", b"\x0e\x02g"]));
    for (file, more) in
        [("a.csv", "--null -"), ("b.ndjson", "--batch 1"), ("c.json", ""), ("d.avro", "--batch 1")]
    {
        let said = shell.line(&format!("publish 300000-000001 {file} {more} --as stats")).await;
        assert!(said.contains("2 records published"), "{file}: {said}");
    }
    let again = shell.json("publish 300000-000001 a.csv --null - --as stats").await;
    assert_eq!((&again["accepted"], &again["replayed"]), (&2.into(), &2.into()));
    let anew = shell.json("publish 300000-000001 a.csv --null - --again --as stats").await;
    assert_eq!((&anew["accepted"], &anew["replayed"]), (&2.into(), &0.into()));

    let lines = subscribe(&shell, "").await;
    assert_eq!(lines.len(), 10);
    let of =
        |id: i64| lines.iter().find(|line| line["record"]["id"] == id).expect("a line")["record"].clone();
    assert_eq!(of(2), serde_json::json!({ "id": 2, "name": null, "fee": null }));
    assert_eq!(of(7), serde_json::json!({ "id": 7, "name": "g", "fee": null }));
    assert_eq!(of(3), serde_json::json!({ "id": 3, "name": "丙", "fee": "3.30" }));
    assert_eq!(lines.iter().filter(|line| line["op"] == "delete").count(), 1);

    assert_eq!(subscribe(&shell, "").await.len(), 0, "all of it was acknowledged");
    assert_eq!(subscribe(&shell, "--from start").await.len(), 10);
    assert_eq!(subscribe(&shell, "--name other --from end").await.len(), 0);
    subscribe(&shell, "--name third --no-deletes --out lines.ndjson").await;
    assert_eq!(shell.read("lines.ndjson").lines().count(), 9);
}

async fn a_stream_writes_lines_as_they_come_and_acknowledges_them(app: &TestApp) {
    let shell = world(app).await;
    shell.write("first.csv", "id,name\n1,a\n2,b\n");
    shell.line("publish 300000-000001 first.csv --as stats").await;
    assert_eq!(subscribe(&shell, "").await.len(), 2);
    let line = "subscribe 300000-000001 --as emergency --name live --stream --out live.ndjson";
    let mut streaming =
        shell.command(&line.split_whitespace().collect::<Vec<_>>()).spawn().expect("the command runs");
    shell.write("second.csv", "id,name\n3,c\n");
    shell.line("publish 300000-000001 second.csv --as stats").await;
    let grant = member(&shell.json("grant list --as emergency").await, "/0/id");
    let grant = grant.parse().expect("an id");
    let acknowledged = async || {
        let page = app.app().store.subscriptions(grant, None, 10).await.expect("the store");
        let live = page.items.into_iter().find(|subscription| subscription.name == "live");
        live.is_some_and(|live| live.position.iter().sum::<i64>() == 3)
    };
    let all = async {
        while !acknowledged().await {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), all).await.expect("all of it is acknowledged");
    streaming.kill().await.expect("it ends");
    assert_eq!(shell.read("live.ndjson").lines().count(), 3);
    assert_eq!(subscribe(&shell, "--name live").await.len(), 0);
}

/// Fix and replay; a newer record of the key is asked about first.
async fn corrected_is_published(shell: &Shell, id: &str) {
    let replay = format!("quarantine replay {id} --file fixed.ndjson --as stats");
    shell.write("fixed.ndjson", "{\"id\":3,\"name\":\"c\"}\n{\"id\":5,\"name\":\"e\"}\n");
    let two = shell.refused(&replay, 1).await;
    assert!(two.contains("the one corrected record"), "{two}");
    shell.write("newer.ndjson", "{\"id\":3,\"name\":\"new\"}\n");
    shell.line("publish 300000-000001 newer.ndjson --as stats").await;
    shell.write("fixed.ndjson", "{\"id\":3,\"name\":\"c\"}\n");
    let newer = shell.refused(&replay, 1).await;
    assert!(newer.contains("newer_record") && newer.contains("--force"), "{newer}");
    let said = shell.line(&format!("{replay} --force")).await;
    assert!(said.contains("is published"), "{said}");
    let again = shell.json(&format!("{replay} --force")).await;
    assert_eq!(again["replayed"], true, "once however often it is asked");
    shell.write("fixed.ndjson", "{\"id\":3,\"name\":\"other\"}\n");
    let decided = shell.refused(&format!("{replay} --force"), 1).await;
    assert!(decided.contains("invalid_state"), "{decided}");
}

async fn bad_records_are_named_by_their_place_in_the_file_or_set_aside(app: &TestApp) {
    let shell = world(app).await;
    shell.write("bad.csv", "id,name\n1,a\n2,b\n3,too long a name\n4,d\n");
    let refused = shell.refused("publish 300000-000001 bad.csv --batch 2 --as stats", 1).await;
    assert!(refused.contains("records_invalid") && refused.contains("[2] name"), "{refused}");
    assert!(refused.contains("2 records before"), "{refused}");
    let quarantine = "publish 300000-000001 bad.csv --batch 2 --on-invalid quarantine --as stats";
    let said = shell.line(quarantine).await;
    assert!(said.contains("3 records published") && said.contains("1 set aside"), "{said}");
    let header = shell.refused("publish 300000-000001 people.toml --format csv --as stats", 1).await;
    assert!(header.contains("is no item of the resource"), "{header}");

    shell.write("cut.csv", "id,name\n8,h\n9,\"i");
    let cut = shell.refused("publish 300000-000001 cut.csv --as stats", 1).await;
    assert!(cut.contains("never closed"), "{cut}");

    let listed = shell.json("quarantine list 300000-000001 --as stats").await;
    let id = member(&listed, "/0/id");
    let shown = shell.line(&format!("quarantine show {id} --as stats")).await;
    assert!(shown.contains("too long a name"), "{shown}");
    assert!(shown.contains("原因") && shown.contains("reason") && shown.contains("name"), "{shown}");
    shell.refused(&format!("quarantine replay {id} --as stats"), 1).await;
    corrected_is_published(&shell, &id).await;
    shell.line("publish 300000-000001 bad.csv --on-invalid quarantine --again --as stats").await;
    let listed = shell.json("quarantine list 300000-000001 --state waiting --as stats").await;
    shell.line(&format!("quarantine discard {} --as stats", member(&listed, "/0/id"))).await;
    shell.write("bad.avro", container(&[b"\x10\x02h", b"\x12\x1ctoo long again", b"\x14\x02j"]));
    let refused = shell.refused("publish 300000-000001 bad.avro --batch 1 --as stats", 1).await;
    assert!(refused.contains("[1] name") && refused.contains("1 record before"), "{refused}");
    shell.line("publish 300000-000001 bad.avro --on-invalid quarantine --as stats").await;
    let listed = shell.json("quarantine list 300000-000001 --state waiting --as stats").await;
    let id = member(&listed, "/0/id");
    let shown = shell.json(&format!("quarantine show {id} --as stats")).await;
    assert_eq!(member(&shown, "/record"), r#"{"id":9,"name":"too long again"}"#);
    shell.refused(&format!("quarantine replay {id} --as stats"), 1).await;
    shell.line(&format!("quarantine discard {id} --as stats")).await;
    let waiting = shell.json("quarantine list 300000-000001 --state waiting --as stats").await;
    assert_eq!(waiting, serde_json::json!([]));

    let auditor = shell.json("account add authority auditor --roles auditor").await;
    let issue = format!("key issue {} --roles auditor --profile auditor", member(&auditor, "/id"));
    shell.line(&issue).await;
    shell.refused("audit list --as stats", 1).await;
    let events = shell.json("audit list --code publish --as auditor").await;
    assert_eq!(
        events.as_array().expect("a list").len(),
        8,
        "three requests, a newer record, a replay, the file again, and two of a container file"
    );
    assert_eq!(shell.json("audit list --limit 2 --as auditor").await.as_array().expect("a list").len(), 2);
    shell.line("audit export --out events.ndjson --resource 300000-000001 --as auditor").await;
    let exported = shell.read("events.ndjson");
    assert!(exported.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
    assert!(exported.contains("\"resource.published\"") && exported.contains("\"quarantine.discarded\""));
}

async fn small_things_are_said_as_they_are(app: &TestApp) {
    let shell = world(app).await;
    shell.write("one.csv", "id,name\n1,a\n");
    let said = shell.line("publish 300000-000001 one.csv --as stats").await;
    assert!(said.contains("1 record published"), "{said}");
    for (file, content) in [("empty.csv", ""), ("header.csv", "id,name\n"), ("empty.ndjson", "\n")] {
        shell.write(file, content);
        let refused = shell.refused(&format!("publish 300000-000001 {file} --as stats"), 1).await;
        assert!(refused.contains(&format!("{file} holds no record")), "{refused}");
    }
    shell.write("gbk.csv", b"id,name\n2,\xc3\xfb\n");
    let refused = shell.refused("publish 300000-000001 gbk.csv --as stats", 1).await;
    assert!(refused.contains("line 2") && refused.contains("--encoding gb18030"), "{refused}");
    shell.line("publish 300000-000001 gbk.csv --encoding gb18030 --as stats").await;

    let rows: String = (10..5000).map(|id| format!("{id},x\n")).collect();
    shell.write("many.csv", format!("id,name\n{rows}"));
    shell.line("publish 300000-000001 many.csv --as stats").await;
    assert_eq!(subscribe(&shell, "--name all").await.len(), 4992);
    // Whoever takes only the first line has what it wanted.
    for line in ["subscribe 300000-000001 --as emergency --name first", "resource list --as stats"] {
        let mut command = shell.command(&line.split_whitespace().collect::<Vec<_>>());
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().await.expect("its end");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && !said.contains("roken pipe"),
            "{line}: {:?} {said}",
            output.status
        );
    }
}
