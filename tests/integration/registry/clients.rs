//! Clients that others wrote, unmodified, each a small program of tests/registry against a real server: what they ask
//! for and what they do with the answers is theirs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;

use apache_avro::types::Value as Datum;
use schema_registry_converter::async_impl::avro::{AvroDecoder, AvroEncoder};
use schema_registry_converter::async_impl::schema_registry::{
    SrSettings, get_all_subjects, get_all_versions, get_schema_by_guid, get_schema_by_id,
    get_schema_by_subject, is_compatible_schema, post_schema,
};
use schema_registry_converter::schema_registry_common::{
    SchemaType, SubjectNameStrategy, SuppliedReference, SuppliedSchema,
};
use serde_json::{Value, json};
use tokio::process::Command;

use super::{one, two, wrong};
use crate::shell::project;
use crate::support::{Pair, TestApp, World, engine, kafka, on_both_pairs, resource_file};

on_both_pairs!(node_uses_the_registry, go_uses_the_registry, rust_uses_the_registry);

/// The whole surface of its client, against a server for development, which asks no credentials.
async fn python_uses_the_registry(pair: Pair) {
    let Some(folder) = engine("registry-python", "CHANGTONG_TEST_REGISTRY_PYTHON") else { return };
    let Some(app) = TestApp::start_as(pair, &[], true).await else { return };
    let url = format!("http://{}", app.registry);
    let mut python = program("python3", &["tests/registry/python/surface.py", &url]);
    said(python.env("PYTHONPATH", folder), "python: all as it should be").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_uses_the_registry_on_embedded_engines() {
    python_uses_the_registry(Pair::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_uses_the_registry_on_production_engines() {
    python_uses_the_registry(Pair::Production).await;
}

async fn node_uses_the_registry(app: &TestApp) {
    let Some(folder) = engine("registry-node", "CHANGTONG_TEST_REGISTRY_NODE") else { return };
    let world = World::of(app).await;
    let user = format!("integrator:{}", world.provider.integrator.key());
    let url = format!("http://{}/registry", app.api);
    let steward = format!("operator:{}", world.operator.key());
    let mut node = program("node", &["tests/registry/node/client.js", &url, &user, &steward]);
    let modules = PathBuf::from(folder).join("node_modules");
    said(node.env("NODE_PATH", modules), "node: all as it should be").await;
}

async fn go_uses_the_registry(app: &TestApp) {
    let Some(folder) = engine("registry-go", "CHANGTONG_TEST_REGISTRY_GO") else { return };
    let url = format!("http://{}", app.registry);
    let mut go = program("go", &["run", ".", &url, "authority", &app.authority]);
    go.current_dir(project("tests/registry/go"))
        .env("GOMODCACHE", format!("{folder}/modules"))
        .env("GOCACHE", format!("{folder}/build"))
        .env("GOPROXY", "off")
        .env("GOFLAGS", "-mod=readonly")
        .env("GOTOOLCHAIN", "local");
    said(&mut go, "go: all as it should be").await;
}

async fn rust_uses_the_registry(app: &TestApp) {
    let world = World::of(app).await;
    let mut settings = SrSettings::new_builder(format!("http://{}", app.registry));
    settings.no_proxy().set_basic_authorization("integrator", Some(world.provider.integrator.key()));
    let settings = settings.build().expect("settings");
    let supplied = |body: Value| {
        let text = body["schema"].as_str().expect("a schema").to_owned();
        SuppliedSchema::new(Some("weather.Observation".to_owned()), SchemaType::Avro, text)
    };
    let subject = || "rust-value".to_owned();
    let first = post_schema(&settings, subject(), supplied(one())).await.expect("it registers");
    let second = post_schema(&settings, subject(), supplied(two())).await.expect("it registers");
    assert_ne!(first.id, second.id);
    post_schema(&settings, subject(), supplied(wrong())).await.expect_err("it is incompatible");
    assert!(!is_compatible_schema(&settings, subject(), supplied(wrong())).await.expect("an answer"));
    assert!(is_compatible_schema(&settings, subject(), supplied(two())).await.expect("an answer"));
    let found = get_schema_by_id(first.id, &settings).await.expect("by id");
    assert_eq!(found.schema, one()["schema"].as_str().expect("a schema"));
    let guid = second.guid.clone().expect("a guid");
    assert_eq!(get_schema_by_guid(&guid, &settings).await.expect("by guid").schema, second.schema);
    assert!(get_all_subjects(&settings).await.expect("subjects").contains(&subject()));
    assert_eq!(get_all_versions(&settings, subject()).await.expect("versions"), [1, 2]);
    let nowhere = SubjectNameStrategy::TopicNameStrategy("nowhere".to_owned(), false);
    let error = get_schema_by_subject(&settings, &nowhere).await.expect_err("no such subject");
    assert!(format!("{error:?}").contains("Subject 'nowhere-value' not found."), "{error:?}");

    // A schema that refers to another is sent with it.
    let report = r#"{"type":"record","name":"Report","namespace":"weather","fields":[{"name":"of","type":"weather.Observation"}]}"#;
    let observation = "weather.Observation".to_owned();
    let reference = SuppliedReference::new(observation, subject(), second.schema.clone());
    let mut report =
        SuppliedSchema::new(Some("weather.Report".to_owned()), SchemaType::Avro, report.to_owned());
    report.references.push(reference);
    let report = post_schema(&settings, "rust-report".to_owned(), report).await.expect("it registers");
    assert_eq!(report.references[0].version, 2);

    // What a Rust program writes and reads.
    let topic = || SubjectNameStrategy::TopicNameStrategy("rust".to_owned(), false);
    let values = || vec![("station", Datum::String("JFK".to_owned())), ("temp", Datum::Null)];
    let bytes = AvroEncoder::new(settings.clone()).encode(values(), topic()).await.expect("bytes");
    assert_eq!(bytes[..5], [&[0][..], &second.id.to_be_bytes()].concat());
    let decoded = AvroDecoder::new(settings).decode(Some(&bytes)).await.expect("a record");
    let Datum::Record(fields) = decoded.value else { panic!("{:?} is no record", decoded.value) };
    assert_eq!(fields[0], ("station".to_owned(), Datum::String("JFK".to_owned())));
}

/// Station and hour → temperature.
type Rows = BTreeMap<(String, String), Option<String>>;

/// As an operator would look: whoever may read the broker finds what the gate published by the ids on the wire.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_and_java_read_what_the_gate_published() {
    let Some(brokers) = kafka() else { return };
    let Some(app) = TestApp::start(Pair::Production, &[]).await else { return };
    let world = World::of(&app).await;
    let code = world.entry(resource_file("unconditional")).await;
    let row = |hour: usize| {
        let temp = (!hour.is_multiple_of(3)).then(|| format!("{hour}.5"));
        json!({ "station": "JFK", "hour": hour, "temp": temp, "observer": "王小明" })
    };
    let lines: Vec<Value> = (0..20).map(row).collect();
    world.provider.integrator.publish(&code, &lines).await.expect(200);
    let expected: Rows = lines
        .iter()
        .map(|line| {
            let temp = line["temp"].as_str().map(str::to_owned);
            (("JFK".to_owned(), line["hour"].to_string()), temp)
        })
        .collect();

    let (key, url) = (world.provider.integrator.key(), format!("http://{}", app.registry));
    let subjects = app.registrant(key).get("/subjects").await.expect(200);
    let subjects = subjects.as_array().expect("subjects").iter().filter_map(Value::as_str);
    let topic = subjects.filter_map(|subject| subject.strip_suffix("-value")).next().expect("its topic");
    let (user, count) = (format!("integrator:{key}"), lines.len().to_string());
    let arguments = [&url, &user, &brokers, topic, &count];
    if let Some(folder) = engine("registry-python", "CHANGTONG_TEST_REGISTRY_PYTHON") {
        let mut python = program("python3", &["tests/registry/python/kafka.py"]);
        let told = said(python.args(arguments).env("PYTHONPATH", folder), "").await;
        assert_eq!(rows(&told), expected, "{told}");
    }
    let jars =
        (engine("avro-tools", "CHANGTONG_TEST_AVRO_TOOLS"), engine("kafka", "CHANGTONG_TEST_KAFKA_LIBS"));
    if let (Some(avro), Some(kafka)) = jars {
        let mut java =
            program("java", &["-cp", &format!("{kafka}/*:{avro}"), "tests/registry/java/Topic.java"]);
        let told = said(java.args(arguments), "").await;
        assert_eq!(rows(&told), expected, "{told}");
    }
    app.stop().await;
}

/// What our parser, rules and codec are held against was made by Java, and by nobody's hand since.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_java_says_is_what_java_said() {
    let Some(avro) = engine("avro-tools", "CHANGTONG_TEST_AVRO_TOOLS") else { return };
    let mut compare = program("bash", &["tests/scripts/schemas.sh", "compare"]);
    said(compare.env("CHANGTONG_TEST_AVRO_TOOLS", avro), "").await;
}

fn rows(told: &str) -> Rows {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(text(&line["key"]["hour"]), text(&line["value"]["hour"]), "{line}");
        assert_eq!(line["value"]["observer"], "王小明", "{line}");
        let temp = Some(&line["value"]["temp"]).filter(|temp| !temp.is_null()).map(text);
        ((text(&line["key"]["station"]), text(&line["key"]["hour"])), temp)
    };
    told.lines().map(line).collect()
}

fn program(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(arguments).current_dir(project("")).env("no_proxy", "127.0.0.1").stdin(Stdio::null());
    command
}

/// What it printed; it must end well, and its last line be that.
async fn said(program: &mut Command, last: &str) -> String {
    let output = program.output().await.unwrap_or_else(|error| panic!("{program:?}: {error}"));
    let (said, failed) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.trim_end().ends_with(last), "{program:?}: {said}{failed}");
    said.into_owned()
}
