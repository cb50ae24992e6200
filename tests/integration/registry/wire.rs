//! What every answer of the registry has in common: media types, errors, credentials, limits, and both addresses.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::{id_of, one, refused};
use crate::support::{Client, Pair, Reply, TestApp, World};

const V1: &str = "application/vnd.schemaregistry.v1+json";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_and_answers_are_called_as_clients_call_them() {
    let app = TestApp::start(Pair::Embedded, &[]).await.expect("embedded engines");
    let world = World::of(&app).await;
    let registry = app.registrant(world.provider.integrator.key());
    let versions = "/subjects/media-value/versions";
    for media in [V1, "application/vnd.schemaregistry+json", "application/json", "application/octet-stream"] {
        let request = registry.request("post", versions).header("content-type", media);
        let reply = Reply::of(request.body(one().to_string())).await;
        id_of(&reply);
        assert_eq!(reply.headers["content-type"], V1);
    }
    let unnamed = Reply::of(registry.request("post", versions).body(one().to_string())).await;
    id_of(&unnamed);
    let text = registry.request("post", versions).header("content-type", "text/plain");
    refused(&Reply::of(text.body(one().to_string())).await, 415);
    for root in ["/registry", "/registry/"] {
        assert_eq!(app.client(registry.key()).get(root).await.expect(200), json!({}), "{root}");
    }
    for media in ["application/json", "application/vnd.schemaregistry+json", V1] {
        let listed = Reply::of(registry.request("get", versions).header("accept", media)).await;
        assert_eq!(listed.expect(200), json!([1]));
        assert_eq!(listed.headers["content-type"], media);
        let nowhere = registry.request("get", "/subjects/nowhere/versions").header("accept", media);
        let nowhere = Reply::of(nowhere).await;
        refused(&nowhere, 40401);
        assert_eq!(nowhere.headers["content-type"], media);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_request_has_its_status_and_number() {
    let app = TestApp::start(Pair::Embedded, &[("CHANGTONG_HTTP__URI", "512B")]).await;
    let app = app.expect("embedded engines");
    let world = World::of(&app).await;
    let registry = app.registrant(world.provider.integrator.key());
    let versions = "/subjects/errors-value/versions";
    let send = async |body: &str| {
        let request = registry.request("post", versions).header("content-type", V1);
        Reply::of(request.body(body.to_owned())).await
    };
    refused(&registry.get("/nowhere").await, 404);
    refused(&Reply::of(registry.request("delete", "/schemas/types")).await, 405);
    refused(&send("").await, 422);
    refused(&send("[]").await, 422);
    refused(&send("{\"schema\":").await, 400);
    refused(&send("{\"schema\":\"{}\"}").await, 42201);
    refused(&send("{\"schema\":\"\\\"int\\\"\",\"schemaType\":\"PROTOBUF\"}").await, 42201);
    refused(&send(&" ".repeat(2 << 20)).await, 413);
    refused(&registry.get(&format!("/subjects?subjectPrefix={}", "x".repeat(600))).await, 414);
    refused(&registry.get("/subjects?limit=some").await, 400);
    refused(&registry.get("/schemas/ids/first").await, 404);
    refused(&registry.get(&format!("{versions}/0")).await, 42202);
    id_of(&send("{\"schema\":\"\\\"int\\\"\",\"later\":{\"members\":[1]}}").await);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_sent_as_a_bearer_token_or_as_the_password_of_its_account() {
    let app = TestApp::start(Pair::Embedded, &[]).await.expect("embedded engines");
    let world = World::of(&app).await;
    let key = world.provider.integrator.key();
    let basic = |user: &str, password: &str| STANDARD.encode(format!("{user}:{password}"));
    let account = &world.provider.integrator_account;
    for base in [format!("http://{}", app.registry), format!("http://{}/registry", app.api)] {
        let client = Client::new(base, None);
        let ask = async |authorization: Option<String>| {
            let request = client.request("get", "/schemas/types");
            Reply::of(match authorization {
                Some(authorization) => request.header("authorization", authorization),
                None => request,
            })
            .await
        };
        let good = [
            format!("Bearer {key}"),
            format!("Basic {}", basic(account, key)),
            format!("basic {}", basic("integrator", key)),
        ];
        for authorization in good {
            assert_eq!(ask(Some(authorization)).await.expect(200), json!(["AVRO"]));
        }
        let bad = [
            None,
            Some("Bearer ctk_nobody".to_owned()),
            Some(format!("Basic {}", basic("editor", key))),
            Some(format!("Basic {}", basic("integrator", "ctk_nobody"))),
            Some("Basic ?".to_owned()),
            Some(format!("Digest {key}")),
        ];
        for authorization in bad {
            let reply = ask(authorization.clone()).await;
            refused(&reply, 40101);
            let schemes: Vec<_> = reply.headers.get_all("www-authenticate").iter().collect();
            assert_eq!(schemes.len(), 2, "{authorization:?}: {schemes:?}");
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_hold_as_for_every_other_call() {
    let settings = [("CHANGTONG_LIMITS__ACCOUNT_REQUESTS_PER_SECOND", "5")];
    let app = TestApp::start(Pair::Embedded, &settings).await.expect("embedded engines");
    let registry = app.registrant(&app.authority);
    let mut refusal = None;
    for _ in 0..200 {
        let reply = registry.get("/schemas/types").await;
        if reply.status != 200 {
            refusal = Some(reply);
            break;
        }
    }
    let refusal = refusal.expect("a limit");
    refused(&refusal, 42901);
    assert_eq!(refusal.headers["retry-after"], "1");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_for_development_asks_no_credentials() {
    let app = TestApp::start_as(Pair::Embedded, &[], true).await.expect("embedded engines");
    let nobody = Client::new(format!("http://{}", app.registry), None);
    let registered = nobody.post("/subjects/dev-value/versions", one()).await;
    let id = id_of(&registered);
    let schema = nobody.get(&format!("/schemas/ids/{id}")).await.expect(200);
    assert_eq!(schema["schema"], one()["schema"]);
    refused(&app.registrant("ctk_nobody").get("/subjects").await, 40101);
    // One account, however often it is called; and it is an account like any other.
    let accounts = app.client(&app.authority).get("/api/v1/agencies/authority/accounts").await.expect(200);
    let names: Vec<_> =
        accounts["items"].as_array().expect("accounts").iter().map(|of| &of["name"]).collect();
    assert_eq!(names, ["authority", "development"]);
    app.stop().await;
}
