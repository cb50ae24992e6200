//! Container files by command: looked at and made without a server, and at home on both of its sides.

use std::path::Path;
use std::process::Output;

use changtong_connectors::avro::container::{head, put_block};
use serde_json::{Value, json};
use tokio::process::Command;

use super::{agencies, published};
use crate::containers::fastavro;
use crate::shell::{PEOPLE, Shell, member};
use crate::support::{TestApp, engine, on_both_pairs};

on_both_pairs!(what_is_made_is_published_and_what_is_delivered_is_shown,);

const MARKER: [u8; 16] = *b"0123456789abcdef";
const FLAT: &str = r#"{"type":"record","name":"P","fields":[{"name":"id","type":"int"},
  {"name":"name","type":["null","string"]},{"name":"day","type":["null",{"type":"int","logicalType":"date"}]}]}"#;
const NAMED: &str = r#"
[[items]]
name = "name"
title = "姓名"
type = "C"
length = 8
nullable = true
[[items]]
name = "day"
title = "日期"
type = "D"
nullable = true
"#;
/// As fastavro has it too.
const NESTED: &str = r#"{"type":"record","name":"Report","fields":[{"name":"id","type":"long"},
  {"name":"places","type":{"type":"array","items":{"type":"record","name":"Place","fields":[
    {"name":"name","type":"string"},{"name":"tags","type":{"type":"map","values":["null","long"]}}]}}},
  {"name":"first","type":["null","Place"],"default":null},
  {"name":"kind","type":{"type":"enum","name":"Kind","symbols":["WIND","RAIN"]}},
  {"name":"money","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}},
  {"name":"day","type":["null",{"type":"int","logicalType":"date"}]},
  {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
  {"name":"raw","type":"bytes"}]}"#;
const REPORTS: &str = r#"{"id":1,"places":[{"name":"甲","tags":{"a":null,"b":-2}},{"name":"乙","tags":{}}],"first":{"name":"甲","tags":{}},"kind":"RAIN","money":"-0.05","day":"2013-01-31","at":"2013-01-01T10:00:00.120Z","raw":"AP8="}
{"id":9007199254740993,"places":[],"first":null,"kind":"WIND","money":"123.40","day":null,"at":"1969-12-31T23:59:59.999Z","raw":""}
"#;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// The same in an order that both sides have.
fn sorted(mut lines: Vec<Value>) -> Vec<Value> {
    lines.sort_by_key(|line| line["id"].to_string());
    lines
}

async fn what_is_made_is_published_and_what_is_delivered_is_shown(app: &TestApp) {
    let shell = Shell::of(app);
    agencies(&shell).await;
    let stream = PEOPLE.replace("\"table\"", "\"stream\"").replace("key = [\"id\"]\n", "");
    shell.write("people.toml", format!("{stream}{NAMED}"));
    let code = published(&shell, "people.toml").await;
    shell.write("p.avsc", FLAT);
    let rows = "{\"id\":1,\"name\":\"甲\",\"day\":\"2026-01-31\"}\n{\"id\":2}\n{\"id\":3,\"name\":\"\",\"day\":null}\n";
    shell.write("p.ndjson", rows);
    for codec in ["null", "deflate"] {
        shell.line(&format!("avro write --schema p.avsc p.ndjson --out {codec}.avro --codec {codec}")).await;
        let said = shell.line(&format!("publish {code} {codec}.avro --as stats")).await;
        assert!(said.contains("3 records published"), "{said}");
    }
    let asked = format!("subscribe {code} --as emergency");
    let waits = shell.run(&asked.split(' ').collect::<Vec<_>>()).await;
    assert!(waits.err.contains("four_eyes"), "{}", waits.err);
    let id = member(&shell.json("request list --as emergency").await, "/0/id");
    shell.line(&format!("request submit {id} --as emergency-head")).await;
    let as_lines = sorted(lines(&shell.line(&asked).await));
    assert_eq!(as_lines.len(), 6);
    shell.line(&format!("{asked} --name files --format avro --out got")).await;
    let mut shown = Vec::new();
    for file in std::fs::read_dir(shell.path("got/0001-new")).expect("its files") {
        let file = file.expect("a file").path();
        let printed = shell.done(&["avro", "show", file.to_str().expect("a path")]).await;
        shown.extend(lines(&printed));
        let schema = shell.done(&["avro", "show", "--schema", file.to_str().expect("a path")]).await;
        assert!(schema.starts_with("{\n  \"type\": \"record\",\n  \"name\": \"Delivered\""), "{schema}");
    }
    assert_eq!(sorted(shown), as_lines, "a stream has no handle, and so the very same lines");
}

#[tokio::test]
async fn any_schema_is_made_and_shown_as_others_do() {
    let shell = Shell::new();
    shell.write("n.avsc", NESTED);
    shell.write("n.ndjson", REPORTS);
    for codec in ["null", "deflate"] {
        let said =
            shell.line(&format!("avro write --schema n.avsc n.ndjson -o {codec}.avro --codec {codec}")).await;
        assert_eq!(said, format!("{codec}.avro: 2 records written\n"));
        assert_eq!(shell.line(&format!("avro show {codec}.avro")).await, REPORTS);
        let first = REPORTS.lines().next().expect("a line");
        assert_eq!(shell.line(&format!("avro show {codec}.avro --limit 1")).await, format!("{first}\n"));
    }
    let Some(folder) = engine("fastavro", "CHANGTONG_TEST_FASTAVRO") else { return };
    let (schema, theirs) = (shell.path("n.avsc"), shell.path("theirs.avro"));
    for codec in ["null", "deflate"] {
        fastavro(&folder, &[Path::new("write"), &schema, Path::new(codec), &theirs], REPORTS);
        assert_eq!(shell.line("avro show theirs.avro").await, REPORTS, "{codec}");
        let ours = fastavro(&folder, &[Path::new("read"), &shell.path(&format!("{codec}.avro"))], "");
        assert_eq!(lines(&ours), lines(REPORTS), "{codec}");
    }
}

