//! Case 24: of the store's connections an agency and an account may have no more than one. Whatever is asked in their
//! names is answered all the same, as no call waits for a place that it holds itself.

use std::collections::BTreeSet;

use changtong::http::{ROUTES, Route, registry};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::support::{
    Client, Events, Others, Pair, Reply, TestApp, World, credit_code, request_file, resource_file,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_waits_for_a_place_that_it_holds_itself_embedded() {
    no_call_waits_for_a_place_that_it_holds_itself(Pair::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_waits_for_a_place_that_it_holds_itself_production() {
    no_call_waits_for_a_place_that_it_holds_itself(Pair::Production).await;
}

async fn no_call_waits_for_a_place_that_it_holds_itself(pair: Pair) {
    let settings = [
        ("CHANGTONG_DATABASE__CONNECTIONS", "16"),
        ("CHANGTONG_HTTP__AGENCY_SHARE", "10"),
        ("CHANGTONG_HTTP__ACCOUNT_SHARE", "10"),
        ("CHANGTONG_LIMITS__IN_FLIGHT", "1GiB"),
    ];
    let Some(app) = TestApp::start(pair, &settings).await else { return };
    let world = World::of(&app).await;
    let others = Others::beside(&world.authority).await;
    let mut calls = Calls::default();
    participants(&mut calls, &world).await;
    let code = entry(&mut calls, &world).await;
    let grant = records(&mut calls, &world, &code).await;
    connectors(&mut calls, &world, &code).await;
    endings(&mut calls, &world, &code, &grant).await;
    calls.are_all(ROUTES);

    let mut calls = Calls::default();
    let registrant = app.registrant(world.provider.integrator.key());
    let operator = app.registrant(world.operator.key());
    subjects(&mut calls, &registrant, &operator).await;
    calls.are_all(registry::ROUTES);
    others.are_served().await;
    app.stop().await;
}

/// The routes that were called.
#[derive(Default)]
struct Calls(BTreeSet<(&'static str, &'static str)>);

impl Calls {
    /// A call of a route with these in the place of what its path names, and what is left of them behind it.
    fn request(&mut self, caller: &Client, route: &'static str, named: &[&str]) -> RequestBuilder {
        let (method, path) = route.split_once(' ').expect("a method and a path");
        self.0.insert((method, path));
        let (mut at, mut rest) = (String::new(), path);
        for name in named {
            let (before, behind) = rest.split_once('{').unwrap_or((rest, "}"));
            at = at + before + name;
            rest = behind.split_once('}').expect("the end of a name").1;
        }
        caller.request(method, &(at + rest))
    }

    /// One that is answered with what was asked for.
    async fn ask(&mut self, caller: &Client, route: &'static str, named: &[&str], body: Value) -> Value {
        let request = self.request(caller, route, named);
        done(route, Reply::of(with(request, &body)).await)
    }

    /// One of what must be as it was read.
    async fn change(&mut self, caller: &Client, route: &'static str, named: &[&str], body: Value) -> Value {
        let shown = route.replace("put ", "").replace("post ", "").replace("/revise", "");
        let shown = shown.replace("{code}", named[0]).replace("{id}", named[0]);
        let etag = caller.get(&shown).await.headers["etag"].clone();
        let request = self.request(caller, route, named).header("if-match", etag);
        done(route, Reply::of(with(request, &body)).await)
    }

    /// One that may be refused, as what it asks for is not there.
    async fn reach(&mut self, caller: &Client, route: &'static str, named: &[&str], body: Value) {
        let request = self.request(caller, route, named);
        let reply = Reply::of(with(request, &body)).await;
        assert!(reply.status < 500, "{route}: {} {}", reply.status, reply.text);
    }

    fn are_all(&self, routes: &[Route]) {
        let served: BTreeSet<_> = routes.iter().map(|route| (route.method, route.path)).collect();
        let forgotten: Vec<_> = served.difference(&self.0).collect();
        assert!(forgotten.is_empty(), "{forgotten:?}");
    }
}

fn with(request: RequestBuilder, body: &Value) -> RequestBuilder {
    if body.is_null() { request } else { request.json(body) }
}

fn done(route: &str, reply: Reply) -> Value {
    assert!((200..300).contains(&reply.status), "{route}: {} {}", reply.status, reply.text);
    serde_json::from_str(&reply.text).unwrap_or(Value::Null)
}

fn id(shown: &Value) -> String {
    shown["id"].as_str().unwrap_or_else(|| panic!("an id in {shown}")).to_owned()
}

async fn participants(calls: &mut Calls, world: &World) {
    let (authority, none) = (&world.authority, Value::Null);
    for route in ["get /openapi.json", "get /api/v1/whoami", "get /api/v1/agencies"] {
        calls.ask(authority, route, &[], none.clone()).await;
    }
    let agency = json!({ "code": credit_code(5), "name": "测试机构5", "alias": "irrigation" });
    calls.ask(authority, "post /api/v1/agencies", &[], agency).await;
    calls.ask(authority, "get /api/v1/agencies/{code}", &["irrigation"], none.clone()).await;
    let account = json!({ "name": "spare", "roles": ["editor"] });
    let account =
        id(&calls.ask(authority, "post /api/v1/agencies/{code}/accounts", &["irrigation"], account).await);
    calls.ask(authority, "get /api/v1/agencies/{code}/accounts", &["irrigation"], none.clone()).await;
    let key = json!({ "roles": ["editor"] });
    let key = id(&calls.ask(authority, "post /api/v1/accounts/{id}/keys", &[&account], key).await);
    calls.ask(authority, "get /api/v1/accounts/{id}/keys", &[&account], none.clone()).await;
    calls.ask(authority, "get /api/v1/keys/{id}", &[&key], none.clone()).await;
    calls.ask(authority, "post /api/v1/keys/{id}/revoke", &[&key], json!({})).await;
    calls.ask(authority, "post /api/v1/accounts/{id}/suspend", &[&account], json!({})).await;
    calls.ask(authority, "post /api/v1/accounts/{id}/resume", &[&account], json!({})).await;
    calls.ask(authority, "post /api/v1/agencies/{code}/suspend", &["irrigation"], json!({})).await;
    calls.ask(authority, "post /api/v1/agencies/{code}/resume", &["irrigation"], json!({})).await;
    calls.ask(&world.auditor, "get /api/v1/audit/events", &[], none).await;
}

/// A published entry, revised once.
async fn entry(calls: &mut Calls, world: &World) -> String {
    let (editor, reviewer, none) = (&world.provider.editor, &world.provider.reviewer, Value::Null);
    let file = resource_file("conditional");
    let drafted = calls.ask(editor, "post /api/v1/resources", &[], file.clone()).await;
    let code = drafted["code"].as_str().expect("a code").replace('/', "-");
    let at: &[&str] = &[&code];
    calls.change(editor, "put /api/v1/resources/{code}", at, file.clone()).await;
    calls.ask(editor, "post /api/v1/resources/{code}/submit", at, json!({})).await;
    calls.ask(reviewer, "post /api/v1/resources/{code}/reject", at, json!({ "reason": "再核对" })).await;
    calls.ask(editor, "post /api/v1/resources/{code}/submit", at, json!({})).await;
    calls.ask(reviewer, "post /api/v1/resources/{code}/approve", at, json!({})).await;
    calls.ask(reviewer, "post /api/v1/resources/{code}/publish", at, json!({})).await;
    let mut wider = file;
    let wind = json!({ "name": "wind", "title": "风速", "type": "I", "length": 3, "nullable": true });
    wider["items"].as_array_mut().expect("items").push(wind);
    let check = json!({ "file": wider.clone() });
    calls.ask(editor, "post /api/v1/resources/{code}/schema/check", at, check).await;
    calls.change(editor, "put /api/v1/resources/{code}", at, wider).await;
    calls.change(reviewer, "post /api/v1/resources/{code}/revise", at, Value::Null).await;
    calls.ask(editor, "get /api/v1/resources/{code}/schema", at, none.clone()).await;
    calls.ask(editor, "get /api/v1/resources/{code}", at, none.clone()).await;
    calls.ask(editor, "get /api/v1/resources", &[], none).await;
    calls.ask(reviewer, "post /api/v1/resources/{code}/suspend", at, json!({ "cause": "security" })).await;
    calls.ask(reviewer, "post /api/v1/resources/{code}/resume", at, json!({})).await;
    code
}

/// Published, set aside, asked for, granted, read, acknowledged; answers the grant.
async fn records(calls: &mut Calls, world: &World, code: &str) -> String {
    let (owner, none) = (&world.provider.integrator, Value::Null);
    let publish =
        calls.request(owner, "post /api/v1/resources/{code}/records", &[code, "?on_invalid=quarantine"]);
    let lines = "{\"station\":\"JFK\",\"hour\":1}\n{\"station\":\"LGA\",\"hour\":\"x\"}\n{\"hour\":2}\n";
    let publish = publish.header("content-type", "application/x-ndjson").header("idempotency-key", "first");
    done("publish", Reply::of(publish.body(lines)).await);
    calls.ask(owner, "get /api/v1/resources/{code}/records", &[code], none.clone()).await;
    let list = format!("?resource={code}");
    let aside = calls.ask(owner, "get /api/v1/quarantine", &[&list], none.clone()).await;
    let (first, second) = (id(&aside["items"][0]), id(&aside["items"][1]));
    calls.ask(owner, "get /api/v1/quarantine/{id}", &[&first], none.clone()).await;
    let replay = calls.request(owner, "post /api/v1/quarantine/{id}/replay", &[&first]);
    let replay = replay.header("content-type", "application/x-ndjson");
    done("replay", Reply::of(replay.body("{\"station\":\"LGA\",\"hour\":2}")).await);
    calls.ask(owner, "post /api/v1/quarantine/{id}/discard", &[&second], json!({})).await;

    let grant = granted(calls, world, code).await;
    let (consumer, at): (_, &[&str]) = (&world.consumer.integrator, &[&grant]);
    let position = json!({ "name": "copy", "from": "start" });
    let position = id(&calls.ask(consumer, "post /api/v1/grants/{id}/subscriptions", at, position).await);
    calls.ask(consumer, "get /api/v1/grants/{id}/subscriptions", at, none.clone()).await;
    let at: &[&str] = &[&position];
    calls.ask(consumer, "get /api/v1/subscriptions/{id}", at, none).await;
    let read = calls.request(consumer, "get /api/v1/subscriptions/{id}/records", at);
    let lines = Reply::of(read).await.lines();
    assert_eq!(lines.len(), 3, "two records and the last line");
    let ack = json!({ "next": lines[2]["next"], "window": lines[2]["window"], "digest": lines[2]["digest"] });
    calls.ask(consumer, "post /api/v1/subscriptions/{id}/acks", at, ack).await;
    calls.ask(consumer, "post /api/v1/subscriptions/{id}/seek", at, json!({ "from": "start" })).await;
    let path = format!("/api/v1/subscriptions/{position}/records");
    let file = consumer.request("get", &path).header("accept", "application/avro");
    assert_eq!(file.send().await.expect("an answer").status(), 200);
    let mut stream = Events::open(consumer, &path, None).await.expect("a stream");
    while stream.next().await.expect("an event").expect("one").kind != "record" {}
    // Beside a stream that is open, and behind it, its reader is served as before.
    assert_eq!(consumer.get(&path).await.lines().len(), 3);
    drop(stream);
    grant
}

async fn granted(calls: &mut Calls, world: &World, code: &str) -> String {
    let (editor, head, reviewer) =
        (&world.consumer.editor, &world.consumer.reviewer, &world.provider.reviewer);
    let file = request_file(code, &["station", "hour"], None);
    let mut asked = Vec::new();
    for _ in 0..3 {
        let request = id(&calls.ask(editor, "post /api/v1/requests", &[], file.clone()).await);
        calls.change(editor, "put /api/v1/requests/{id}", &[&request], file.clone()).await;
        calls.ask(head, "post /api/v1/requests/{id}/submit", &[&request], json!({})).await;
        asked.push(request);
    }
    let [agreed, refused, withdrawn] = asked.try_into().expect("three");
    calls.ask(editor, "get /api/v1/requests", &[], Value::Null).await;
    calls.ask(editor, "get /api/v1/requests/{id}", &[&agreed], Value::Null).await;
    let missing = json!({ "text": "请补充" });
    calls.ask(reviewer, "post /api/v1/requests/{id}/need-material", &[&agreed], missing).await;
    calls.ask(head, "post /api/v1/requests/{id}/submit", &[&agreed], json!({})).await;
    calls.ask(reviewer, "post /api/v1/requests/{id}/disclosure", &[&agreed], json!({})).await;
    let reason = json!({ "reason": "other", "text": "用途不符" });
    calls.ask(reviewer, "post /api/v1/requests/{id}/refuse", &[&refused], reason).await;
    calls.ask(head, "post /api/v1/requests/{id}/withdraw", &[&withdrawn], json!({})).await;
    let answer = calls.ask(reviewer, "post /api/v1/requests/{id}/agree", &[&agreed], json!({})).await;
    answer["grant"].as_str().unwrap_or_else(|| panic!("a grant in {answer}")).to_owned()
}

async fn connectors(calls: &mut Calls, world: &World, code: &str) {
    let (owner, at): (_, &[&str]) = (&world.provider.integrator, &["obs-in"]);
    let file = json!({ "name": "obs-in", "resource": code,
        "source": { "file": { "path": "obs.csv", "format": "csv", "mode": "append" } } });
    calls.ask(owner, "post /api/v1/connectors", &[], file).await;
    calls.ask(owner, "get /api/v1/connectors", &[], Value::Null).await;
    calls.ask(owner, "get /api/v1/connectors/{name}", at, Value::Null).await;
    calls
        .ask(owner, "get /api/v1/connectors/{name}/position", &["obs-in", "?source=obs-in"], Value::Null)
        .await;
    for route in [
        "post /api/v1/connectors/{name}/pause",
        "post /api/v1/connectors/{name}/resume",
        "post /api/v1/connectors/{name}/stop",
        "post /api/v1/connectors/{name}/start",
    ] {
        calls.ask(owner, route, at, json!({})).await;
    }
    calls.reach(owner, "post /api/v1/connectors/{name}/confirm", at, json!({})).await;
    calls.reach(owner, "post /api/v1/connectors/{name}/reset", at, json!({})).await;
    let status = json!({ "node": "00000000-0000-0000-0000-000000000000", "version": "0", "state": "running",
        "error": null, "details": {} });
    calls.reach(owner, "put /api/v1/connectors/{name}/status", at, status).await;
    calls.ask(owner, "delete /api/v1/connectors/{name}", at, Value::Null).await;
}

async fn endings(calls: &mut Calls, world: &World, code: &str, grant: &str) {
    let (reviewer, consumer) = (&world.provider.reviewer, &world.consumer.integrator);
    let cause = json!({ "cause": "security", "filing": "备案1号" });
    calls.ask(consumer, "get /api/v1/grants", &[], Value::Null).await;
    calls.ask(consumer, "get /api/v1/grants/{id}", &[grant], Value::Null).await;
    calls.ask(consumer, "get /api/v1/grants/{id}/schema", &[grant], Value::Null).await;
    calls.reach(consumer, "post /api/v1/grants/{id}/schema", &[grant], json!({ "version": 2 })).await;
    calls.ask(reviewer, "post /api/v1/resources/{code}/new-generation", &[code], json!({})).await;
    calls.ask(reviewer, "post /api/v1/grants/{id}/suspend", &[grant], cause.clone()).await;
    calls.ask(reviewer, "post /api/v1/grants/{id}/resume", &[grant], json!({})).await;
    calls.ask(reviewer, "post /api/v1/grants/{id}/revoke", &[grant], cause.clone()).await;
    calls.ask(reviewer, "post /api/v1/resources/{code}/retire", &[code], cause).await;
}

async fn subjects(calls: &mut Calls, registrant: &Client, operator: &Client) {
    let none = || Value::Null;
    let one = json!({ "schema": r#"{"type":"record","name":"O","fields":[{"name":"s","type":"string"}]}"# });
    let made = calls.ask(registrant, "post /subjects/{subject}/versions", &["obs"], one.clone()).await;
    let (schema, guid) = (made["id"].to_string(), made["guid"].as_str().expect("a guid").to_owned());
    for route in [
        "get /",
        "get /contexts",
        "get /v1/metadata/id",
        "get /v1/metadata/version",
        "get /v1/metadata/deployment",
        "get /schemas",
        "get /schemas/types",
        "get /subjects",
        "get /config",
        "get /mode",
    ] {
        calls.ask(registrant, route, &[], none()).await;
    }
    for route in [
        "get /schemas/ids/{id}",
        "get /schemas/ids/{id}/schema",
        "get /schemas/ids/{id}/subjects",
        "get /schemas/ids/{id}/versions",
    ] {
        calls.ask(registrant, route, &[&schema], none()).await;
    }
    calls.ask(registrant, "get /schemas/guids/{guid}", &[&guid], none()).await;
    calls.ask(registrant, "get /schemas/guids/{guid}/ids", &[&guid], none()).await;
    calls.ask(registrant, "post /subjects/{subject}", &["obs"], one.clone()).await;
    calls.reach(registrant, "get /subjects/{subject}/metadata", &["obs", "?key=k&value=v"], none()).await;
    calls.ask(registrant, "get /subjects/{subject}/versions", &["obs"], none()).await;
    for route in [
        "get /subjects/{subject}/versions/{version}",
        "get /subjects/{subject}/versions/{version}/schema",
        "get /subjects/{subject}/versions/{version}/referencedby",
    ] {
        calls.ask(registrant, route, &["obs", "1"], none()).await;
    }
    let all = "post /compatibility/subjects/{subject}/versions";
    calls.ask(registrant, all, &["obs"], one.clone()).await;
    let of_one = "post /compatibility/subjects/{subject}/versions/{version}";
    calls.ask(registrant, of_one, &["obs", "1"], one).await;

    let (level, mode) = (json!({ "compatibility": "FULL" }), json!({ "mode": "READONLY" }));
    calls.ask(registrant, "put /config/{subject}", &["obs"], level.clone()).await;
    calls.ask(registrant, "get /config/{subject}", &["obs"], none()).await;
    calls.ask(registrant, "delete /config/{subject}", &["obs"], none()).await;
    calls.ask(registrant, "put /mode/{subject}", &["obs"], mode.clone()).await;
    calls.ask(registrant, "get /mode/{subject}", &["obs"], none()).await;
    calls.ask(registrant, "delete /mode/{subject}", &["obs"], none()).await;
    calls.ask(operator, "put /config", &[], level).await;
    calls.ask(operator, "delete /config", &[], none()).await;
    calls.ask(operator, "put /mode", &[], mode).await;
    calls.ask(operator, "delete /mode", &[], none()).await;
    calls.ask(registrant, "delete /subjects/{subject}/versions/{version}", &["obs", "1"], none()).await;
    calls.reach(registrant, "delete /subjects/{subject}", &["obs"], none()).await;
    calls.reach(operator, "delete /contexts/{context}", &[".none"], none()).await;
}
