//! The border of the API: what is refused by name before anything is done, and what every answer has.

use serde_json::{Value, json};

use crate::support::{Client, Pair, RESOURCE, Reply, TestApp, World, resource_file};

async fn embedded(settings: &[(&str, &str)]) -> TestApp {
    TestApp::start(Pair::Embedded, settings).await.expect("the embedded engines are always there")
}

fn problem(reply: &Reply, status: u16, code: &str) {
    assert_eq!((reply.status, reply.code().as_str()), (status, code), "{}", reply.text);
    assert_eq!(reply.headers["content-type"], "application/problem+json");
    assert_eq!(reply.json()["instance"], reply.headers["x-request-id"].to_str().unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_head_of_a_request_is_bounded_and_addresses_are_named() {
    let app = embedded(&[]).await;
    let caller = app.client(&app.authority);
    problem(&caller.get("/api/v1/nothing").await, 404, "not_found");
    problem(&Reply::of(caller.request("delete", "/api/v1/whoami")).await, 405, "method_not_allowed");
    problem(&caller.get(&format!("/api/v1/resources?q={}", "x".repeat(9000))).await, 414, "uri_too_long");
    let many = caller.request("get", "/api/v1/whoami").header("x-padding", "x".repeat(40_000));
    problem(&Reply::of(many).await, 431, "headers_too_large");
    problem(&caller.get("/api/v1/resources?limit=0").await, 400, "bad_request");
    problem(&caller.get("/api/v1/resources?nonsense=1").await, 400, "bad_request");
    problem(&app.nobody().get("/api/v1/whoami").await, 401, "unauthenticated");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_are_bounded_and_of_a_known_type() {
    let app = embedded(&[("CHANGTONG_LIMITS__BODY", "600KiB")]).await;
    let caller = app.client(&app.authority);
    let records = format!("/api/v1/resources/{RESOURCE}/records");
    let send = |kind: &str, body: Vec<u8>| {
        Reply::of(caller.request("post", &records).header("content-type", kind.to_owned()).body(body))
    };
    problem(&send("application/x-ndjson", vec![b'1'; 700 << 10]).await, 413, "body_too_large");
    problem(&send("image/png", b"1".to_vec()).await, 415, "unsupported_media_type");
    let coded =
        caller.request("post", &records).header("content-type", "text/csv").header("content-encoding", "br");
    problem(&Reply::of(coded.body("a\n1\n")).await, 415, "unsupported_media_type");
    problem(&caller.post("/api/v1/agencies", json!({ "naem": "x" })).await, 422, "invalid");
    let broken =
        caller.request("post", "/api/v1/agencies").header("content-type", "application/json").body("{");
    problem(&Reply::of(broken).await, 400, "bad_request");
    app.stop().await;
}

/// An array would be taken for the members in their order; and what a parser says is English.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_is_an_object_and_its_faults_are_said_in_the_callers_language() {
    let app = embedded(&[]).await;
    let caller = app.client(&app.authority);
    let subscription = "00000000-0000-7000-8000-000000000000";
    let acks = format!("/api/v1/subscriptions/{subscription}/acks");
    for (path, array) in [
        (acks.as_str(), json!(["a cursor"])),
        ("/api/v1/agencies", json!(["x", "y"])),
        ("/api/v1/resources", json!([])),
        ("/api/v1/resources", json!({ "class": "3070220602", "items": [["station", "观测站", "C"]] })),
        ("/api/v1/requests", json!({ "purposes": [["storm", "暴雨应急"]] })),
        ("/api/v1/requests", json!({ "consented_by": ["应急局办公室", "应急函〔2026〕1号"] })),
    ] {
        let refused = caller.post(path, array).await;
        problem(&refused, 422, "invalid");
        let said = "it is of the wrong type: an array, where an object is wanted";
        assert!(refused.json()["detail"].as_str().unwrap().contains(said), "{}", refused.text);
    }
    for (language, body, said) in [
        ("zh", "{\"nex\":1}", "请求体有误:第 1 行第 6 列:没有 nex 这一项;可用:next、window、digest"),
        ("en", "{\"window\":null}", "the body is wrong: line 1, column 15: `next` is missing"),
        ("zh", "{\"next\":7}", "类型不符:所写为数字,应为文本"),
    ] {
        let request = caller.request("post", &acks).header("content-type", "application/json").body(body);
        let mut request = request.build().expect("a request");
        request.headers_mut().insert("accept-language", language.parse().expect("a language"));
        let answer = reqwest::Client::builder().no_proxy().build().unwrap().execute(request).await.unwrap();
        let problem: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert!(problem["detail"].as_str().unwrap().contains(said), "{problem}");
    }
    let mut nowhere = caller.request("get", "/api/v1/nothing").build().expect("a request");
    nowhere.headers_mut().insert("accept-language", "mul".parse().expect("both languages"));
    let answer = reqwest::Client::builder().no_proxy().build().unwrap().execute(nowhere).await.unwrap();
    let problem: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let text = |language: &str| problem["texts"][language].as_str().unwrap().to_owned();
    assert_eq!(problem["detail"], format!("{} / {}", text("zh"), text("en")));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_are_answered_in_their_language() {
    let app = embedded(&[]).await;
    let english = app.nobody().get("/api/v1/whoami").await;
    assert_eq!(english.headers["content-language"], "en");
    assert!(english.json()["detail"].as_str().unwrap().is_ascii());
    let plain = reqwest::Client::builder().no_proxy().build().unwrap();
    let chinese = plain.get(format!("http://{}/api/v1/whoami", app.api)).send().await.unwrap();
    assert_eq!(chinese.headers()["content-language"], "zh");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_under_one_idempotency_key_is_done_once() {
    let app = embedded(&[]).await;
    let world = World::of(&app).await;
    let draft = async |file: Value| {
        let request = world.provider.editor.request("post", "/api/v1/resources");
        Reply::of(request.header("idempotency-key", "draft-1").json(&file)).await
    };
    let first = draft(resource_file("conditional")).await.expect(201);
    let again = draft(resource_file("conditional")).await.expect(201);
    assert_eq!(first["code"], again["code"]);
    problem(&draft(resource_file("unconditional")).await, 422, "idempotency_key_reused");
    let keys = format!("/api/v1/accounts/{}/keys", world.provider.integrator_account);
    let issue = async || {
        let request = world.authority.request("post", &keys).header("idempotency-key", "key-1");
        Reply::of(request.json(&json!({ "roles": ["integrator"] }))).await.expect(201)
    };
    let (shown, replayed) = (issue().await, issue().await);
    assert_eq!(shown["id"], replayed["id"]);
    assert!(shown["text"].is_string() && replayed["text"].is_null(), "a secret is shown once");
    let bad = world.authority.request("get", "/api/v1/whoami").header("idempotency-key", "a b");
    Reply::of(bad).await.expect(200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_names_the_version_it_changes() {
    let app = embedded(&[]).await;
    let world = World::of(&app).await;
    let editor = &world.provider.editor;
    editor.post("/api/v1/resources", resource_file("conditional")).await.expect(201);
    let path = format!("/api/v1/resources/{RESOURCE}");
    let etag = editor.get(&path).await.headers["etag"].to_str().unwrap().to_owned();
    let put = async |version: Option<&str>| {
        let request = editor.request("put", &path).json(&resource_file("conditional"));
        Reply::of(version.into_iter().fold(request, |request, version| request.header("if-match", version)))
            .await
    };
    problem(&put(None).await, 428, "precondition_required");
    let updated = put(Some(&etag)).await;
    assert_eq!(updated.status, 200, "{}", updated.text);
    assert_ne!(updated.headers["etag"].to_str().unwrap(), etag);
    problem(&put(Some(&etag)).await, 412, "precondition_failed");
    problem(&put(Some("three")).await, 400, "bad_header");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_used_up_says_which_and_when_it_is_there_again() {
    let app = embedded(&[("CHANGTONG_LIMITS__ACCOUNT_REQUESTS_PER_SECOND", "1")]).await;
    let caller = app.client(&app.authority);
    let refused = async || {
        for _ in 0..1000 {
            let reply = caller.get("/api/v1/whoami").await;
            if reply.status != 200 {
                return reply;
            }
        }
        panic!("a rate of one a second refused nothing");
    };
    let refused = refused().await;
    problem(&refused, 429, "rate_limited");
    assert!(refused.headers["retry-after"].to_str().unwrap().parse::<u32>().unwrap() >= 1);
    assert!(refused.text.contains("requests_per_second"), "{}", refused.text);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_tell_health_and_metrics_without_credentials() {
    let app = embedded(&[]).await;
    app.client(&app.authority).get("/api/v1/whoami").await.expect(200);
    let operator: Client = app.operator();
    assert_eq!(operator.get("/health/live").await.expect(200)["live"], true);
    assert_eq!(operator.get("/health/startup").await.expect(200)["started"], true);
    assert_eq!(operator.get("/health/ready").await.expect(200)["ready"], true);
    let metrics = operator.get("/metrics").await;
    assert!(
        metrics
            .text
            .contains("changtong_http_requests_total{code=\"\",method=\"GET\",route=\"/api/v1/whoami\"")
    );
    assert!(!metrics.text.contains(&app.authority), "no key in a metric");
    let document = app.nobody().get("/openapi.json").await.expect(200);
    assert_eq!(document, changtong::http::openapi::document());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_connection_is_closed() {
    let app = embedded(&[("CHANGTONG_HTTP__HEADER_TIMEOUT", "1s")]).await;
    let mut silent = tokio::net::TcpStream::connect(app.api).await.expect("a connection");
    let mut bytes = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut silent, &mut bytes);
    let closed = tokio::time::timeout(std::time::Duration::from_secs(60), read).await;
    assert!(closed.is_ok(), "it would hold its place among http.connections for ever");
    app.stop().await;
}
