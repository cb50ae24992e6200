//! Case 13: a clock that jumps. What ends at a time ends by store time; a jump is reported and not followed.

use changtong::jobs::ask_the_time;
use changtong_catalog::clock::Clock as _;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::scene::{Scene, in_chinese, observation, refused};
use crate::support::{TestApp, on_both_pairs};

on_both_pairs!(a_jump_of_store_time_is_reported_and_ends_nothing, what_ends_ends_by_store_time);

async fn readiness(app: &TestApp) -> (u16, Value) {
    let reply = app.operator().get("/health/ready").await;
    (reply.status, reply.json()["checks"]["clock"].clone())
}

/// The store's clock is moved; the job that asks it runs as it does every ten seconds.
async fn a_jump_of_store_time_is_reported_and_ends_nothing(app: &TestApp) {
    let scene = Scene::of(app).await;
    let grant = scene.granted(&["station", "hour"], None).await;
    let subscription = scene.world.subscribe(&grant, "copy").await;
    let records = format!("/api/v1/subscriptions/{subscription}/records");
    scene.publish(&[observation("JFK", 1)]).await.expect(200);
    let (clock, store) = (&app.app().clock, &app.app().store);
    let moved = async |by: TimeDelta| {
        store.shift_time(by);
        ask_the_time(app.app()).await.expect("the store answers");
    };
    for jump in [TimeDelta::minutes(5), -TimeDelta::minutes(5), TimeDelta::days(2), -TimeDelta::days(2)] {
        let before = clock.now();
        moved(jump).await;
        assert_eq!(readiness(app).await, (503, json!("clock_skew")), "{jump}");
        scene.others_are_served().await;
        let after = clock.now();
        assert!(before <= after && after - before < TimeDelta::minutes(1), "followed: {jump}");
        // Nothing expired and nothing came to life: a reader and a publisher go on.
        scene.world.consumer.integrator.get(&records).await.lines();
        scene.publish(&[observation("JFK", 1)]).await.expect(200);
        moved(TimeDelta::zero()).await;
        assert_eq!(readiness(app).await, (200, json!("ok")), "{jump}");
    }
    // A leap of a second and the slow drift of a clock are followed, and time never runs backwards.
    for step in [TimeDelta::seconds(1), -TimeDelta::seconds(1), TimeDelta::milliseconds(-900)] {
        let before = clock.now();
        moved(step).await;
        assert!(clock.now() >= before);
        assert_eq!(readiness(app).await, (200, json!("ok")), "{step}");
    }
    scene.others_are_served().await;
    // Events lie in the order in which they happened, whatever the clock said.
    let found = scene.world.auditor.get("/api/v1/audit/events?code=publish").await.expect(200);
    let times: Vec<&str> = found["items"]
        .as_array()
        .expect("events")
        .iter()
        .map(|e| e["at"].as_str().expect("a time"))
        .collect();
    assert!(times.len() >= 5 && times.is_sorted(), "{times:?}");
}

async fn what_ends_ends_by_store_time(app: &TestApp) {
    let scene = Scene::of(app).await;
    let keys = format!("/api/v1/accounts/{}/keys", scene.world.provider.integrator_account);
    let now = app.app().clock.now();
    let at = |time: chrono::DateTime<chrono::Utc>| time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let past = json!({ "roles": ["integrator"], "expires_at": at(now - TimeDelta::seconds(1)) });
    let refusal = scene.world.authority.post(&keys, past.clone()).await;
    assert_eq!(refused(&refusal, 422, "invalid")["path"], "expires_at");
    in_chinese(&scene.world.authority, "post", &keys, Some(past)).await;

    let soon = json!({ "roles": ["integrator"], "expires_at": at(now + TimeDelta::seconds(2)) });
    let key = scene.world.authority.post(&keys, soon).await.expect(201);
    let caller = app.client(key["text"].as_str().expect("a key"));
    caller.get("/api/v1/whoami").await.expect(200);
    // A client that is sure of another time changes nothing: only the server's clock is asked.
    let dated = caller.request("get", "/api/v1/whoami").header("date", "Thu, 01 Jan 1970 00:00:00 GMT");
    crate::support::Reply::of(dated).await.expect(200);
    while app.app().clock.now() < now + TimeDelta::seconds(2) {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    refused(&caller.get("/api/v1/whoami").await, 401, "unauthenticated");
    in_chinese(&caller, "get", "/api/v1/whoami", None).await;
    let mut file = scene.request(&["station"], None);
    file["valid_until"] = json!("2020-01-01");
    let written = scene.world.consumer.editor.post("/api/v1/requests", file).await;
    assert_eq!(refused(&written, 422, "invalid")["path"], "valid_until", "an end in the past");
    let requests = scene.world.consumer.editor.get("/api/v1/requests").await.expect(200);
    assert_eq!(requests["items"], json!([]), "nothing was asked for");
    let issued = scene.world.authority.get(&keys).await.expect(200);
    assert_eq!(
        issued["items"].as_array().expect("keys").len(),
        2,
        "and no key issued that had ended: {issued}"
    );
    scene.others_are_served().await;
}