#[tokio::test]
async fn what_does_not_fit_is_named_and_leaves_no_file() {
    let shell = Shell::new();
    shell.write("p.avsc", FLAT);
    shell.write("p.ndjson", "{\"id\":1}\n{\"id\":\"2\"}\n\n{\"id\":3,\"day\":\"2026-02-30\"}\nnone\n");
    let command = "avro write --schema p.avsc p.ndjson --out p.avro";
    let refused = shell.refused(command, 1).await;
    assert!(refused.contains("records_invalid: 3 lines do not fit the schema"), "{refused}");
    for said in ["line 2 id: it is no int", "line 4 day: it is no date", "line 5: it is no line of JSON"] {
        assert!(refused.contains(said), "{said}: {refused}");
    }
    assert!(!shell.path("p.avro").exists());
    let words: Vec<_> = command.split(' ').collect();
    let output = shell.command(&words).env("LANG", "zh_CN.UTF-8").output().await.expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("有 3 行不符合模式") && said.contains("第 2 行 id:不是 int"), "{said}");

    shell.write("p.avro", "mine");
    shell.write("p.ndjson", "{\"id\":1}\n");
    let there = shell.refused(command, 1).await;
    assert!(there.contains("p.avro: it is there already"), "{there}");
    assert_eq!(shell.read("p.avro"), "mine");
    shell.write("no.avsc", "{\"type\":\"record\"}");
    let schema = shell.refused("avro write --schema no.avsc p.ndjson --out q.avro", 1).await;
    assert!(schema.contains("schema_rejected") && !shell.path("q.avro").exists(), "{schema}");
    shell.refused("avro write p.ndjson --out q.avro", 2).await;
    shell.refused("avro show p.avro --schema --limit 1", 2).await;
    let none = shell.refused("avro show none.avro", 1).await;
    assert!(none.contains("none.avro"), "{none}");
}

/// Within so much of address space, which a bomb that is believed takes many times over.
const MOST_KIB: u64 = 512 << 10;

async fn show_within(shell: &Shell, file: &str) -> Output {
    let program = shell.command(&[""]).as_std().get_program().to_owned();
    let mut command = Command::new("sh");
    let limited = format!("ulimit -v {MOST_KIB} && exec \"$0\" avro show \"$1\"");
    command.args(["-c", &limited]).arg(program).arg(shell.path(file)).env_clear().env("LANG", "en");
    command.output().await.expect("it runs")
}

#[tokio::test]
async fn bombs_are_refused_by_name_in_bounded_memory() {
    let shell = Shell::new();
    let file = |schema: &str, records: u64, data: &[u8]| {
        let mut file = head(schema.as_bytes(), MARKER);
        put_block(records, data, MARKER, &mut file);
        file
    };
    let recursive = r#"{"type":"record","name":"R","fields":[{"name":"next","type":["null","R"]}]}"#;
    let array = |items: &str| format!(r#"{{"type":"array","items":{items}}}"#);
    let fields: Vec<_> = (0..1000).map(|n| json!({"name": format!("f{n}"), "type": "null"})).collect();
    let wide = json!({"type": "record", "name": "W", "fields": fields}).to_string();
    let good = file("\"string\"", 1, b"\x04ab");
    // 2^30 elements; and 65,536 of them, each of a thousand values.
    let (very_many, many) = ([0x80, 0x80, 0x80, 0x80, 0x08, 0], [0x80, 0x80, 0x08, 0]);
    // Eight MiB of zeros, as the other command makes them.
    shell.write("bytes.avsc", "\"bytes\"");
    shell.write("zeros.ndjson", format!("\"{}\"", "AAAA".repeat(8 << 18)));
    shell.line("avro write --schema bytes.avsc zeros.ndjson --out zeros --codec deflate").await;
    let thousandfold = std::fs::read(shell.path("zeros")).expect("a file");
    let bombs = [
        ("recursive", file(recursive, 1, &[2; 501]), "schema_rejected", "recursive"),
        ("nulls", file(&array("\"null\""), 1, &very_many), "record_undecodable", "too many elements"),
        ("longs", file(&array("\"long\""), 1, &very_many), "record_undecodable", "ends behind its block"),
        ("wide", file(&array(&wide), 1, &many), "record_too_large", "64 MiB of memory"),
        ("empty", file("\"null\"", 1 << 60, b""), "bad_request", "take no bytes"),
        ("cut", good[..good.len() - 1].to_vec(), "bad_request", "not complete"),
        ("text", b"id,name\n".to_vec(), "bad_request", "no Avro object container file"),
        ("inflated", thousandfold, "decompressed_too_large", "100 times"),
    ];
    assert!(bombs[1].1.len() < 150, "a few bytes are enough");
    for (name, bomb, code, said) in bombs {
        shell.write(name, bomb);
        let output = show_within(&shell, name).await;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{name}: {:?} {told}", output.status);
        assert!(told.contains(&format!("changtong: {code}: ")) && told.contains(said), "{name}: {told}");
        assert!(output.stdout.is_empty(), "{name}");
    }
    shell.write("good", good);
    let output = show_within(&shell, "good").await;
    assert_eq!(String::from_utf8_lossy(&output.stdout), "\"ab\"\n", "the bound is none for what is good");
}
