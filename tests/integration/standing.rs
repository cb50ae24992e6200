//! What is shut out stays out, what has ended says so as often as it is asked, and an end goes on without its caller
//! (protocol.md 7).

use std::time::Duration;

use changtong_catalog::audit::{Actor, Event, GrantExpired};
use changtong_catalog::clock::Clock as _;
use changtong_catalog::ids::{EventId, GrantId};
use changtong_catalog::store::LockClass;
use serde_json::json;

use crate::support::{TestApp, World, offsets_of, on_both_pairs, request_file, resource_file};

on_both_pairs!(
    a_suspended_provider_stops_its_resources_until_it_is_resumed,
    what_has_ended_answers_last_left_again,
    a_revoke_goes_on_when_its_caller_leaves,
    nothing_is_not_a_limit,
    a_grant_that_has_ended_shows_what_had_left,
);

const ITEMS: [&str; 2] = ["station", "hour"];

/// A table with two records, a grant on it and a subscription that has read them.
struct Reading {
    world: World,
    code: String,
    grant: String,
    subscription: String,
    records: String,
}

async fn reading(app: &TestApp) -> Reading {
    let world = World::of(app).await;
    let code = world.entry(resource_file("unconditional")).await;
    let rows = [json!({ "station": "JFK", "hour": 1 }), json!({ "station": "LGA", "hour": 1 })];
    world.provider.integrator.publish(&code, &rows).await.expect(200);
    let (_, request) = world.request(request_file(&code, &ITEMS, None)).await;
    let grant = request["grant"].as_str().expect("a grant").to_owned();
    let subscription = world.subscribe(&grant, "copy").await;
    let records = format!("/api/v1/subscriptions/{subscription}/records");
    assert_eq!(world.consumer.integrator.get(&records).await.lines().len(), 3);
    Reading { world, code, grant, subscription, records }
}

async fn a_suspended_provider_stops_its_resources_until_it_is_resumed(app: &TestApp) {
    let Reading { world, code, grant, subscription, records } = reading(app).await;
    let (reader, waits) = (world.consumer.integrator.clone(), format!("{records}?wait=60s"));
    let end = world.consumer.integrator.get(&records).await.lines().pop().expect("a last line");
    let ack = json!({ "next": end["next"] });
    reader.post(&format!("/api/v1/subscriptions/{subscription}/acks"), ack).await.expect(204);
    let waiting = tokio::spawn(async move { reader.get(&waits).await });
    tokio::time::sleep(Duration::from_millis(100)).await;

    let path = |act: &str| format!("/api/v1/agencies/meteorology/{act}");
    let ended = world.authority.post(&path("suspend"), json!({ "cause": "security" })).await.expect(200);
    assert!(ended["last_left"][&subscription].is_string(), "windows of its resources end: {ended}");
    let refused = waiting.await.expect("the waiting poll");
    assert_eq!((refused.status, refused.code().as_str()), (409, "provider_suspended"), "it does not wait on");
    let refused = world.consumer.integrator.get(&records).await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "provider_suspended"));
    assert!(refused.json()["reasons"].as_array().is_some_and(|reasons| {
        reasons.iter().any(|reason| *reason == json!({ "factor": "provider", "holds": false }))
    }));
    let asked = world.consumer.editor.post("/api/v1/requests", request_file(&code, &ITEMS, None)).await;
    assert_eq!((asked.status, asked.code().as_str()), (409, "provider_suspended"));
    let shown = world.consumer.editor.get(&format!("/api/v1/resources/{code}")).await.expect(200);
    assert_eq!(shown["provider_suspended"], true);
    let again = world.authority.post(&path("suspend"), json!({ "cause": "security" })).await.expect(200);
    assert_eq!(again, ended);

    world.authority.post(&path("resume"), json!({})).await.expect(200);
    world.provider.integrator.publish(&code, &[json!({ "station": "JFK", "hour": 2 })]).await.expect(200);
    assert_eq!(world.consumer.integrator.get(&records).await.lines().len(), 2);

    world.authority.post(&path("suspend"), json!({})).await.expect(200);
    let revoke = format!("/api/v1/grants/{grant}/revoke");
    let revoked = world.authority.post(&revoke, json!({ "cause": "security", "filing": "备案3号" })).await;
    assert!(revoked.expect(200)["last_left"][&subscription].is_string());
    let refused = world.consumer.integrator.get(&records).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "grant_revoked"));
}

