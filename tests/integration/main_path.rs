//! The main job from end to end: agency, resource, publish, request, grant, subscribe, acknowledge, revoke.

use serde_json::{Value, json};

use crate::support::{RESOURCE, TestApp, World, number, on_both_pairs, request_file, resource_file};

on_both_pairs!(a_grant_from_request_to_revoke, a_conditional_resource_is_decided_by_its_provider);

fn observation(station: &str, hour: i64, temp: Option<&str>) -> Value {
    json!({ "station": station, "hour": hour, "temp": temp, "observer": "王小明" })
}

async fn a_grant_from_request_to_revoke(app: &TestApp) {
    let world = World::of(app).await;
    let code = world.entry(resource_file("unconditional")).await;
    assert_eq!(code, RESOURCE);

    let lines: Vec<Value> =
        (0..24).flat_map(|hour| ["JFK", "LGA"].map(|at| observation(at, hour, Some("12.5")))).collect();
    let receipt = world.provider.integrator.publish(&code, &lines).await.expect(200);
    assert_eq!(number(&receipt, "accepted"), 48);
    assert_eq!(receipt["replayed"], false);
    let runs = receipt["runs"].as_array().unwrap();
    let covered: i64 = runs.iter().map(|run| number(run, "last") - number(run, "first") + 1).sum();
    assert_eq!(covered, 48);

    // An unconditional resource is granted with the consent of the consumer's head alone.
    let items = ["station", "hour", "temp"];
    let (_, request) = world.request(request_file(RESOURCE, &items, Some("station == \"JFK\""))).await;
    assert_eq!(request["state"], "agreed");
    let grant = request["grant"].as_str().expect("a grant").to_owned();
    let shown = world.consumer.integrator.get(&format!("/api/v1/grants/{grant}")).await.expect(200);
    assert_eq!(shown["state"], "active");
    assert_eq!(shown["items"], json!(items));

    let subscription = world.subscribe(&grant, "map").await;
    let records = format!("/api/v1/subscriptions/{subscription}/records");
    let read = world.consumer.integrator.get(&records).await.lines();
    let (end, rows) = read.split_last().expect("a last line");
    assert_eq!(rows.len(), 24, "only what the filter passes");
    for row in rows {
        assert_eq!(row["op"], "upsert");
        assert_eq!(row["record"]["station"], "JFK");
        assert_eq!(row["record"]["temp"], "12.5");
        let names: Vec<&String> = row["record"].as_object().unwrap().keys().collect();
        assert_eq!(names.len(), items.len(), "only granted items: {names:?}");
    }

    // Unacknowledged records come again; acknowledged ones don't.
    assert_eq!(world.consumer.integrator.get(&records).await.lines().len(), 25);
    let ack = json!({ "next": end["next"], "window": end["window"], "digest": end["digest"] });
    let acks = format!("/api/v1/subscriptions/{subscription}/acks");
    world.consumer.integrator.post(&acks, ack).await.expect(204);
    let again = world.consumer.integrator.get(&records).await.lines();
    assert_eq!(again.len(), 1, "nothing but the last line: {again:?}");

    let revoke = format!("/api/v1/grants/{grant}/revoke");
    let ended =
        world.provider.reviewer.post(&revoke, json!({ "cause": "purpose_done", "filing": "备案1号" })).await;
    let last_left = ended.expect(200)["last_left"].clone();
    assert!(last_left[&subscription].is_string(), "{last_left}");
    let refused = world.consumer.integrator.get(&records).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "grant_revoked"));
}

async fn a_conditional_resource_is_decided_by_its_provider(app: &TestApp) {
    let world = World::of(app).await;
    let code = world.entry(resource_file("conditional")).await;
    world.provider.integrator.publish(&code, &[observation("JFK", 1, None)]).await.expect(200);

    let (id, request) = world.request(request_file(RESOURCE, &["station", "hour", "observer"], None)).await;
    assert_eq!(request["state"], "submitted");
    let agree = format!("/api/v1/requests/{id}/agree");
    let foreign = world.stranger.reviewer.post(&agree, json!({})).await;
    assert_eq!(foreign.status, 404, "a stranger doesn't learn that the request exists");
    let agreed = world.provider.reviewer.post(&agree, json!({ "filter": "temp == null" })).await.expect(200);
    let grant = agreed["grant"].as_str().expect("a grant");
    let terms = format!("/api/v1/grants/{grant}");
    let given = world.provider.reviewer.get(&terms).await.expect(200);
    assert_eq!(given["provider_filter"], "temp == null");
    let held = world.consumer.integrator.get(&terms).await.expect(200);
    assert!(
        held.get("provider_filter").is_none(),
        "it names an item that the consumer isn't granted: {held}"
    );

    let schema = world.consumer.integrator.get(&format!("/api/v1/grants/{grant}/schema")).await.expect(200);
    let fields = schema["schema"]["fields"].as_array().unwrap();
    assert_eq!(fields.len(), 3);
    let subscription = world.subscribe(grant, "copy").await;
    let read = world.consumer.integrator.get(&format!("/api/v1/subscriptions/{subscription}/records")).await;
    let row = &read.lines()[0];
    assert_eq!(row["record"]["observer"], "王**", "the resource's own mask holds");
}
