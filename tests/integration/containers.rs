//! Container files of other makers in: fastavro (Python) and Apache Avro's command line (Java) write what we take, field
//! by field.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::shell::project;
use crate::support::{Reply, TestApp, World, engine, on_both_pairs};

on_both_pairs!(fastavro_writes_what_we_take, java_writes_what_we_take);

/// A table of every type.
fn every_type() -> Value {
    let item = |name: &str, kind: &str, more: Value| {
        let mut item =
            json!({ "name": name, "title": format!("项{name}"), "type": kind, "nullable": name != "id" });
        item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        item
    };
    json!({
        "class": "3070220602", "title": "各类信息项", "provider": "meteorology", "kind": "table",
        "share_type": "unconditional", "share_scope": "应急部门", "update_cycle": "hourly", "key": ["id"],
        "items": [
            item("id", "C", json!({ "length": 20 })),
            item("n", "I", json!({})),
            item("money", "Y", json!({ "precision": 12, "scale": 2 })),
            item("day", "D", json!({})),
            item("at", "T", json!({})),
            item("flag", "L", json!({})),
            item("raw", "G", json!({})),
            item("ratio", "B", json!({})),
            item("small", "F", json!({})),
            item("note", "M", json!({})),
        ],
    })
}

/// What the files hold, as an owner reads it back.
fn rows() -> Vec<Value> {
    vec![
        json!({ "id": "甲", "n": -7, "money": "123.45", "day": "2013-01-31", "at": "2013-01-01T10:00:00.120Z",
            "flag": true, "raw": "AP8=", "ratio": 0.25, "small": 0.5, "note": "一\"二\n" }),
        json!({ "id": "乙", "n": 2_000_000_000, "money": "-0.05", "day": "1969-12-31",
            "at": "1969-12-31T23:59:59.999Z", "flag": false, "raw": "", "ratio": -0.5, "small": -1.5, "note": null }),
    ]
}

/// A schema of their own: another order, other names, promotions, unions the other way round, a field too many.
const FOREIGN: &str = r#"{"type":"record","name":"Row","namespace":"cn.example.gov","doc":"他处的模式","fields":[
  {"name":"flag","type":"boolean"},
  {"name":"n","type":"int"},
  {"name":"note","type":["string","null"]},
  {"name":"extra","type":["null","string"],"default":null},
  {"name":"ratio","type":"float"},
  {"name":"small","type":"float"},
  {"name":"money","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}},
  {"name":"day","type":["null",{"type":"int","logicalType":"date"}]},
  {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
  {"name":"raw","type":"bytes"},
  {"name":"id","type":"string"}]}"#;

/// Runs a command with this input; what it prints.
fn output(command: &mut Command, input: &str) -> Vec<u8> {
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.expect("the command starts");
    child.stdin.take().expect("its input").write_all(input.as_bytes()).expect("it reads");
    let done = child.wait_with_output().expect("it ends");
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}

fn fastavro(folder: &str, arguments: &[&Path], input: &str) -> String {
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", folder).env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUTF8", "1");
    let printed = output(command.arg(project("tests/avro/files.py")).args(arguments), input);
    String::from_utf8(printed).expect("UTF-8")
}

fn java(jar: &str, arguments: &[&Path]) -> Vec<u8> {
    let mut command = Command::new("java");
    output(command.args(["-Xmx128m", "-Dfile.encoding=UTF-8", "-jar", jar]).args(arguments), "")
}

/// Publishes the file and reads the resource back.
async fn published(world: &World, code: &str, file: Vec<u8>) -> Vec<Value> {
    let path = format!("/api/v1/resources/{code}/records");
    let request = world.provider.integrator.request("post", &path).header("content-type", "application/avro");
    Reply::of(request.body(file)).await.expect(200);
    let mut records: Vec<Value> = world
        .provider
        .integrator
        .get(&path)
        .await
        .lines()
        .into_iter()
        .filter_map(|mut line| line.get_mut("record").map(Value::take))
        .collect();
    records.sort_by_key(|record| record["n"].as_i64());
    records
}

async fn fastavro_writes_what_we_take(app: &TestApp) {
    let Some(folder) = engine("fastavro", "CHANGTONG_TEST_FASTAVRO") else { return };
    let world = World::of(app).await;
    let work = tempfile::tempdir().unwrap();
    let (schema, out) = (work.path().join("row.avsc"), work.path().join("rows.avro"));
    fs::write(&schema, FOREIGN).unwrap();
    let lines: String = rows().iter().map(|row| format!("{row}\n")).collect();
    for codec in ["null", "deflate"] {
        let code = world.entry(every_type()).await;
        fastavro(&folder, &[Path::new("write"), &schema, Path::new(codec), &out], &lines);
        assert_eq!(published(&world, &code, fs::read(&out).unwrap()).await, rows(), "{codec}");
    }
}

async fn java_writes_what_we_take(app: &TestApp) {
    let Some(jar) = engine("avro-tools", "CHANGTONG_TEST_AVRO_TOOLS") else { return };
    let world = World::of(app).await;
    let work = tempfile::tempdir().unwrap();
    let (schema, input) = (work.path().join("row.avsc"), work.path().join("rows.json"));
    fs::write(&schema, FOREIGN).unwrap();
    // Avro's own JSON: unions say their branch, bytes are Latin-1, dates and times numbers.
    let first = json!({ "flag": true, "n": -7, "note": { "string": "一\"二\n" }, "extra": { "string": "x" },
        "ratio": 0.25, "small": 0.5, "money": "09", "day": { "int": 15_736 }, "at": 1_357_034_400_120_i64,
        "raw": "\u{0}\u{ff}", "id": "甲" });
    let second = json!({ "flag": false, "n": 2_000_000_000, "note": null, "extra": null, "ratio": -0.5, "small": -1.5,
        "money": "\u{fb}", "day": { "int": -1 }, "at": -1, "raw": "", "id": "乙" });
    fs::write(&input, format!("{first}\n{second}\n")).unwrap();
    for codec in ["null", "deflate"] {
        let code = world.entry(every_type()).await;
        let file = java(
            &jar,
            &[
                Path::new("fromjson"),
                Path::new("--schema-file"),
                &schema,
                Path::new("--codec"),
                Path::new(codec),
                &input,
            ],
        );
        assert_eq!(published(&world, &code, file).await, rows(), "{codec}");
    }
}
