//! What the registry serves of resources and grants, over HTTP: a new generation's subjects, and ids that grants held.

use serde_json::{Value, json};

use super::{delete, id_of, one, refused};
use crate::support::{Client, TestApp, World, on_both_pairs, request_file, resource_file};

on_both_pairs!(a_new_generation_opens_new_subjects, what_a_grant_held_is_still_answered);

/// The text of a subject's latest version with one field more.
async fn widened(registry: &Client, subject: &str, name: &str) -> Value {
    let latest = registry.get(&format!("/subjects/{subject}/versions/latest")).await.expect(200);
    let text = latest["schema"].as_str().and_then(|text| text.strip_suffix("]}")).expect("a record");
    let field =
        format!(r#"{{"name":"{name}","type":["null","long"],"default":null,"title":"{name}","grade":1}}"#);
    json!({ "schema": format!("{text},{field}]}}") })
}

async fn a_new_generation_opens_new_subjects(app: &TestApp) {
    let world = World::of(app).await;
    let mut file = resource_file("unconditional");
    file["auto_register"] = json!(true);
    let code = world.entry(file).await;
    let integrator = app.registrant(world.provider.integrator.key());
    let reviewer = app.registrant(world.provider.reviewer.key());
    let row = |hour: i64| json!({ "station": "JFK", "hour": hour, "temp": "1.5", "observer": null });
    world.provider.integrator.publish(&code, &[row(1)]).await.expect(200);
    let subjects = integrator.get("/subjects").await.expect(200);
    let topic =
        subjects[1].as_str().and_then(|name| name.strip_suffix("-value")).expect("its topic").to_owned();
    assert!(topic.ends_with("ct.r.1"), "{topic}");
    let value = |generation: &str| format!("{topic}{generation}-value");
    let second = widened(&integrator, &value(""), "humidity").await;
    assert_eq!(
        reviewer.post(&format!("/subjects/{}/versions", value("")), second.clone()).await.expect(200)["version"],
        2
    );

    let path = format!("/api/v1/resources/{code}/new-generation");
    let moved = world.provider.reviewer.post(&path, json!({ "partitions": null })).await.expect(200);
    assert_eq!(moved["generation"], 2);
    let names = ["-key", "-value", ".2-key", ".2-value"].map(|tail| format!("{topic}{tail}"));
    assert_eq!(integrator.get("/subjects").await.expect(200), json!(names));
    for (part, numbers) in [("key", json!([1])), ("value", json!([1, 2]))] {
        let versions =
            [format!("/subjects/{topic}-{part}/versions"), format!("/subjects/{topic}.2-{part}/versions")];
        for versions in &versions {
            assert_eq!(integrator.get(versions).await.expect(200), numbers, "{versions}");
        }
        for number in numbers.as_array().expect("numbers") {
            let mut both = Vec::new();
            for versions in &versions {
                let mut shown = integrator.get(&format!("{versions}/{number}")).await.expect(200);
                assert!(
                    versions.contains(shown["subject"].take().as_str().expect("a subject")),
                    "{versions}"
                );
                both.push(shown);
            }
            assert_eq!(both[0], both[1], "id, guid and text of {part} {number}");
            let by_id = integrator.get(&format!("/schemas/ids/{}/subjects", both[0]["id"])).await.expect(200);
            assert_eq!(by_id, json!([format!("{topic}-{part}"), format!("{topic}.2-{part}")]));
        }
    }
    // The old subjects are as they were; what is new is new in the generation in force.
    let third = widened(&integrator, &value(".2"), "pressure").await;
    let versions = |generation: &str| format!("/subjects/{}/versions", value(generation));
    let known = id_of(&integrator.post(&versions(""), second.clone()).await);
    assert_eq!(id_of(&integrator.post(&versions(".2"), second).await), known);
    for generation in ["", ".2"] {
        let level = integrator.get(&format!("/config/{}", value(generation))).await.expect(200);
        assert_eq!(level["compatibilityLevel"], "FULL_TRANSITIVE");
        let path = format!("/compatibility/subjects/{}/versions", value(generation));
        let answer = integrator.post(&path, third.clone()).await.expect(200);
        assert_eq!(answer["is_compatible"], generation == ".2", "{generation}: {answer}");
    }
    refused(&reviewer.post(&versions(""), third.clone()).await, 42205);
    let newest = reviewer.post(&versions(".2"), third).await;
    assert_eq!(newest.expect(200)["version"], 3);
    assert_eq!(integrator.get(&versions("")).await.expect(200), json!([1, 2]));
    let receipt = world.provider.integrator.publish(&code, &[row(2)]).await.expect(200);
    assert_eq!(receipt["schema_id"], id_of(&newest), "records are of the new one");
    refused(&reviewer.post(&format!("/subjects/{topic}.3-value/versions"), one()).await, 42205);
}

async fn what_a_grant_held_is_still_answered(app: &TestApp) {
    let world = World::of(app).await;
    let code = world.entry(resource_file("unconditional")).await;
    let (_, asked) = world.request(request_file(&code, &["station", "hour", "temp"], None)).await;
    let grant = format!("/api/v1/grants/{}/schema", asked["grant"].as_str().expect("a grant"));
    let consumer = &world.consumer.integrator;
    let held = consumer.get(&grant).await.expect(200);
    let mut file = resource_file("unconditional");
    file["items"][2]["title"] = "气温(摄氏度)".into();
    world.propose(&code, file).await.expect(200);
    world.revise(&code).await.expect(200);
    let moved = consumer.post(&grant, json!({ "version": 2 })).await.expect(200);
    assert_ne!(moved["id"], held["id"]);

    let registry = app.registrant(consumer.key());
    let path = format!("/schemas/ids/{}", held["id"]);
    let shown = async || {
        for caller in
            [&registry, &app.registrant(world.provider.integrator.key()), &app.registrant(&app.authority)]
        {
            let shown = caller.get(&path).await.expect(200);
            let text = shown["schema"].as_str().expect("a schema");
            assert_eq!(serde_json::from_str::<Value>(text).expect("JSON"), held["schema"]);
            caller
                .get(&format!("/schemas/guids/{}", shown["guid"].as_str().expect("a guid")))
                .await
                .expect(200);
        }
        refused(&app.registrant(world.stranger.integrator.key()).get(&path).await, 40403);
    };
    shown().await;
    // Nor does it go with a subject of somebody's that has the same text.
    let body = json!({ "schema": registry.get(&path).await.expect(200)["schema"] });
    assert_eq!(json!(id_of(&registry.post("/subjects/copy/versions", body).await)), held["id"]);
    for permanent in ["", "?permanent=true"] {
        delete(&registry, &format!("/subjects/copy{permanent}")).await.expect(200);
    }
    shown().await;
}
