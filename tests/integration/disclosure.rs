//! What a provider is shown before it agrees: items, derived schema, a sample of its own records as the consumer would
//! see them, and what else is revealed. Looking changes nothing and leaves its event.

use serde_json::{Value, json};

use crate::support::{RESOURCE, TestApp, World, on_both_pairs, request_file, resource_file};

on_both_pairs!(a_provider_sees_what_the_consumer_would_see, a_sample_is_small_and_of_the_newest_records);

fn observation(station: &str, hour: usize, observer: &str) -> Value {
    json!({ "station": station, "hour": hour, "temp": "12.5", "observer": observer })
}

fn asked() -> Value {
    request_file(RESOURCE, &["hour", "observer"], Some("hour < 20"))
}

async fn previews(world: &World) -> Vec<Value> {
    let found = world.auditor.get("/api/v1/audit/events?code=preview").await.expect(200);
    found["items"].as_array().expect("events").clone()
}

async fn a_provider_sees_what_the_consumer_would_see(app: &TestApp) {
    let world = World::of(app).await;
    let code = world.entry(resource_file("conditional")).await;
    let (id, _) = world.request(asked()).await;
    let path = format!("/api/v1/requests/{id}/disclosure");
    let agreement = json!({ "filter": "station == \"JFK\"" });
    let shown = world.provider.reviewer.post(&path, agreement.clone()).await.expect(200);
    assert_eq!(shown["sample"]["records"], json!([]));
    assert_eq!(shown["sample"]["nothing"]["zh"], "该资源还没有记录,无样例可看");
    assert!(previews(&world).await.is_empty(), "nothing was shown");

    let lines = ["JFK", "LGA"].map(|station| (0..24).map(move |hour| observation(station, hour, "王小明")));
    let lines: Vec<Value> = lines.into_iter().flatten().collect();
    world.provider.integrator.publish(&code, &lines).await.expect(200);
    let shown = world.provider.reviewer.post(&path, agreement.clone()).await.expect(200);
    let names = |fields: &Value| -> Vec<String> {
        let fields = fields.as_array().expect("fields").iter();
        fields.map(|field| field["name"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(names(&shown["schema"]["fields"]), ["hour", "observer"]);
    let records = shown["sample"]["records"].as_array().expect("records");
    assert_eq!(records.len(), 5);
    assert!(shown["sample"].get("nothing").is_none());
    for record in records {
        let row = record["record"].as_object().expect("a record");
        assert_eq!(row.keys().collect::<Vec<_>>(), ["hour", "observer"], "nothing but what is asked for");
        assert!(row["hour"].as_u64().expect("an hour") < 20, "the consumer's filter holds");
        assert_eq!(row["observer"], "王**", "the resource's least mask holds");
    }
    let event = &previews(&world).await[0];
    assert_eq!((&event["request"], &event["sent"]), (&json!(id), &json!(5)));

    for caller in [&world.provider.editor, &world.consumer.reviewer] {
        assert_eq!(caller.post(&path, json!({})).await.code(), "forbidden");
    }
    let stranger = world.stranger.reviewer.post(&path, json!({})).await;
    assert_eq!(stranger.code(), "not_found", "{}", stranger.text);

    // The handles of the sample are nobody's.
    let agree = format!("/api/v1/requests/{id}/agree");
    let agreed = world.provider.reviewer.post(&agree, agreement).await.expect(200);
    let subscription = world.subscribe(agreed["grant"].as_str().expect("a grant"), "copy").await;
    let read = world.consumer.integrator.get(&format!("/api/v1/subscriptions/{subscription}/records")).await;
    let read = read.lines();
    let delivered = |record: &Value| read.iter().find(|line| line["id"] == record["id"]).expect("delivered");
    for record in records {
        let line = delivered(record);
        assert_eq!(line["record"], record["record"], "as it is delivered");
        assert_eq!(line["published_at"], record["published_at"]);
        assert_ne!(line["k"], record["k"]);
    }
}

async fn a_sample_is_small_and_of_the_newest_records(app: &TestApp) {
    let world = World::of(app).await;
    let code = world.entry(resource_file("conditional")).await;
    let (id, _) = world.request(asked()).await;
    let path = format!("/api/v1/requests/{id}/disclosure");
    let publish = async |observer: &str, records: usize| {
        let stations =
            (0..records).map(|number| observation(&format!("S{}", number / 10), number % 10, observer));
        world.provider.integrator.publish(&code, &stations.collect::<Vec<_>>()).await.expect(200);
    };
    publish("old", 300).await;
    publish("new", 2000).await;
    let old = json!({ "filter": "observer == \"old\"" });
    let shown = world.provider.reviewer.post(&path, old).await.expect(200);
    assert_eq!(shown["sample"]["records"], json!([]), "older records are not paged through");
    assert!(shown["sample"]["looked_at"].as_u64().expect("a number") <= 500);
    let reason = shown["sample"]["nothing"]["en"].as_str().expect("a reason");
    assert!(reason.contains("none of the newest"), "{reason}");
    let new = json!({ "filter": "observer == \"new\"" });
    let shown = world.provider.reviewer.post(&path, new).await.expect(200);
    assert_eq!(shown["sample"]["records"].as_array().expect("records").len(), 5);

    let suspend = format!("/api/v1/resources/{code}/suspend");
    world.provider.reviewer.post(&suspend, json!({ "cause": "data_fault" })).await.expect(200);
    let shown = world.provider.reviewer.post(&path, json!({})).await.expect(200);
    assert_eq!(shown["sample"]["records"], json!([]));
    assert!(shown["sample"]["nothing"]["zh"].as_str().expect("a reason").contains("暂停"), "{shown}");
    assert_eq!(previews(&world).await.len(), 1);
}
