//! The registry's surface over plain HTTP: what clients' own programs do not ask, or do not show.

use serde_json::{Value, json};

use super::{delete, id_of, one, put, record, refused, two, wrong};
use crate::support::{Client, TestApp, World, on_both_pairs, resource_file};

on_both_pairs!(
    subjects_versions_and_ids,
    texts_and_formats,
    lists_have_pages_prefixes_and_deleted_ones,
    compatibility_and_its_messages,
    settings_of_subjects_and_of_everything,
    imports_keep_their_ids,
    contexts_are_spaces_of_their_own,
    versions_of_a_resource_are_versions_of_its_subject,
    a_new_text_under_a_resources_subject_revises_its_entry,
    one_schema_registered_at_once_has_one_id,
);

async fn registry(app: &TestApp) -> Client {
    app.registrant(World::of(app).await.provider.integrator.key())
}

async fn subjects_versions_and_ids(app: &TestApp) {
    let registry = registry(app).await;
    let subject = "/subjects/a%2Fb%20%E6%B0%94%E8%B1%A1";
    let name = "a/b 气象";
    let versions = format!("{subject}/versions");
    let made = registry.post(&versions, one()).await;
    let first = id_of(&made);
    assert_eq!(made.json()["version"], 1, "{}", made.text);
    let guid = made.json()["guid"].clone();
    let second = id_of(&registry.post(&versions, two()).await);
    assert_eq!(id_of(&registry.post(&versions, one()).await), first, "the same again is the same");
    assert_eq!(registry.get("/subjects").await.expect(200), json!([name]));
    let shown = registry.get(&format!("{versions}/1")).await.expect(200);
    let members = ["subject", "version", "id", "schemaType", "schema", "guid"].map(|member| &shown[member]);
    let text = &one()["schema"];
    assert_eq!(members, [&json!(name), &json!(1), &json!(first), &json!("AVRO"), text, &guid]);
    for latest in ["latest", "-1", "2"] {
        assert_eq!(registry.get(&format!("{versions}/{latest}")).await.expect(200)["id"], second);
    }
    refused(&registry.get(&format!("{versions}/3")).await, 40402);
    for version in ["0", "-2", "x", "2147483648"] {
        let message = refused(&registry.get(&format!("{versions}/{version}")).await, 42202);
        assert!(
            message.starts_with(&format!("The specified version '{version}' is not a valid")),
            "{message}"
        );
    }
    let found = registry.post(subject, one()).await.expect(200);
    assert_eq!((&found["version"], &found["id"]), (&json!(1), &json!(first)));
    assert_eq!(refused(&registry.post(subject, wrong()).await, 40403), "Schema not found");
    assert_eq!(refused(&registry.post("/subjects/no", one()).await, 40401), "Subject 'no' not found.");

    let by_id = registry.get(&format!("/schemas/ids/{first}?fetchMaxId=true")).await.expect(200);
    assert_eq!((&by_id["schema"], &by_id["maxId"]), (text, &json!(second)));
    assert_eq!(registry.get(&format!("/schemas/ids/{first}/subjects")).await.expect(200), json!([name]));
    let places = registry.get(&format!("/schemas/ids/{first}/versions")).await.expect(200);
    assert_eq!(places, json!([{ "subject": name, "version": 1 }]));
    assert_eq!(refused(&registry.get("/schemas/ids/99999").await, 40403), "Schema 99999 not found");
    let guid = guid.as_str().expect("a guid");
    assert_eq!(registry.get(&format!("/schemas/guids/{guid}")).await.expect(200)["schema"], *text);
    let ids = registry.get(&format!("/schemas/guids/{guid}/ids")).await.expect(200);
    assert_eq!(ids, json!([{ "context": ".", "id": first }]));
    refused(&registry.get("/schemas/guids/no-guid").await, 40403);
}

