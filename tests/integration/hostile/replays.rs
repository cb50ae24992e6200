//! Cases 12 and 20: requests that come again, with another body, at once, from others, or long after; and records that
//! come again to whoever did not acknowledge them.

use changtong_catalog::clock::Clock as _;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::scene::{Scene, observation, refused, said_in_chinese};
use crate::support::{Client, Reply, TestApp, number, on_both_pairs};

on_both_pairs!(
    of_one_key_one_batch_counts,
    of_requests_at_once_with_one_key_one_counts,
    what_is_not_acknowledged_comes_again_as_the_same_record,
);

fn asked(caller: &Client, language: &str, path: &str, key: &str, lines: &[Value]) -> RequestBuilder {
    let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let request = caller.request_in(language, "post", path).header("content-type", "application/x-ndjson");
    request.header("idempotency-key", key).body(body)
}

async fn publish(caller: &Client, path: &str, key: &str, lines: &[Value]) -> Reply {
    Reply::of(asked(caller, "en", path, key, lines)).await
}

async fn of_one_key_one_batch_counts(app: &TestApp) {
    let scene = Scene::of(app).await;
    let (path, owner) = (scene.records(), &scene.world.provider.integrator);
    let batch = [observation("JFK", 1), observation("LGA", 1)];
    let first = publish(owner, &path, "k1", &batch).await.expect(200);

    let other = publish(owner, &path, "k1", &[observation("EWR", 1)]).await;
    let problem = refused(&other, 422, "idempotency_key_reused");
    assert!(!problem.to_string().contains("EWR"), "{problem}");
    let words = said_in_chinese(asked(owner, "zh", &path, "k1", &[observation("EWR", 1)])).await;
    assert!(words.contains("Idempotency-Key") && !words.contains("EWR"), "{words}");
    let otherwise = publish(owner, &format!("{path}?on_invalid=quarantine"), "k1", &batch).await;
    refused(&otherwise, 422, "idempotency_key_reused");

    let again = publish(owner, &path, "k1", &batch).await.expect(200);
    assert_eq!(
        (&again["batch"], &again["runs"]),
        (&first["batch"], &first["runs"]),
        "the first result stands"
    );
    assert_eq!((first["replayed"].as_bool(), again["replayed"].as_bool()), (Some(false), Some(true)));

    // The word of one account means nothing to another, not even of the same agency.
    let accounts = "/api/v1/agencies/meteorology/accounts";
    let second = json!({ "name": "second", "roles": ["integrator"] });
    let second = scene.world.authority.post(accounts, second).await.expect(201);
    let keys = format!("/api/v1/accounts/{}/keys", second["id"].as_str().expect("an id"));
    let key = scene.world.authority.post(&keys, json!({ "roles": ["integrator"] })).await.expect(201);
    let second = app.client(key["text"].as_str().expect("a key"));
    let theirs = publish(&second, &path, "k1", &[observation("EWR", 2)]).await.expect(200);
    assert_eq!(theirs["replayed"], false);
    refused(&publish(&scene.world.stranger.integrator, &path, "k1", &batch).await, 403, "forbidden");

    // A refusal is judged again.
    let broken = publish(owner, &path, "k2", &[json!({ "station": "JFK" })]).await;
    refused(&broken, 422, "records_invalid");
    publish(owner, &path, "k2", &[observation("EWR", 3)]).await.expect(200);
    assert_eq!(scene.own().await.len(), 4);

    // Once it is forgotten, by store time, the word is free again.
    let (now, kept) = (app.app().clock.now(), app.app().settings.time.idempotency);
    app.app().store.forget_claims(now - kept).await.expect("looked through");
    let again = publish(owner, &path, "k1", &batch).await.expect(200);
    assert_eq!(again["replayed"], true, "it is kept for its time");
    app.app().store.forget_claims(now + kept).await.expect("forgotten");
    let later = publish(owner, &path, "k1", &[observation("EWR", 4)]).await.expect(200);
    assert_eq!(later["replayed"], false);
    assert_eq!(scene.own().await.len(), 5);
    scene.others_are_served().await;
}

