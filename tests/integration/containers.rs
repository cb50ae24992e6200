//! Container files beside other makers: fastavro (Python) and Apache Avro's command line (Java) write what we take and
//! read what we deliver, field by field.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::shell::{Shell, project};
use crate::support::{RESOURCE, Reply, TestApp, World, engine, on_both_pairs};

on_both_pairs!(
    fastavro_writes_what_we_take,
    java_writes_what_we_take,
    python_and_java_read_what_we_deliver,
    a_folder_of_files_holds_what_lines_would_say,
    an_owner_reads_its_own_as_files,
);

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
            item("note", "M", json!({ "mask": "name" })),
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

pub fn fastavro(folder: &str, arguments: &[&Path], input: &str) -> String {
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

/// What the consumer reads of the resource from its start, whatever was read before.
async fn delivered(world: &World, subscription: &str, accept: &'static str) -> (HeaderMap, Vec<u8>) {
    let path = format!("/api/v1/subscriptions/{subscription}/records");
    let asked = world.consumer.integrator.request("get", &path).header("accept", accept);
    let answer = asked.send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    (answer.headers().clone(), answer.bytes().await.expect("the whole answer").to_vec())
}

/// Publishes the rows and deletes the second again; a subscription that is granted all items, the note masked.
async fn granted(world: &World) -> String {
    let code = world.entry(every_type()).await;
    world.provider.integrator.publish(&code, &rows()).await.expect(200);
    world.provider.integrator.publish(&code, &[json!({ "$op": "delete", "id": "乙" })]).await.expect(200);
    let names =
        every_type()["items"].as_array().unwrap().iter().map(|item| item["name"].clone()).collect::<Vec<_>>();
    let (_, request) = world
        .request(json!({
            "resource": code, "consumer": "emergency", "purposes": [{ "code": "storm", "text": "暴雨应急" }],
            "basis": "突发事件应对职责", "history": "all", "items": names,
            "consented_by": { "office": "应急局办公室", "document": "应急函〔2026〕1号" }, "valid_until": "2090-12-31",
        }))
        .await;
    world.subscribe(request["grant"].as_str().expect("a grant"), "files").await
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).unwrap_or_else(|| panic!("{name} in {headers:?}")).to_str().unwrap()
}

async fn python_and_java_read_what_we_deliver(app: &TestApp) {
    let world = World::of(app).await;
    let subscription = granted(&world).await;
    let (_, text) = delivered(&world, &subscription, "application/x-ndjson").await;
    let mut lines: Vec<Value> =
        String::from_utf8(text).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let end = lines.pop().expect("a last line");
    assert_eq!(lines.len(), 3);
    // Nothing is promised across partitions.
    lines.sort_by_key(id);

    let (headers, file) = delivered(&world, &subscription, "application/avro").await;
    assert_eq!(header(&headers, "content-type"), "application/avro");
    assert_eq!(header(&headers, "content-length"), file.len().to_string());
    assert_eq!(header(&headers, "changtong-next"), end["next"]);
    let digest: String = Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(header(&headers, "changtong-digest"), digest, "a window of its own: its digest is the file's");
    assert_ne!(header(&headers, "changtong-window"), end["window"]);

    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("delivered.avro");
    fs::write(&path, &file).unwrap();
    if let Some(folder) = engine("fastavro", "CHANGTONG_TEST_FASTAVRO") {
        let read = fastavro(&folder, &[Path::new("read"), &path], "");
        let mut read: Vec<Value> = read.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        read.sort_by_key(id);
        let wanted: Vec<Value> = lines.iter().map(as_file).collect();
        assert_eq!(read, wanted);
    }
    if let Some(jar) = engine("avro-tools", "CHANGTONG_TEST_AVRO_TOOLS") {
        let read = String::from_utf8(java(&jar, &[Path::new("tojson"), &path])).unwrap();
        let mut read: Vec<Value> = read.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        read.sort_by_key(id);
        for (found, line) in read.iter_mut().zip(&lines) {
            assert_eq!((&found["id"], &found["op"]), (&line["id"], &line["op"]));
            let record = found["record"].as_object_mut().and_then(|union| union.values_mut().next());
            let wanted = avro_json(line["record"]["n"].as_i64(), &line["record"]["note"]);
            assert_eq!(record.map_or(Value::Null, |record| record.take()), wanted);
        }
        assert_eq!(read.len(), lines.len());
    }

    // What was received is acknowledged with what the headers said; then a file has no record.
    let acks = format!("/api/v1/subscriptions/{subscription}/acks");
    let said = json!({ "next": header(&headers, "changtong-next"), "window": header(&headers, "changtong-window"),
        "digest": digest });
    world.consumer.integrator.post(&acks, said).await.expect(204);
    let (headers, file) = delivered(&world, &subscription, "application/avro").await;
    assert_eq!(header(&headers, "changtong-next"), end["next"]);
    assert!(headers.get("changtong-window").is_none() && headers.get("changtong-digest").is_none());
    fs::write(&path, &file).unwrap();
    if let Some(folder) = engine("fastavro", "CHANGTONG_TEST_FASTAVRO") {
        assert_eq!(fastavro(&folder, &[Path::new("read"), &path], ""), "");
    }
}