async fn texts_and_formats(app: &TestApp) {
    let registry = registry(app).await;
    let plain = registry.post("/subjects/text/versions", json!({ "schema": "{\"type\": \"string\"}" })).await;
    let id = id_of(&plain);
    assert_eq!(registry.get(&format!("/schemas/ids/{id}/schema")).await.text, "\"string\"");
    assert_eq!(registry.get("/subjects/text/versions/1/schema").await.text, "\"string\"");
    registry.post("/subjects/inner/versions", one()).await.expect(200);
    let outer = json!({ "type": "record", "name": "Outer", "fields": [{ "name": "of", "type": "weather.Observation" }] });
    let reference = json!([{ "name": "weather.Observation", "subject": "inner", "version": 1 }]);
    let body = json!({ "schema": outer.to_string(), "references": reference });
    let outer = id_of(&registry.post("/subjects/outer/versions", body).await);
    let shown = registry.get("/subjects/outer/versions/latest").await.expect(200);
    assert_eq!(shown["references"], reference);
    let resolved = registry.get("/subjects/outer/versions/latest/schema?format=resolved").await;
    let resolved: Value = resolved.json();
    assert_eq!(resolved["fields"][0]["type"]["fields"][0]["name"], "station", "{resolved}");
    let by_id = registry.get(&format!("/schemas/ids/{outer}?format=resolved")).await.expect(200);
    assert!(by_id["schema"].as_str().expect("a schema").contains("station"), "{by_id}");
    assert_eq!(registry.get("/subjects/inner/versions/1/referencedby").await.expect(200), json!([outer]));
    let message = refused(&delete(&registry, "/subjects/inner/versions/1").await, 42206);
    assert!(message.starts_with("One or more references exist to the schema"), "{message}");
    let dangling =
        json!({ "schema": "\"int\"", "references": [{ "name": "x", "subject": "no", "version": 1 }] });
    refused(&registry.post("/subjects/dangling/versions", dangling).await, 42201);
    // Names written out, as normalising does, are the same schema only where that is asked for.
    let shuffled = json!({ "schema": "{\"fields\":[{\"type\":\"string\",\"name\":\"station\"}],\"type\":\"record\",\
        \"name\":\"weather.Observation\"}" });
    let normal = registry.post("/subjects/normal/versions?normalize=true", shuffled.clone()).await;
    let again = registry.post("/subjects/normal/versions?normalize=True", one()).await;
    assert_eq!(id_of(&normal), id_of(&again));
}

async fn lists_have_pages_prefixes_and_deleted_ones(app: &TestApp) {
    let registry = registry(app).await;
    for subject in ["p1", "p2", "q1"] {
        registry.post(&format!("/subjects/{subject}/versions"), one()).await.expect(200);
        registry.post(&format!("/subjects/{subject}/versions"), two()).await.expect(200);
    }
    let list = async |path: &str| registry.get(path).await.expect(200);
    assert_eq!(list("/subjects?subjectPrefix=p").await, json!(["p1", "p2"]));
    assert_eq!(list("/subjects?offset=1&limit=1").await, json!(["p2"]));
    assert_eq!(delete(&registry, "/subjects/p1/versions/1").await.expect(200), json!(1));
    assert_eq!(list("/subjects/p1/versions").await, json!([2]));
    assert_eq!(list("/subjects/p1/versions?deleted=true").await, json!([1, 2]));
    assert_eq!(list("/subjects/p1/versions?deletedOnly=true").await, json!([1]));
    assert_eq!(list("/subjects/p1/versions?deletedAsNegative=true").await, json!([-1, 2]));
    assert_eq!(delete(&registry, "/subjects/q1").await.expect(200), json!([1, 2]));
    assert_eq!(list("/subjects").await, json!(["p1", "p2"]));
    assert_eq!(list("/subjects?deleted=true").await, json!(["p1", "p2", "q1"]));
    assert_eq!(list("/subjects?deletedOnly=true").await, json!(["q1"]));
    let subjects = |schemas: Value| -> Vec<String> {
        let schemas = schemas.as_array().expect("schemas").clone();
        schemas.iter().map(|one| format!("{}/{}", one["subject"].as_str().unwrap(), one["version"])).collect()
    };
    assert_eq!(subjects(list("/schemas").await), ["p1/2", "p2/1", "p2/2"]);
    assert_eq!(subjects(list("/schemas?latestOnly=true").await), ["p1/2", "p2/2"]);
    assert_eq!(subjects(list("/schemas?deleted=true&subjectPrefix=q").await), ["q1/1", "q1/2"]);
    assert_eq!(subjects(list("/schemas?offset=1&limit=1").await), ["p2/1"]);
    // What was deleted softly still answers by its id, and comes back when it is registered again.
    let again = registry.post("/subjects/q1/versions", one()).await.expect(200);
    assert_eq!(again["version"], 3, "a number is never used again");
}

