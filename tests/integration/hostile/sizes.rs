//! Case 6: a record, a batch, a head, an address, a document: at its limit it is taken, one byte more is refused by name,
//! and of a batch nothing is published in part.

use futures::StreamExt as _;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::scene::{Scene, in_chinese, observation, refused, said_in_chinese};
use crate::support::{Client, Pair, Reply, TestApp};

const LIMITS: [(&str, &str); 4] = [
    ("CHANGTONG_LIMITS__RECORD", "64KiB"),
    ("CHANGTONG_LIMITS__BATCH", "20"),
    ("CHANGTONG_LIMITS__BODY", "256KiB"),
    ("CHANGTONG_LIMITS__DOCUMENT", "64KiB"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_is_taken_and_one_byte_more_is_refused_embedded() {
    let app = TestApp::start(Pair::Embedded, &LIMITS).await.expect("the embedded engines are always there");
    the_limit_is_taken_and_one_byte_more_is_refused(&app).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_is_taken_and_one_byte_more_is_refused_production() {
    let Some(app) = TestApp::start(Pair::Production, &LIMITS).await else { return };
    the_limit_is_taken_and_one_byte_more_is_refused(&app).await;
    app.stop().await;
}

/// A line of exactly so many bytes: blanks between members count, whatever is stored.
fn line_of(bytes: usize) -> String {
    let line = json!({ "station": "JFK", "hour": 1 }).to_string();
    let blanks = " ".repeat(bytes - line.len());
    format!("{}{blanks}}}", &line[..line.len() - 1])
}

fn asked(scene: &Scene, language: &str, body: String) -> RequestBuilder {
    let request = scene.world.provider.integrator.request_in(language, "post", &scene.records());
    request.header("content-type", "application/x-ndjson").body(body)
}

async fn send(scene: &Scene, body: String) -> Reply {
    Reply::of(asked(scene, "en", body)).await
}

/// What the same is told in Chinese.
async fn told(scene: &Scene, body: String) -> String {
    said_in_chinese(asked(scene, "zh", body)).await
}

async fn the_limit_is_taken_and_one_byte_more_is_refused(app: &TestApp) {
    let scene = Scene::of(app).await;
    let record = 64 << 10;
    send(&scene, line_of(record)).await.expect(200);
    let body = format!("{}\n{}", observation("LGA", 1), line_of(record + 1));
    let problem = refused(&send(&scene, body.clone()).await, 413, "record_too_large");
    assert_eq!((&problem["limit"], &problem["actual"]), (&json!(record), &json!(record + 1)));
    assert_eq!(problem["index"], 1, "which one is said");
    let words = told(&scene, body).await;
    assert!(words.contains(&(record + 1).to_string()), "{words}");

    let batch = |records: usize| (0..records).map(|hour| observation("EWR", hour)).collect::<Vec<Value>>();
    scene.publish(&batch(20)).await.expect(200);
    for records in [21, 24] {
        let problem = refused(&scene.publish(&batch(records)).await, 413, "batch_too_large");
        assert_eq!((&problem["limit"], &problem["at_least"]), (&json!(20), &json!(21)), "read no further");
    }
    let words = scene.publish_in_chinese(&batch(21)).await;
    assert!(words.contains("20"), "{words}");

    let body = 256 << 10;
    let padded = |bytes: usize| {
        let line = observation("JFK", 2).to_string();
        format!("{line}{}", "\n".repeat(bytes - line.len()))
    };
    send(&scene, padded(body)).await.expect(200);
    let problem = refused(&send(&scene, padded(body + 1)).await, 413, "body_too_large");
    names_limit_and_size(&problem, "limits.body", body, body + 1);
    let words = told(&scene, padded(body + 1)).await;
    assert!(words.contains(&(body + 1).to_string()), "{words}");

    // Of unknown length, in pieces.
    let pieces = futures::stream::iter((0..257).map(|_| Ok::<_, std::io::Error>(vec![b'\n'; 1 << 10])));
    let pieces = pieces.chain(futures::stream::pending());
    let request = scene.world.provider.integrator.request("post", &scene.records());
    let request = request.header("content-type", "application/x-ndjson");
    let reply = Reply::of(request.body(reqwest::Body::wrap_stream(pieces))).await;
    let problem = refused(&reply, 413, "body_too_large");
    assert_eq!((&problem["limit"], &problem["value"]), (&json!("limits.body"), &json!(body)));
    let read = problem["at_least"].as_u64().expect("how much of it was read") as usize;
    assert!((body + 1..=body + (1 << 10)).contains(&read), "{problem}");
    assert!(problem["detail"].as_str().is_some_and(|text| text.contains(&read.to_string())), "{problem}");
    assert_eq!(reply.headers["connection"], "close", "the rest stays unread");

    let mut seen: Vec<String> = scene.own().await.iter().map(|line| line["record"].to_string()).collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 22, "nothing of a refused batch: {seen:?}");
    scene.others_are_served().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_addresses_and_documents_have_limits_of_their_own() {
    let settings = [
        ("CHANGTONG_LIMITS__DOCUMENT", "4KiB"),
        ("CHANGTONG_HTTP__HEADERS", "2KiB"),
        ("CHANGTONG_HTTP__URI", "1KiB"),
    ];
    let app = TestApp::start(Pair::Embedded, &settings).await.expect("the embedded engines are always there");
    let scene = Scene::of(&app).await;
    let caller = &scene.world.provider.editor;

    let path = |bytes: usize| {
        let path = "/api/v1/resources?q=";
        format!("{path}{}", "x".repeat(bytes - path.len()))
    };
    caller.get(&path(1 << 10)).await.expect(200);
    let problem = refused(&caller.get(&path((1 << 10) + 1)).await, 414, "uri_too_long");
    names_limit_and_size(&problem, "http.uri", 1 << 10, (1 << 10) + 1);
    assert!(in_chinese(caller, "get", &path(2000), None).await.contains("地址长 2000 字节"));

    let largest = largest_header(caller, 2 << 10).await;
    let problem = refused(&padded_head(caller, largest + 1).await, 431, "headers_too_large");
    names_limit_and_size(&problem, "http.headers", 2 << 10, (2 << 10) + 1);
    let head = caller.request_in("zh", "get", "/api/v1/whoami").header("x-padding", "x".repeat(2 << 10));
    let words = said_in_chinese(head).await;
    assert!(words.contains("请求头"), "{words}");

    let document = |bytes: usize| {
        let mut file = crate::support::resource_file("conditional");
        let without = {
            file["abstract"] = json!("");
            file.to_string().len()
        };
        file["abstract"] = json!("x".repeat(bytes - without));
        file
    };
    let taken = caller.post("/api/v1/resources", document(4 << 10)).await;
    assert_ne!(taken.status, 413, "judged by what it says: {}", taken.text);
    let refusal = caller.post("/api/v1/resources", document((4 << 10) + 1)).await;
    let problem = refused(&refusal, 413, "body_too_large");
    names_limit_and_size(&problem, "limits.document", 4 << 10, (4 << 10) + 1);
    let listed = caller.get("/api/v1/resources").await.expect(200);
    let made = 1 + usize::from(taken.status == 201);
    assert_eq!(listed["items"].as_array().expect("entries").len(), made, "nothing of what was too large");
    scene.others_are_served().await;
    app.stop().await;
}

/// In members and in words.
#[track_caller]
fn names_limit_and_size(problem: &Value, limit: &str, most: usize, actual: usize) {
    let members = (&problem["limit"], &problem["value"], &problem["actual"]);
    assert_eq!(members, (&json!(limit), &json!(most), &json!(actual)), "{problem}");
    let detail = problem["detail"].as_str().expect("a text");
    assert!([most, actual].iter().all(|bytes| detail.contains(&bytes.to_string())), "{detail}");
}

async fn padded_head(caller: &Client, bytes: usize) -> Reply {
    let request = caller.request("get", "/api/v1/whoami").header("x-padding", "x".repeat(bytes));
    Reply::of(request).await
}

/// The longest padding that is still taken, found by halving.
async fn largest_header(caller: &Client, most: usize) -> usize {
    let (mut taken, mut refused) = (0, most);
    while refused - taken > 1 {
        let middle = usize::midpoint(taken, refused);
        match padded_head(caller, middle).await.status {
            200 => taken = middle,
            431 => refused = middle,
            other => panic!("{other}"),
        }
    }
    taken
}
