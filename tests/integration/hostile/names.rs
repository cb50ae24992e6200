//! Cases 7 and 8: what is written where a name or a header belongs and is none.

use changtong_catalog::ports::Directory as _;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::scene::{Scene, in_chinese, observation, refused, said_in_chinese};
use crate::support::{Pair, Reply, TestApp, on_both_pairs, resource_file};

on_both_pairs!(a_code_never_becomes_a_topic);

/// What looks like a way out of the names that are meant.
const NAMES: [&str; 10] = [
    "../x",
    "..",
    "__consumer_offsets",
    "a.b",
    "a_b/../c",
    "ct.r.1",
    "3070220602\u{0}",
    "３０７０２２０６０２",
    "资源",
    "30702206023070220602307022060230702206023070220602307022060230702206023070220602307022060230702206023070\
     2206023070220602307022060230702206023070220602307022060230702206023070220602307022060230702206023070220602\
     30702206023070220602307022060230702206023070220602",
];

async fn a_code_never_becomes_a_topic(app: &TestApp) {
    let scene = Scene::of(app).await;
    let editor = &scene.world.provider.editor;
    for name in NAMES {
        let mut file = resource_file("unconditional");
        file["class"] = json!(name);
        let reply = editor.post("/api/v1/resources", file).await;
        let problem = refused(&reply, 422, "invalid_code");
        assert_eq!(problem["path"], "class", "{name:?}");
        assert!(problem["detail"].as_str().expect("a text").contains("is not a class code"), "{problem}");
        let mut file = resource_file("unconditional");
        file["items"][0]["name"] = json!(name);
        let reply = editor.post("/api/v1/resources", file).await;
        let problem = refused(&reply, 422, "schema_rejected");
        // A name of Avro's alphabet is one, and not the item that the key names.
        let path = if name == "__consumer_offsets" { "key[0]" } else { "items[0].name" };
        assert_eq!(problem["path"], path, "{name:?}");
        let written: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let reply =
            scene.world.provider.integrator.get(&format!("/api/v1/resources/{written}/records")).await;
        refused(&reply, 404, "not_found");
        // A connector's name makes no topic; that of an address it must still be.
        let spec = json!({ "name": name, "resource": scene.code,
            "source": { "file": { "path": "a.csv", "format": "csv", "mode": "append" } } });
        let addresses = ["a.b", "ct.r.1"].contains(&name);
        let reply = scene.world.provider.integrator.post("/api/v1/connectors", spec).await;
        if addresses {
            reply.expect(201);
        } else {
            assert_eq!(refused(&reply, 422, "invalid")["path"], "name", "{name:?}");
        }
    }
    let mut file = resource_file("unconditional");
    file["class"] = json!("../x");
    let zh = in_chinese(editor, "post", "/api/v1/resources", Some(file)).await;
    assert!(zh.contains("不是信息资源分类代码"), "{zh}");
    let mut file = resource_file("unconditional");
    file["items"][0]["name"] = json!("../x");
    let zh = in_chinese(editor, "post", "/api/v1/resources", Some(file)).await;
    assert!(zh.contains("items[0].name"), "{zh}");
    let spec = json!({ "name": "../x", "resource": scene.code,
        "source": { "file": { "path": "a.csv", "format": "csv", "mode": "append" } } });
    in_chinese(&scene.world.provider.integrator, "post", "/api/v1/connectors", Some(spec)).await;
    in_chinese(&scene.world.provider.integrator, "get", "/api/v1/resources/x/records", None).await;
    let listed = editor.get("/api/v1/resources").await.expect(200);
    assert_eq!(listed["items"].as_array().expect("entries").len(), 1, "nothing was made");

    scene.publish(&[observation("JFK", 1)]).await.expect(200);
    let topics = app.app().store.topics().await.expect("topics");
    let prefix = &app.app().settings.log.prefix;
    let names: Vec<String> = topics.iter().map(|topic| topic.name.to_string()).collect();
    assert_eq!(names, [format!("{prefix}ct.r.1")], "a topic's name is made of a number");
    scene.others_are_served().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_that_is_malformed_is_named_and_does_nothing() {
    let app = TestApp::start(Pair::Embedded, &[]).await.expect("the embedded engines are always there");
    let scene = Scene::of(&app).await;
    let long = "x".repeat(201);
    let position = format!("in - {}", "x".repeat(513));
    let wrong: [(&str, &[u8]); 9] = [
        ("idempotency-key", b"two words"),
        ("idempotency-key", b"tab\tinside"),
        ("idempotency-key", "中文".as_bytes()),
        ("idempotency-key", long.as_bytes()),
        ("changtong-source", b"in - "),
        ("changtong-source", b"in  - 1"),
        ("changtong-source", b"in - 1 2"),
        ("changtong-source", position.as_bytes()),
        ("changtong-source", "in - 一".as_bytes()),
    ];
    for (name, value) in wrong {
        let value = reqwest::header::HeaderValue::from_bytes(value).expect("bytes that HTTP carries");
        let request = |language: &str| {
            let request = scene.world.provider.integrator.request_in(language, "post", &scene.records());
            let request = request.header("content-type", "application/x-ndjson").header(name, value.clone());
            request.body(observation("JFK", 1).to_string())
        };
        let problem = refused(&Reply::of(request("en")).await, 400, "bad_header");
        let named = problem["header"].as_str().expect("which").to_lowercase();
        assert_eq!(named, name);
        let words = said_in_chinese(request("zh")).await.to_lowercase();
        assert!(words.contains(name), "{words}");
    }
    // The one header of ours that goes with a read.
    scene.publish(&[observation("JFK", 1)]).await.expect(200);
    let grant = scene.granted(&["station"], None).await;
    let subscription = scene.world.subscribe(&grant, "copy").await;
    let path = format!("/api/v1/subscriptions/{subscription}/records");
    let read = async |purpose: &[u8]| {
        let value = reqwest::header::HeaderValue::from_bytes(purpose).expect("bytes that HTTP carries");
        Reply::of(scene.world.consumer.integrator.request("get", &path).header("changtong-purpose", value))
            .await
    };
    let problem = refused(&read("暴雨".as_bytes()).await, 400, "bad_header");
    assert_eq!(problem["header"], "Changtong-Purpose");
    assert_eq!(read(b" storm ").await.lines().len(), 2, "a record and the last line");
    assert_eq!(scene.own().await.len(), 1, "nothing of what was refused");
    scene.others_are_served().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn line_ends_and_zeros_in_a_header_reach_no_handler() {
    let app = TestApp::start(Pair::Embedded, &[]).await.expect("the embedded engines are always there");
    let scene = Scene::of(&app).await;
    let key = scene.world.provider.integrator.key();
    let body = observation("JFK", 1).to_string();
    let events = async || {
        let all = scene.world.auditor.request("get", "/api/v1/audit/events");
        let all = Reply::of(all.header("accept", "application/x-ndjson")).await.lines();
        // Refusals are counted, and told when their minute is over.
        all.into_iter().filter(|event| event["code"] != "refused").collect::<Vec<_>>()
    };
    let before = events().await;
    for smuggled in ["a\0b", "a\rb", "a\r b", "a\nContent-Length : 0", "a\r\n\r\nb\x01: c"] {
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: bus\r\nAuthorization: Bearer {key}\r\nIdempotency-Key: {smuggled}\r\n\
             Content-Type: application/x-ndjson\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            scene.records(),
            body.len()
        );
        let mut stream = TcpStream::connect(app.api).await.expect("a connection");
        stream.write_all(head.as_bytes()).await.expect("it is sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("an answer");
        let answer = String::from_utf8_lossy(&answer);
        let statuses: Vec<&str> =
            answer.split("HTTP/1.1 ").skip(1).map(|rest| rest.get(..3).unwrap_or_default()).collect();
        // A head that ends early is a request of its own, which is judged as it is; what stands behind it is none.
        let expected: &[&str] = if smuggled.contains("\r\n\r\n") { &["415", "400"] } else { &["400"] };
        assert_eq!(statuses, expected, "{smuggled:?}: {answer}");
        assert!(answer.ends_with("\r\n\r\n"), "without a body: {answer}");
    }
    assert_eq!(events().await, before, "nothing happened of which there is an event");
    assert!(scene.own().await.is_empty(), "no smuggled request was served");
    scene.others_are_served().await;
    app.stop().await;
}