async fn compatibility_and_its_messages(app: &TestApp) {
    let registry = registry(app).await;
    registry.post("/subjects/c/versions", one()).await.expect(200);
    registry.post("/subjects/c/versions", two()).await.expect(200);
    let ask =
        async |path: &str, body: Value| registry.post(&format!("/compatibility/subjects/{path}"), body).await;
    assert_eq!(ask("c/versions/latest", two()).await.expect(200), json!({ "is_compatible": true }));
    assert_eq!(ask("c/versions/1", wrong()).await.expect(200), json!({ "is_compatible": false }));
    assert_eq!(ask("new/versions/latest", wrong()).await.expect(200)["is_compatible"], true);
    refused(&ask("c/versions/9", wrong()).await, 40402);
    refused(&ask("c/versions/first", wrong()).await, 42202);
    refused(&ask("c/versions/latest", json!({ "schema": "{" })).await, 42201);
    let told = ask("c/versions?verbose=True", wrong()).await.expect(200);
    let messages = told["messages"].to_string();
    assert!(messages.contains("READER_FIELD_MISSING_DEFAULT_VALUE") && messages.contains("hour"), "{told}");
    let message = refused(&registry.post("/subjects/c/versions", wrong()).await, 409);
    assert!(
        message.starts_with("Schema being registered is incompatible with an earlier schema"),
        "{message}"
    );
}

async fn settings_of_subjects_and_of_everything(app: &TestApp) {
    let registry = registry(app).await;
    let level = async |path: &str| registry.get(path).await.expect(200)["compatibilityLevel"].clone();
    assert_eq!(level("/config").await, "BACKWARD");
    refused(&registry.get("/config/s").await, 40408);
    assert_eq!(level("/config/s?defaultToGlobal=true").await, "BACKWARD");
    let set = put(&registry, "/config/s", json!({ "compatibility": "full" })).await.expect(200);
    assert_eq!(set["compatibility"], "FULL", "a subject may have settings before it has schemas");
    assert_eq!(level("/config/s").await, "FULL");
    refused(&put(&registry, "/config/s", json!({ "compatibility": "SOMEHOW" })).await, 42203);
    assert_eq!(delete(&registry, "/config/s").await.expect(200)["compatibilityLevel"], "FULL");
    refused(&registry.get("/config/s").await, 40408);
    assert_eq!(registry.get("/mode").await.expect(200), json!({ "mode": "READWRITE" }));
    refused(&registry.get("/mode/s").await, 40409);
    assert_eq!(registry.get("/mode/s?defaultToGlobal=true").await.expect(200)["mode"], "READWRITE");
    let set = put(&registry, "/mode/s", json!({ "mode": "READONLY" })).await.expect(200);
    assert_eq!(set, json!({ "mode": "READONLY" }));
    refused(&registry.post("/subjects/s/versions", one()).await, 42205);
    refused(&put(&registry, "/mode/s", json!({ "mode": "SOMETIMES" })).await, 42204);
    assert_eq!(delete(&registry, "/mode/s").await.expect(200), json!({ "mode": "READONLY" }));
    registry.post("/subjects/s/versions", one()).await.expect(200);
}

