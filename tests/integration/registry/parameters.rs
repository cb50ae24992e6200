//! Query parameters that no client's program writes: each does what docs/compatibility.md says.

use serde_json::{Value, json};

use super::{delete, id_of, one, put, record, refused, two, wrong};
use crate::support::{Client, TestApp, World, on_both_pairs};

on_both_pairs!(
    pages_of_what_has_a_schema,
    contexts_by_their_beginning,
    schemas_by_the_rules_they_run,
    a_long_list_comes_whole,
    formats_tags_and_references,
    what_breaks_is_taken_by_force,
    every_answer_with_a_text_has_the_format_asked_for,
    modes_within_go_with_the_contexts_own,
);

async fn registry(app: &TestApp) -> Client {
    app.registrant(World::of(app).await.provider.integrator.key())
}

async fn pages_of_what_has_a_schema(app: &TestApp) {
    let registry = registry(app).await;
    let list = async |path: String| registry.get(&path).await.expect(200);
    let mut id = 0;
    for subject in ["a", "b", "c"] {
        id = id_of(&registry.post(&format!("/subjects/{subject}/versions"), one()).await);
    }
    let subjects = format!("/schemas/ids/{id}/subjects");
    let versions = format!("/schemas/ids/{id}/versions");
    assert_eq!(list(format!("{subjects}?offset=1&limit=1")).await, json!(["b"]));
    assert_eq!(list(format!("{subjects}?offset=2")).await, json!(["c"]));
    assert_eq!(list(format!("{subjects}?subject=b")).await, json!(["b"]));
    let of_c = json!([{ "subject": "c", "version": 1 }]);
    assert_eq!(list(format!("{versions}?offset=2&limit=5")).await, of_c);
    delete(&registry, "/subjects/c").await.expect(200);
    assert_eq!(list(subjects.clone()).await, json!(["a", "b"]));
    assert_eq!(list(format!("{subjects}?deleted=true")).await, json!(["a", "b", "c"]));
    assert_eq!(list(versions.clone()).await.as_array().map(Vec::len), Some(2));
    assert_eq!(list(format!("{versions}?deleted=true&subject=c")).await, of_c);

    let reference = json!([{ "name": "weather.Observation", "subject": "a", "version": 1 }]);
    let mut referring = Vec::new();
    for number in 0..3 {
        let schema = json!({ "type": "record", "name": format!("O{number}"),
            "fields": [{ "name": "of", "type": "weather.Observation" }] });
        let body = json!({ "schema": schema.to_string(), "references": reference });
        referring.push(id_of(&registry.post(&format!("/subjects/o{number}/versions"), body).await));
    }
    let by = "/subjects/a/versions/1/referencedby";
    assert_eq!(list(by.to_owned()).await, json!(referring));
    assert_eq!(list(format!("{by}?offset=1&limit=1")).await, json!([referring[1]]));
    delete(&registry, "/subjects/o0").await.expect(200);
    assert_eq!(list(by.to_owned()).await, json!(referring[1..]));
    assert_eq!(list(format!("{by}?deleted=true")).await, json!(referring));

    let mut tagged = two();
    tagged["metadata"] = json!({ "properties": { "team": "north", "stage": "trial" } });
    registry.post("/subjects/a/versions", tagged).await.expect(200);
    let mut later = record(r#"{"name":"station","type":"string"},{"name":"x","type":"int","default":0}"#);
    later["metadata"] = json!({ "properties": { "team": "north", "stage": "live" } });
    registry.post("/subjects/a/versions", later).await.expect(200);
    let with = "/subjects/a/metadata?key=team&value=north&key=stage&value=trial";
    assert_eq!(list(with.to_owned()).await["version"], 2);
    refused(&registry.get("/subjects/a/metadata?key=team&value=south").await, 40403);
    delete(&registry, "/subjects/a/versions/2").await.expect(200);
    refused(&registry.get(with).await, 40403);
    assert_eq!(list(format!("{with}&deleted=true")).await["version"], 2);
}

async fn contexts_by_their_beginning(app: &TestApp) {
    let registry = registry(app).await;
    for context in [".a1", ".a2", ".b"] {
        registry.post(&format!("/contexts/{context}/subjects/s/versions"), one()).await.expect(200);
    }
    let list = async |query: &str| registry.get(&format!("/contexts{query}")).await.expect(200);
    assert_eq!(list("").await, json!([".", ".a1", ".a2", ".b"]));
    assert_eq!(list("?contextPrefix=.a").await, json!([".a1", ".a2"]));
    assert_eq!(list("?offset=1&limit=2").await, json!([".a1", ".a2"]));
    assert_eq!(list("?contextPrefix=.a&offset=1").await, json!([".a2"]));
}

async fn schemas_by_the_rules_they_run(app: &TestApp) {
    let registry = registry(app).await;
    for (subject, handler) in [("a", "CEL"), ("b", "ENCRYPT"), ("c", "CEL")] {
        let mut body = one();
        body["ruleSet"] = json!({ "domainRules":
            [{ "name": "r", "kind": "CONDITION", "mode": "WRITE", "type": handler, "expr": "true" }] });
        registry.post(&format!("/subjects/{subject}/versions"), body).await.expect(200);
    }
    registry.post("/subjects/d/versions", one()).await.expect(200);
    let names = async |query: &str| -> Vec<String> {
        let found: Value = registry.get(&format!("/schemas?{query}")).await.expect(200);
        let found = found.as_array().expect("schemas").clone();
        found.iter().map(|one| one["subject"].as_str().expect("a subject").to_owned()).collect()
    };
    assert_eq!(names("ruleType=CEL").await, ["a", "c"]);
    assert_eq!(names("ruleType=CEL&offset=1").await, ["c"]);
    assert_eq!(names("ruleType=ENCRYPT&limit=1").await, ["b"]);
    assert_eq!(names("ruleType=nobody").await, [""; 0]);
    put(&registry, "/config/also", json!({ "alias": "d" })).await.expect(200);
    let with = registry.get("/schemas?subjectPrefix=d&aliases=true").await.expect(200);
    assert_eq!((&with[0]["subject"], &with[0]["aliases"]), (&json!("d"), &json!(["also"])));
    let other = registry.get("/schemas?subjectPrefix=b&aliases=true").await.expect(200);
    assert_eq!(other[0]["aliases"], json!([]));
    assert_eq!(registry.get("/schemas?subjectPrefix=d").await.expect(200)[0]["aliases"], Value::Null);
}

/// More than is read at once.
async fn a_long_list_comes_whole(app: &TestApp) {
    let registry = registry(app).await;
    put(&registry, "/config/s", json!({ "compatibility": "NONE" })).await.expect(200);
    for number in 0..9 {
        let text = json!({ "type": "string", "n": number, "x": "x".repeat(200_000) }).to_string();
        id_of(&registry.post("/subjects/s/versions", json!({ "schema": text })).await);
    }
    let found = registry.get("/schemas").await;
    assert_eq!(found.headers["content-type"], "application/vnd.schemaregistry.v1+json");
    let found = found.expect(200);
    let versions: Vec<_> = found
        .as_array()
        .expect("schemas")
        .iter()
        .map(|one| one["version"].as_i64().expect("a number"))
        .collect();
    assert_eq!(versions, (1..=9).collect::<Vec<_>>());
    assert!(found.as_array().expect("schemas").iter().all(|one| one["schema"].to_string().len() > 200_000));
}

async fn formats_tags_and_references(app: &TestApp) {
    let registry = registry(app).await;
    let schema = json!({ "type": "record", "name": "P", "namespace": "n", "confluent:tags": ["PERSON"], "fields": [
        { "name": "id", "type": "string", "confluent:tags": ["PII", "KEY"] },
        { "name": "of", "type": { "type": "record", "name": "Q", "fields":
            [{ "name": "phone", "type": ["null", "string"], "confluent:tags": ["PII"] }] } },
    ] });
    let tagged = id_of(&registry.post("/subjects/t/versions", json!({ "schema": schema.to_string() })).await);
    let found = async |path: String| registry.get(&path).await.expect(200)["schemaTags"].clone();
    let of = |path: &str, kind: &str, tags: &[&str]| json!({ "schemaEntity": { "entityPath": path, "entityType": kind }, "tags": tags });
    let pii = json!([of("n.P.id", "sr_field", &["PII"]), of("n.Q.phone", "sr_field", &["PII"])]);
    assert_eq!(found(format!("/schemas/ids/{tagged}?findTags=PII")).await, pii);
    assert_eq!(found("/subjects/t/versions/1?findTags=PII&findTags=none".to_owned()).await, pii);
    let all = json!([
        of("n.P", "sr_record", &["PERSON"]),
        of("n.P.id", "sr_field", &["PII", "KEY"]),
        of("n.Q.phone", "sr_field", &["PII"]),
    ]);
    assert_eq!(found(format!("/schemas/ids/{tagged}?findTags=*")).await, all);
    assert_eq!(found(format!("/schemas/ids/{tagged}")).await, Value::Null);

    registry.post("/contexts/.x/subjects/inner/versions", one()).await.expect(200);
    let outer = json!({ "type": "array", "items": "weather.Observation" }).to_string();
    let reference =
        |subject: &str| json!([{ "name": "weather.Observation", "subject": subject, "version": 1 }]);
    let body = json!({ "schema": outer, "references": reference("inner") });
    let made = registry.post("/contexts/.x/subjects/outer/versions", body).await;
    let (id, guid) = (id_of(&made), made.json()["guid"].as_str().expect("a guid").to_owned());
    let by_id =
        async |query: &str| registry.get(&format!("/contexts/.x/schemas/ids/{id}{query}")).await.expect(200);
    assert_eq!(by_id("").await["references"], reference("inner"));
    assert_eq!(by_id("?referenceFormat=QUALIFIED").await["references"], reference(":.x:inner"));
    let by_guid = registry.get(&format!("/schemas/guids/{guid}?format=resolved")).await.expect(200);
    assert!(by_guid["schema"].as_str().expect("a schema").contains("station"), "{by_guid}");
}

async fn what_breaks_is_taken_by_force(app: &TestApp) {
    let registry = registry(app).await;
    let versions = "/subjects/f/versions";
    registry.post(versions, one()).await.expect(200);
    for query in ["", "?force=false", "?force=yes"] {
        refused(&registry.post(&format!("{versions}{query}"), wrong()).await, 409);
    }
    let forced = registry.post(&format!("{versions}?force=true"), wrong()).await;
    assert_eq!(forced.expect(200)["version"], 2);
    // It is a version as every other: later ones are held against it, and nothing else is passed over.
    assert_eq!(id_of(&registry.post(versions, wrong()).await), id_of(&forced));
    let unfit = record(r#"{"name":"station","type":"string","default":1}"#);
    refused(&registry.post(&format!("{versions}?force=true"), unfit).await, 42201);
    put(&registry, "/mode/f", json!({ "mode": "READONLY" })).await.expect(200);
    refused(&registry.post(&format!("{versions}?force=true"), two()).await, 42205);
}

async fn every_answer_with_a_text_has_the_format_asked_for(app: &TestApp) {
    let registry = registry(app).await;
    registry.post("/subjects/inner/versions", one()).await.expect(200);
    let kept = json!({ "type": "array", "items": "weather.Observation" });
    let reference = json!([{ "name": "weather.Observation", "subject": "inner", "version": 1 }]);
    let body = json!({ "schema": kept.to_string(), "references": reference });
    let text = |answer: Value| -> Value {
        serde_json::from_str(answer["schema"].as_str().expect("a schema")).expect("JSON")
    };
    let whole: Value = text(one());
    let whole = json!({ "type": "array", "items": whole });
    for (query, expected) in
        [("", &kept), ("?format=resolved", &whole), ("?format=RESOLVED", &whole), ("?format=other", &kept)]
    {
        let registered = registry.post(&format!("/subjects/outer/versions{query}"), body.clone()).await;
        let looked_up = registry.post(&format!("/subjects/outer{query}"), body.clone()).await;
        let shown = registry.get(&format!("/subjects/outer/versions/1{query}")).await;
        let alone = registry.get(&format!("/subjects/outer/versions/1/schema{query}")).await;
        for answer in [registered, looked_up, shown] {
            let answer = answer.expect(200);
            assert_eq!((&answer["version"], &answer["references"]), (&json!(1), &reference), "{query}");
            assert_eq!(text(answer), *expected, "{query}");
        }
        assert_eq!(alone.json(), *expected, "{query}");
    }
}

async fn modes_within_go_with_the_contexts_own(app: &TestApp) {
    let world = World::of(app).await;
    let registry = app.registrant(world.provider.integrator.key());
    let operator = app.registrant(world.operator.key());
    let mode = async |path: &str| registry.get(path).await;
    let set = async || {
        for at in ["/mode", "/mode/:.x:"] {
            put(&operator, at, json!({ "mode": "READONLY" })).await.expect(200);
        }
        for at in ["/mode/a", "/mode/:.x:b"] {
            put(&registry, at, json!({ "mode": "READWRITE" })).await.expect(200);
        }
    };
    set().await;
    assert_eq!(delete(&operator, "/mode").await.expect(200), json!({ "mode": "READONLY" }));
    assert_eq!(mode("/mode/a").await.expect(200)["mode"], "READWRITE", "its own stays");
    set().await;
    assert_eq!(delete(&operator, "/mode?recursive=true").await.expect(200), json!({ "mode": "READONLY" }));
    refused(&mode("/mode/a").await, 40409);
    assert_eq!(mode("/mode/:.x:b").await.expect(200)["mode"], "READWRITE", "of another context");
    assert_eq!(mode("/mode/:.x:c?defaultToGlobal=true").await.expect(200)["mode"], "READONLY");
    assert_eq!(
        delete(&operator, "/mode/:.x:?recursive=true").await.expect(200),
        json!({ "mode": "READONLY" })
    );
    refused(&mode("/mode/:.x:b").await, 40409);
    assert_eq!(mode("/mode/:.x:c?defaultToGlobal=true").await.expect(200)["mode"], "READWRITE");
}
