//! What every answer of the registry has in common: media types, errors, credentials, limits, and both addresses.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::refused;
use crate::support::{Client, Pair, Reply, TestApp, World};

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
    for _ in 0..2 {
        assert_eq!(nobody.get("/schemas/types").await.expect(200), json!(["AVRO"]));
    }
    refused(&app.registrant("ctk_nobody").get("/schemas/types").await, 40101);
    // One account, however often it is called; and it is an account like any other.
    let accounts = app.client(&app.authority).get("/api/v1/agencies/authority/accounts").await.expect(200);
    let names: Vec<_> =
        accounts["items"].as_array().expect("accounts").iter().map(|of| &of["name"]).collect();
    assert_eq!(names, ["authority", "development"]);
    app.stop().await;
}
