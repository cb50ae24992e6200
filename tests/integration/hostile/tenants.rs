//! Cases 26, 27 and 34: one agency at the door of another, keys that would be wider than their accounts, and people who
//! would agree with themselves.

use serde_json::{Value, json};

use super::scene::{Scene, in_chinese, observation, refused, said_in_chinese};
use crate::support::{Client, Pair, RESOURCE, Reply, TestApp, World, number, resource_file};

/// What an answer says, without what differs from call to call.
fn said(reply: &Reply) -> (u16, Value) {
    let mut problem = reply.json();
    problem["instance"] = Value::Null;
    (reply.status, problem)
}

/// Every address of a thing that the stranger knows the id of, and the same of a thing that does not exist.
async fn as_if_it_did_not_exist(caller: &Client, method: &str, path: &str, id: &str, other: &str) {
    let answer = async |id: &str| {
        let mut request = caller.request(method, &path.replace("{id}", id)).header("if-match", "\"1\"");
        if method != "get" {
            request = request.json(&json!({}));
        }
        Reply::of(request).await
    };
    let (existing, invented) = (said(&answer(id).await), said(&answer(other).await));
    assert_eq!(existing.0, 404, "{method} {path}: {}", existing.1);
    assert_eq!(existing, invented, "{method} {path} tells what exists");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guessed_id_tells_nothing_and_opens_nothing() {
    let app = TestApp::start(Pair::Embedded, &[]).await.expect("the embedded engines are always there");
    let scene = Scene::of(&app).await;
    let world = &scene.world;
    scene.publish(&[observation("JFK", 1)]).await.expect(200);
    let (request, agreed) = world.request(scene.request(&["station", "hour"], None)).await;
    let grant = agreed["grant"].as_str().expect("a grant");
    let subscription = world.subscribe(grant, "copy").await;
    let spec = json!({ "name": "to-file", "grant": grant,
        "sink": { "file": { "path": "copy.ndjson", "format": "ndjson" } } });
    world.consumer.integrator.post("/api/v1/connectors", spec).await.expect(201);

    let unknown = "01900000-0000-7000-8000-000000000000";
    let reader = &world.stranger.integrator;
    for (path, id) in [
        ("/api/v1/requests/{id}", request.as_str()),
        ("/api/v1/grants/{id}", grant),
        ("/api/v1/grants/{id}/schema", grant),
        ("/api/v1/grants/{id}/subscriptions", grant),
        ("/api/v1/subscriptions/{id}", &subscription),
        ("/api/v1/subscriptions/{id}/records", &subscription),
        ("/api/v1/accounts/{id}/keys", &world.provider.integrator_account),
    ] {
        as_if_it_did_not_exist(reader, "get", path, id, unknown).await;
    }
    let decider = &world.stranger.reviewer;
    for verb in ["agree", "refuse", "withdraw", "need-material", "submit", "disclosure"] {
        let path = format!("/api/v1/requests/{{id}}/{verb}");
        let body = if verb == "refuse" { json!({ "reason": "other" }) } else { json!({ "text": "?" }) };
        let answer = async |id: &str| {
            let body = if matches!(verb, "refuse" | "need-material") { body.clone() } else { json!({}) };
            said(&decider.post(&path.replace("{id}", id), body).await)
        };
        assert_eq!(answer(&request).await, answer(unknown).await, "{verb} tells what exists");
        assert_eq!(answer(&request).await.0, 404, "{verb}");
    }
    for verb in ["suspend", "resume", "revoke"] {
        let answer = async |id: &str| {
            let body = if verb == "resume" { json!({}) } else { json!({ "cause": "security" }) };
            said(&decider.post(&format!("/api/v1/grants/{id}/{verb}"), body).await)
        };
        assert_eq!(answer(grant).await, answer(unknown).await, "{verb} tells what exists");
        assert_eq!(answer(grant).await.0, 404, "{verb}");
    }
    // A connector is known by its agency's name for it: another agency's is not there.
    let foreign = reader.get("/api/v1/connectors/to-file").await;
    assert_eq!(said(&foreign), said(&reader.get("/api/v1/connectors/to-other").await));
    // Not even with the cursor of somebody else's subscription.
    let read = world.consumer.integrator.get(&format!("/api/v1/subscriptions/{subscription}/records")).await;
    let next = read.lines().last().expect("a last line")["next"].as_str().expect("a cursor").to_owned();
    let own = scene_of_stranger(&scene).await;
    let stolen = reader.get(&format!("/api/v1/subscriptions/{own}/records?cursor={next}")).await;
    refused(&stolen, 400, "cursor_invalid");
    let stolen = format!("/api/v1/subscriptions/{own}/records?cursor={next}");
    in_chinese(reader, "get", &stolen, None).await;
    let path = format!("/api/v1/grants/{grant}");
    refused(&reader.get(&path).await, 404, "not_found");
    let words = in_chinese(reader, "get", &path, None).await;
    assert!(words.contains("没有这个"), "{words}");

    let shown = world.consumer.integrator.get(&format!("/api/v1/grants/{grant}")).await.expect(200);
    assert_eq!((shown["state"].as_str(), number(&shown, "version")), (Some("active"), 1), "nothing happened");
    assert_eq!(scene.own().await.len(), 1, "nothing is lost");
    let again = world.consumer.integrator.get(&format!("/api/v1/subscriptions/{subscription}/records")).await;
    assert_eq!(again.lines().len(), 2, "whose it is reads it");
    scene.others_are_served().await;
    app.stop().await;
}

/// A subscription that the stranger holds on the same resource.
async fn scene_of_stranger(scene: &Scene) -> String {
    let mut file = scene.request(&["station"], None);
    file["consumer"] = json!("forestry");
    let stranger = &scene.world.stranger;
    let written = stranger.editor.post("/api/v1/requests", file).await.expect(201);
    let submit = format!("/api/v1/requests/{}/submit", written["id"].as_str().expect("an id"));
    let agreed = stranger.reviewer.post(&submit, json!({})).await.expect(200);
    let path = format!("/api/v1/grants/{}/subscriptions", agreed["grant"].as_str().expect("a grant"));
    let made = stranger.integrator.post(&path, json!({ "name": "own", "from": "start" })).await.expect(201);
    made["id"].as_str().expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_never_wider_than_its_account() {
    let app = TestApp::start(Pair::Embedded, &[]).await.expect("the embedded engines are always there");
    let scene = Scene::of(&app).await;
    let world = &scene.world;
    let keys = format!("/api/v1/accounts/{}/keys", world.provider.integrator_account);
    let wider = [json!(["authority"]), json!(["integrator", "reviewer"]), json!(["auditor"]), json!([])];
    for (caller, who) in [(&world.authority, "the authority"), (&world.provider.integrator, "itself")] {
        for roles in &wider {
            let reply = caller.post(&keys, json!({ "roles": roles })).await;
            assert_eq!(refused(&reply, 422, "invalid")["path"], "roles", "{who}, {roles}");
        }
    }
    // Nor does a key that was cut make one that is not.
    let accounts = "/api/v1/agencies/meteorology/accounts";
    let both = json!({ "name": "both", "roles": ["editor", "integrator"] });
    let both = world.authority.post(accounts, both).await.expect(201);
    let keys = format!("/api/v1/accounts/{}/keys", both["id"].as_str().expect("an id"));
    let cut = world.authority.post(&keys, json!({ "roles": ["editor"] })).await.expect(201);
    let cut = app.client(cut["text"].as_str().expect("a key"));
    let roles = json!({ "roles": ["editor", "integrator"] });
    let reply = cut.post(&keys, roles.clone()).await;
    assert_eq!(refused(&reply, 422, "invalid")["path"], "roles");
    in_chinese(&cut, "post", &keys, Some(roles)).await;
    let issued = world.authority.get(&keys).await.expect(200);
    assert_eq!(issued["items"].as_array().expect("keys").len(), 1, "no other was issued: {issued}");
    let reply = cut.publish(&scene.code, &[observation("JFK", 1)]).await;
    refused(&reply, 403, "forbidden");
    let request =
        cut.request_in("zh", "post", &scene.records()).header("content-type", "application/x-ndjson");
    said_in_chinese(request.body(observation("JFK", 1).to_string())).await;
    assert!(scene.own().await.is_empty());
    scene.others_are_served().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_agrees_with_itself() {
    let app = TestApp::start(Pair::Embedded, &[]).await.expect("the embedded engines are always there");
    let scene = Scene::at(World::of(&app).await, resource_file("conditional")).await;
    let world = &scene.world;
    let accounts = "/api/v1/agencies/emergency/accounts";
    let one = json!({ "name": "one", "roles": ["editor", "reviewer", "integrator"] });
    let one = world.authority.post(accounts, one).await.expect(201);
    let keys = format!("/api/v1/accounts/{}/keys", one["id"].as_str().expect("an id"));
    let roles = json!({ "roles": ["editor", "reviewer", "integrator"] });
    let key = world.authority.post(&keys, roles).await.expect(201);
    let one = app.client(key["text"].as_str().expect("a key"));
    let file = json!({
        "resource": RESOURCE, "consumer": "emergency", "purposes": [{ "code": "storm", "text": "暴雨应急" }],
        "basis": "突发事件应对职责", "history": "all", "items": ["station"],
        "consented_by": { "office": "应急局办公室", "document": "应急函〔2026〕1号" },
    });
    let written = one.post("/api/v1/requests", file.clone()).await.expect(201);
    let request = format!("/api/v1/requests/{}", written["id"].as_str().expect("an id"));
    refused(&one.post(&format!("{request}/submit"), json!({})).await, 403, "four_eyes");
    in_chinese(&one, "post", &format!("{request}/submit"), Some(json!({}))).await;
    world.consumer.reviewer.post(&format!("{request}/submit"), json!({})).await.expect(200);
    // Its other hat does not help either: only the provider's reviewer agrees.
    refused(&one.post(&format!("{request}/agree"), json!({})).await, 403, "forbidden");
    in_chinese(&one, "post", &format!("{request}/agree"), Some(json!({}))).await;
    refused(&world.consumer.reviewer.post(&format!("{request}/agree"), json!({})).await, 403, "forbidden");
    refused(&world.provider.editor.post(&format!("{request}/agree"), json!({})).await, 403, "forbidden");
    let shown = world.consumer.editor.get(&request).await.expect(200);
    assert_eq!(shown["state"], "submitted");
    let grants = world.consumer.editor.get("/api/v1/grants").await.expect(200);
    assert_eq!(grants["items"], json!([]), "no grant came of it");
    scene.others_are_served().await;
    app.stop().await;
}