async fn imports_keep_their_ids(app: &TestApp) {
    // The authority's, as whatever sets aside what is checked elsewhere.
    let registry = app.registrant(&app.authority);
    let with = |id: i64, version: i64| {
        let mut body = record(&format!(r#"{{"name":"f{id}","type":"int"}}"#));
        (body["id"], body["version"]) = (json!(id), json!(version));
        body
    };
    refused(&registry.post("/subjects/i/versions", with(70_000, 1)).await, 42205);
    put(&registry, "/mode/i", json!({ "mode": "IMPORT" })).await.expect(200);
    assert_eq!(id_of(&registry.post("/subjects/i/versions", with(70_000, 4)).await), 70_000);
    // Unchecked against what is there, as it was where it comes from.
    assert_eq!(id_of(&registry.post("/subjects/i/versions", with(70_001, 5)).await), 70_001);
    let mut other = with(70_002, 6);
    other["id"] = json!(70_001);
    refused(&registry.post("/subjects/i/versions", other).await, 42205);
    assert_eq!(registry.get("/subjects/i/versions").await.expect(200), json!([4, 5]));
    delete(&registry, "/mode/i").await.expect(200);
    let next = id_of(&registry.post("/subjects/later/versions", one()).await);
    assert!(next > 70_001, "{next} might be one that was imported");
}

async fn contexts_are_spaces_of_their_own(app: &TestApp) {
    let world = World::of(app).await;
    let registry = app.registrant(world.provider.integrator.key());
    registry.post("/subjects/plain/versions", two()).await.expect(200);
    let inside = registry.post("/contexts/.x/subjects/s/versions", one()).await;
    let id = id_of(&inside);
    assert_eq!(inside.json()["subject"], ":.x:s", "{}", inside.text);
    assert_eq!(id_of(&registry.post("/subjects/:.x:s/versions", one()).await), id);
    let shown = registry.get("/subjects/%3A.x%3As/versions/latest").await.expect(200);
    assert_eq!(shown["subject"], ":.x:s");
    assert_eq!(registry.get("/contexts").await.expect(200), json!([".", ".x"]));
    // A client whose address has a context asks everything there.
    assert_eq!(registry.get("/contexts/.x/").await.expect(200), json!({}));
    assert_eq!(registry.get("/contexts/.x/contexts").await.expect(200), json!([".", ".x"]));
    for what in ["id", "version", "deployment"] {
        let here = registry.get(&format!("/contexts/.x/v1/metadata/{what}")).await.expect(200);
        assert_eq!(here, registry.get(&format!("/v1/metadata/{what}")).await.expect(200));
    }
    // Others do not learn what contexts are called.
    let stranger = app.registrant(world.stranger.integrator.key());
    assert_eq!(stranger.get("/contexts").await.expect(200), json!(["."]));
    assert_eq!(registry.get("/contexts/.x/subjects").await.expect(200), json!([":.x:s"]));
    assert_eq!(registry.get("/subjects?subjectPrefix=:.x:").await.expect(200), json!([":.x:s"]));
    let by_id = registry.get(&format!("/contexts/.x/schemas/ids/{id}")).await.expect(200);
    assert_eq!(by_id["schema"], one()["schema"]);
    let by_id = registry.get(&format!("/schemas/ids/{id}?subject=:.x:s")).await.expect(200);
    assert_eq!(by_id["schema"], one()["schema"]);
    put(&registry, "/contexts/.x/config/s", json!({ "compatibility": "NONE" })).await.expect(200);
    assert_eq!(registry.get("/config/:.x:s").await.expect(200)["compatibilityLevel"], "NONE");
    refused(&registry.get("/config/s").await, 40408);
    registry.post("/contexts/.x/subjects/s/versions", wrong()).await.expect(200);
    let authority = app.registrant(&app.authority);
    refused(&delete(&authority, "/contexts/.x").await, 42211);
    for permanent in ["", "?permanent=true"] {
        delete(&registry, &format!("/subjects/:.x:s{permanent}")).await.expect(200);
    }
    assert_eq!(delete(&authority, "/contexts/.x").await.status, 204);
    assert_eq!(registry.get("/contexts").await.expect(200), json!(["."]));
}

async fn versions_of_a_resource_are_versions_of_its_subject(app: &TestApp) {
    let world = World::of(app).await;
    let code = world.entry(resource_file("unconditional")).await;
    let schemas = world.provider.editor.get(&format!("/api/v1/resources/{code}/schema")).await.expect(200);
    let registry = app.registrant(world.provider.integrator.key());
    let subjects = registry.get("/subjects").await.expect(200);
    let names: Vec<&str> = subjects.as_array().expect("subjects").iter().filter_map(Value::as_str).collect();
    assert_eq!(names.len(), 2, "{subjects}");
    for (part, name) in [("key", names[0]), ("value", names[1])] {
        assert!(name.ends_with(&format!("-{part}")), "{name}");
        let version = registry.get(&format!("/subjects/{name}/versions/latest")).await.expect(200);
        assert_eq!(version["id"], schemas[part]["id"], "{version}");
        let text = version["schema"].as_str().expect("a schema");
        let known: Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(known, schemas[part]["schema"]);
        let again = registry.post(&format!("/subjects/{name}/versions"), json!({ "schema": text })).await;
        assert_eq!(json!(id_of(&again)), schemas[part]["id"]);
    }
    let value = names[1];
    let message = refused(&registry.post(&format!("/subjects/{value}/versions"), one()).await, 42205);
    assert!(message.contains("resource revise"), "{message}");
    refused(&delete(&registry, &format!("/subjects/{value}")).await, 42205);
    let level = registry.get(&format!("/config/{value}?defaultToGlobal=true")).await.expect(200);
    assert_eq!(level["compatibilityLevel"], "FULL_TRANSITIVE");
}

async fn a_new_text_under_a_resources_subject_revises_its_entry(app: &TestApp) {
    let world = World::of(app).await;
    let mut file = resource_file("unconditional");
    file["auto_register"] = json!(true);
    let code = world.entry(file).await;
    let integrator = app.registrant(world.provider.integrator.key());
    let reviewer = app.registrant(world.provider.reviewer.key());
    let subjects = integrator.get("/subjects").await.expect(200);
    let subject = subjects[1].as_str().expect("the subject of its values");
    let versions = format!("/subjects/{subject}/versions");
    let latest = integrator.get(&format!("{versions}/latest")).await.expect(200);
    let text = latest["schema"].as_str().and_then(|text| text.strip_suffix("]}")).expect("a record");
    let field = r#"{"name":"humidity","type":["null","long"],"default":null,"title":"湿度","grade":1}"#;
    let new = json!({ "schema": format!("{text},{field}]}}") });
    refused(&integrator.post(&versions, new.clone()).await, 42205);
    let registered = reviewer.post(&versions, new.clone()).await;
    assert_eq!(registered.expect(200)["version"], 2);
    assert_eq!(id_of(&integrator.post(&versions, new).await), id_of(&registered), "known from now on");
    // What the registry says is what the gate does.
    let row = json!({ "station": "JFK", "hour": 1, "temp": null, "observer": null, "humidity": 40 });
    let receipt = world.provider.integrator.publish(&code, &[row]).await.expect(200);
    assert_eq!(receipt["schema_id"], id_of(&registered));
    let without = json!({ "schema": format!("{text}]}}").replace("\"hour\"", "\"minute\"") });
    refused(&reviewer.post(&versions, without).await, 409);
}

async fn one_schema_registered_at_once_has_one_id(app: &TestApp) {
    let registry = registry(app).await;
    let register = |n: usize| {
        let registry = registry.clone();
        async move { id_of(&registry.post(&format!("/subjects/at-once-{}/versions", n % 4), one()).await) }
    };
    let ids = futures::future::join_all((0..16).map(register)).await;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(registry.get("/subjects/at-once-0/versions").await.expect(200), json!([1]));
}