async fn of_requests_at_once_with_one_key_one_counts(app: &TestApp) {
    let scene = Scene::of(app).await;
    let (path, owner) = (scene.records(), &scene.world.provider.integrator);
    for round in 0..4 {
        let mut calls = JoinSet::new();
        for caller in 0..12 {
            let (owner, path) = (owner.clone(), path.clone());
            // Two bodies under one key: whichever is first decides.
            let batch: Vec<Value> =
                (0..20).map(|hour| observation(&format!("S{round}{}", caller % 2), hour)).collect();
            // Half of them are told in Chinese why they wait.
            let language = if caller % 4 < 2 { "en" } else { "zh" };
            let key = format!("round-{round}");
            calls.spawn(async move { Reply::of(asked(&owner, language, &path, &key, &batch)).await });
        }
        let answers = calls.join_all().await;
        let done: Vec<Value> = answers.iter().filter(|reply| reply.status == 200).map(Reply::json).collect();
        let fresh = done.iter().filter(|receipt| receipt["replayed"] == false).count();
        assert_eq!(fresh, 1, "one of them published: {answers:?}");
        assert!(done.iter().all(|receipt| receipt["batch"] == done[0]["batch"]), "all name that one");
        for reply in answers.iter().filter(|reply| reply.status != 200) {
            let code = reply.code();
            let status = if code == "idempotency_in_progress" { 409 } else { 422 };
            assert!(matches!(code.as_str(), "idempotency_in_progress" | "idempotency_key_reused"), "{code}");
            refused(reply, status, &code);
            let comes_back = reply.headers.contains_key("retry-after");
            assert_eq!(comes_back, code == "idempotency_in_progress", "{}", reply.text);
        }
        assert_eq!(scene.own().await.len(), 20 * (round + 1), "visible once, and whole");
    }
    scene.others_are_served().await;
}

async fn what_is_not_acknowledged_comes_again_as_the_same_record(app: &TestApp) {
    let scene = Scene::of(app).await;
    scene.publish(&(0..24).map(|hour| observation("JFK", hour)).collect::<Vec<_>>()).await.expect(200);
    let grant = scene.granted(&["station", "hour"], None).await;
    let subscription = scene.world.subscribe(&grant, "copy").await;
    let reader = &scene.world.consumer.integrator;
    let records = format!("/api/v1/subscriptions/{subscription}/records");
    let ids = |reply: &Reply| -> Vec<String> {
        let lines = reply.lines();
        let (_, rows) = lines.split_last().expect("a last line");
        let mut ids: Vec<_> = rows.iter().map(|row| row["id"].as_str().expect("an id").to_owned()).collect();
        // Across keys no order is promised.
        ids.sort_unstable();
        ids
    };
    // A consumer dies before it acknowledges, three times over.
    let reads = [reader.get(&records).await, reader.get(&records).await, reader.get(&records).await];
    let first = ids(&reads[0]);
    assert_eq!(first.len(), 24);
    assert!(reads.iter().all(|read| ids(read) == first), "the same records by the same ids");
    let end = reads[2].lines().pop().expect("a last line");
    let acks = format!("/api/v1/subscriptions/{subscription}/acks");
    let ack = json!({ "next": end["next"], "window": end["window"], "digest": end["digest"] });
    for _ in 0..3 {
        // A retried acknowledgement moves nothing twice.
        reader.post(&acks, ack.clone()).await.expect(204);
    }
    assert_eq!(reader.get(&records).await.lines().len(), 1);
    let receipt = scene.publish(&[observation("LGA", 1)]).await.expect(200);
    assert_eq!(number(&receipt, "accepted"), 1);
    assert_eq!(ids(&reader.get(&records).await).len(), 1, "behind what was acknowledged");
    assert_eq!(scene.own().await.len(), 25, "each counts once, however often it was read");
    scene.others_are_served().await;
}