async fn a_folder_of_files_holds_what_lines_would_say(app: &TestApp) {
    let Some(folder) = engine("fastavro", "CHANGTONG_TEST_FASTAVRO") else { return };
    let world = World::of(app).await;
    let subscription = granted(&world).await;
    let shell = Shell::new();
    let asked = format!(
        "subscribe {RESOURCE} --name folder --url http://{} --key {} --format avro",
        app.api,
        world.consumer.integrator.key()
    );
    let names = |folder: &str| {
        let listed = fs::read_dir(shell.path(folder)).unwrap();
        let mut paths: Vec<_> = listed.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    };
    let read = |view: &str| {
        let files = names(&format!("got/{view}"));
        let lines = files.iter().map(|file| fastavro(&folder, &[Path::new("read"), file], ""));
        let mut records: Vec<Value> =
            lines.collect::<String>().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        records.sort_by_key(id);
        (files.len(), records)
    };
    shell.line(&format!("{asked} --out got")).await;
    let (files, records) = read("0001-new");
    let (_, text) = delivered(&world, &subscription, "application/x-ndjson").await;
    let text = String::from_utf8(text).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut wanted: Vec<Value> =
        lines.filter(|line| line["id"].is_string()).map(|line| as_file(&line)).collect();
    wanted.sort_by_key(id);
    assert_eq!(records, wanted);
    // What is in them was acknowledged.
    shell.line(&format!("{asked} --out got")).await;
    assert_eq!(read("0001-new"), (files, records.clone()));
    // Another generation is another view, whose files lie beside; who comes back goes on in them.
    let path = format!("/api/v1/resources/{RESOURCE}/new-generation");
    world.provider.reviewer.post(&path, json!({})).await.expect(200);
    shell.line(&format!("{asked} --out got")).await;
    let (files, anew) = read("0002-new");
    assert_eq!(anew.len(), records.len());
    assert!(anew.iter().all(|record| record["id"].as_str().unwrap().starts_with("2.")), "{anew:?}");
    shell.line(&format!("{asked} --out got")).await;
    assert_eq!(read("0002-new"), (files, anew));
    assert_eq!(names("got"), ["0001-new", "0002-new"].map(|view| shell.path("got").join(view)));
    assert!(shell.refused(&asked, 2).await.contains("--out FOLDER"));
    assert!(shell.refused(&format!("{asked} --out got --stream"), 2).await.contains("--stream"));
}

/// What an owner reads as lines it may have as a file, page by page.
async fn an_owner_reads_its_own_as_files(app: &TestApp) {
    let Some(folder) = engine("fastavro", "CHANGTONG_TEST_FASTAVRO") else { return };
    let world = World::of(app).await;
    let code = world.entry(every_type()).await;
    let work = tempfile::tempdir().unwrap();
    let owner = &world.provider.integrator;
    let path = format!("/api/v1/resources/{code}/records");
    let read = async |query: &str| {
        let asked =
            owner.request("get", &format!("{path}?limit=2{query}")).header("accept", "application/avro");
        let answer = asked.send().await.expect("an answer");
        assert_eq!(
            (answer.status().as_u16(), header(answer.headers(), "content-type")),
            (200, "application/avro")
        );
        let next = header(answer.headers(), "changtong-next").to_owned();
        let file = work.path().join("own.avro");
        fs::write(&file, answer.bytes().await.expect("a file")).unwrap();
        let lines = fastavro(&folder, &[Path::new("read"), &file], "");
        let records = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        (next, records.collect::<Vec<_>>())
    };
    assert!(read("").await.1.is_empty(), "before the first publish");
    owner.publish(&code, &rows()).await.expect(200);
    owner.publish(&code, &[json!({ "$op": "delete", "id": "乙" })]).await.expect(200);
    let (mut cursor, mut records) = (String::new(), Vec::new());
    for expected in [2, 1, 0] {
        let (next, page) = read(&cursor).await;
        assert_eq!(page.len(), expected);
        records.extend(page);
        cursor = format!("&cursor={next}");
    }
    let mut held: Vec<Value> =
        records.iter().map(|line| line["record"].clone()).filter(|record| !record.is_null()).collect();
    held.sort_by_key(|record| record["n"].as_i64());
    assert_eq!(held, rows());
    let gone = records.iter().find(|line| line["op"] == "delete").expect("a delete");
    let named = records.iter().find(|line| line["record"]["id"] == "乙").expect("its row");
    assert_eq!((&gone["k"], &gone["record"]), (&named["k"], &Value::Null), "the handle says which row");
    let stream = owner.request("get", &path).header("accept", "text/event-stream");
    let refused = Reply::of(stream).await;
    assert_eq!((refused.status, refused.code().as_str()), (406, "not_acceptable"));
}

fn id(record: &Value) -> String {
    record["id"].as_str().expect("an id").to_owned()
}

/// A line as fastavro has it: `k` in plain base64, a delete with a null record.
fn as_file(line: &Value) -> Value {
    let mut line = line.clone();
    let handle = URL_SAFE_NO_PAD.decode(line["k"].as_str().unwrap()).unwrap();
    line["k"] = STANDARD.encode(handle).into();
    if line["op"] == "delete" {
        line["record"] = Value::Null;
    }
    line
}

/// The row of that number as Avro's own JSON has it.
fn avro_json(n: Option<i64>, note: &Value) -> Value {
    let note = note.as_str().map_or(Value::Null, |note| json!({ "string": note }));
    match n {
        None => Value::Null,
        Some(-7) => {
            json!({ "id": "甲", "n": { "long": -7 }, "money": { "bytes": "09" }, "day": { "int": 15_736 },
            "at": { "long": 1_357_034_400_120_i64 }, "flag": { "boolean": true }, "raw": { "bytes": "\u{0}\u{ff}" },
            "ratio": { "double": 0.25 }, "small": { "float": 0.5 }, "note": note })
        }
        Some(_) => json!({ "id": "乙", "n": { "long": 2_000_000_000 }, "money": { "bytes": "\u{fb}" },
            "day": { "int": -1 }, "at": { "long": -1 }, "flag": { "boolean": false }, "raw": { "bytes": "" },
            "ratio": { "double": -0.5 }, "small": { "float": -1.5 }, "note": note }),
    }
}