async fn what_has_ended_answers_last_left_again(app: &TestApp) {
    let Reading { world, code, grant, subscription, .. } = reading(app).await;
    let cause = json!({ "cause": "data_fault" });
    let calls = [
        (&world.authority, format!("/api/v1/keys/{}/revoke", world.consumer.integrator_key)),
        (&world.authority, format!("/api/v1/accounts/{}/suspend", world.consumer.integrator_account)),
        (&world.authority, "/api/v1/agencies/emergency/suspend".to_owned()),
        (&world.provider.reviewer, format!("/api/v1/grants/{grant}/suspend")),
        (&world.provider.reviewer, format!("/api/v1/grants/{grant}/revoke")),
        (&world.provider.reviewer, format!("/api/v1/resources/{code}/suspend")),
        (&world.provider.reviewer, format!("/api/v1/resources/{code}/retire")),
    ];
    for (caller, path) in calls {
        let first = caller.post(&path, cause.clone()).await.expect(200);
        assert!(first["last_left"][&subscription].is_string(), "{path}: {first}");
        assert_eq!(caller.post(&path, cause.clone()).await.expect(200), first, "{path}");
    }
    let other = json!({ "cause": "misuse" });
    let refused = world.provider.reviewer.post(&format!("/api/v1/grants/{grant}/revoke"), other).await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "invalid_state"), "another cause");
}

async fn a_revoke_goes_on_when_its_caller_leaves(app: &TestApp) {
    let Reading { world, grant, .. } = reading(app).await;
    let path = format!("/api/v1/grants/{grant}");
    // The change waits for this one; meanwhile its caller leaves.
    let mut held = app.app().store.begin().await.expect("a transaction");
    let id: GrantId = grant.parse().expect("an id");
    held.lock_exclusive(LockClass::Grant, id).await.expect("the grant's lock");
    let revoke = world.provider.reviewer.request("post", &format!("{path}/revoke"));
    let body = json!({ "cause": "misuse", "filing": "备案4号" });
    let left = revoke.json(&body).timeout(Duration::from_millis(300)).send().await;
    assert!(left.is_err_and(|error| error.is_timeout()), "it answered although it had to wait");
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(held);
    let revoked = async {
        while world.provider.reviewer.get(&path).await.expect(200)["state"] != "revoked" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), revoked).await.expect("the revoke stopped half way");
}

async fn nothing_is_not_a_limit(app: &TestApp) {
    let Reading { world, code, records, .. } = reading(app).await;
    for none in ["limit=0", "max_bytes=0"] {
        let refused = world.consumer.integrator.get(&format!("{records}?{none}")).await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "bad_request"), "{none}");
        let own = format!("/api/v1/resources/{code}/records?{none}");
        let refused = world.provider.integrator.get(&own).await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "bad_request"), "{none}");
    }
}

/// Of one that expires nobody is answered when it ends.
async fn a_grant_that_has_ended_shows_what_had_left(app: &TestApp) {
    let Reading { world, grant, subscription, records, .. } = reading(app).await;
    let (reader, path) = (&world.consumer.integrator, format!("/api/v1/grants/{grant}"));
    assert!(reader.get(&path).await.expect(200).get("last_left").is_none(), "it is active");
    let store = &app.app().store;
    let mut tx = store.begin().await.expect("a transaction");
    let id: GrantId = grant.parse().expect("an id");
    let mut ends = tx.grant_to_change(id).await.expect("an answer").expect("the grant");
    let now = app.app().clock.now();
    (ends.valid_until, ends.version) = (Some(now), ends.version + 1);
    tx.update_grant(&ends).await.expect("it ends");
    // A change has its event, whoever makes it.
    let (version, resource) = (ends.version, ends.resource);
    let what = GrantExpired { grant: id, version, resource, valid_until: now };
    let event = EventId(app.app().ids.uuid(now));
    tx.record(&Event::new(event, now, Actor::Server, what)).await.expect("its event");
    tx.finish().await.expect("committed");

    let shown = reader.get(&path).await.expect(200);
    assert_eq!(shown["state"], "expired");
    let left = shown["last_left"][&subscription].as_str().unwrap_or_else(|| panic!("{shown}"));
    let behind: i64 = offsets_of(&json!(left)).iter().sum();
    assert_eq!(behind, 2, "both records had left");
    assert_eq!(reader.get(&records).await.code(), "grant_expired");
    assert_eq!(world.provider.reviewer.get(&path).await.expect(200)["last_left"], shown["last_left"]);

    world.provider.reviewer.post(&format!("{path}/revoke"), json!({ "cause": "overdue" })).await;
    assert_eq!(reader.get(&path).await.expect(200)["last_left"], shown["last_left"]);
}
