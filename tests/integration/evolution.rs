//! Schemas that change, from outside: what a change breaks and for whom, what is put in force, and how readers move on
//! at their own pace.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Client, Events, Reply, TestApp, World, on_both_pairs, request_file, resource_file};

on_both_pairs!(
    a_change_is_judged_before_it_is_made,
    only_who_decides_learns_for_whom,
    readers_move_on_at_their_own_pace,
    every_version_is_read_in_the_schema_that_is_held,
    a_reader_that_waits_follows_a_new_schema,
);

/// A published entry, and a grant on three of its items with a subscription.
async fn granted(world: &World) -> (String, String) {
    let code = world.entry(resource_file("unconditional")).await;
    let file = request_file(&code, &["station", "hour", "temp"], Some("hour < 20"));
    let (_, asked) = world.request(file).await;
    let grant = asked["grant"].as_str().expect("a grant").to_owned();
    world.subscribe(&grant, "copy").await;
    (code, grant)
}

/// The entry's file with other items.
fn file(change: impl FnOnce(&mut Vec<Value>)) -> Value {
    let mut file = resource_file("unconditional");
    change(file["items"].as_array_mut().expect("items"));
    file
}

async fn check(caller: &Client, code: &str, file: Value) -> Reply {
    caller.post(&format!("/api/v1/resources/{code}/schema/check"), json!({ "file": file })).await
}

/// Proposed by the editor, put in force by the reviewer.
async fn revise(world: &World, code: &str, file: Value) -> Reply {
    let proposed = world.propose(code, file).await;
    if proposed.status != 200 {
        return proposed;
    }
    world.revise(code).await
}

async fn a_change_is_judged_before_it_is_made(app: &TestApp) {
    let world = World::of(app).await;
    let (code, grant) = granted(&world).await;
    let editor = &world.provider.editor;

    let rescaled = check(editor, &code, file(|items| items[2]["scale"] = 2.into())).await.expect(200);
    assert_eq!((&rescaled["compatible"], &rescaled["level"]), (&json!(false), &json!("FULL_TRANSITIVE")));
    let found = &rescaled["breaks"][0];
    let said = ["path", "rule", "reason", "version"].map(|member| &found[member]);
    assert_eq!(said, [&json!("temp"), &json!("meaning"), &json!("decimal_scale"), &json!(1)]);
    for language in ["zh", "en"] {
        assert!(!found[language].as_str().expect("a text").is_empty());
    }
    let concerned = &rescaled["grants"][0];
    assert_eq!((&concerned["grant"], &rescaled["grants_total"]), (&json!(grant), &json!(1)));
    assert_eq!(concerned["consumer"]["alias"], "emergency");
    assert_eq!(concerned["subscriptions"], json!(["copy"]));
    assert_eq!((&concerned["uses"], &concerned["derived_schema_changes"]), (&json!(["temp"]), &json!(true)));
    assert_eq!(concerned["breaks"].as_array().map(Vec::len), Some(1));

    // What nobody is granted breaks nobody, and adding breaks nothing.
    let wind = wind();
    let wider = check(editor, &code, file(|items| items.push(wind))).await.expect(200);
    assert_eq!((&wider["compatible"], &wider["new_schema"]), (&json!(true), &json!(true)));
    assert_eq!(wider["changes"], json!([{ "item": "wind", "fate": "added" }]));
    assert_eq!((&wider["grants"][0]["uses"], &wider["grants"][0]["breaks"]), (&json!([]), &json!([])));
    assert_eq!(wider["grants"][0]["derived_schema_changes"], false);
    let unmasked = check(editor, &code, file(|items| items[3]["mask"] = Value::Null)).await.expect(200);
    assert_eq!(unmasked["breaks"][0]["reason"], "mask_removed");

    // A grant's own filter.
    let gone = file(|items| drop(items.remove(1)));
    let key = check(editor, &code, gone).await;
    assert_eq!((key.code(), &key.json()["path"]), ("schema_rejected".to_owned(), &json!("key[1]")));

    // The same as an Avro schema.
    let path = format!("/api/v1/resources/{code}/schema");
    let mut schema = editor.get(&path).await.expect(200)["value"]["schema"].clone();
    schema["fields"][2]["type"] = json!(["null", "double"]);
    for schema in [json!(schema.to_string()), schema.clone()] {
        let answer = editor.post(&format!("{path}/check"), json!({ "schema": schema })).await.expect(200);
        assert_eq!(
            answer["changes"],
            json!([{ "item": "temp", "fate": "changed", "members": ["type", "precision", "scale"] }])
        );
        assert!(answer["breaks"].as_array().expect("breaks").iter().any(|found| found["rule"] == "forward"));
    }
    for body in [json!({}), json!({ "file": resource_file("unconditional"), "schema": "\"int\"" })] {
        assert_eq!(editor.post(&format!("{path}/check"), body).await.code(), "invalid");
    }
    assert_eq!(editor.get(&path).await.expect(200)["version"], 1, "asking changes nothing");
}

async fn only_who_decides_learns_for_whom(app: &TestApp) {
    let world = World::of(app).await;
    let (code, _) = granted(&world).await;
    let proposed = || file(|items| items[2]["scale"] = 2.into());
    let refused = [
        &world.provider.integrator,
        &world.consumer.reviewer,
        &world.stranger.editor,
        &world.authority,
        &world.operator,
        &world.auditor,
    ];
    for caller in refused {
        let answer = check(caller, &code, proposed()).await;
        assert_eq!(answer.code(), "forbidden");
        assert!(!answer.text.contains("emergency"), "{}", answer.text);
    }
    let refused = revise(&world, &code, proposed()).await;
    assert_eq!((refused.status, refused.code()), (409, "schema_incompatible".to_owned()));
    let problem = refused.json();
    assert_eq!(problem["differences"][0]["reason"], "decimal_scale");
    assert!(problem["detail"].as_str().expect("a text").contains("changtong schema check"), "{problem}");
    let mut hidden = resource_file("unconditional");
    hidden["title"] = "未发布".into();
    let hidden = world.provider.editor.post("/api/v1/resources", hidden).await.expect(201);
    let hidden = hidden["code"].as_str().expect("a code").replace('/', "-");
    assert_eq!(check(&world.stranger.editor, &hidden, proposed()).await.code(), "not_found");
    assert_eq!(check(&world.provider.editor, &hidden, proposed()).await.code(), "invalid_state");
}

async fn readers_move_on_at_their_own_pace(app: &TestApp) {
    let world = World::of(app).await;
    let (code, grant) = granted(&world).await;
    let path = format!("/api/v1/grants/{grant}/schema");
    let reader = &world.consumer.integrator;
    let held = reader.get(&path).await.expect(200);
    assert_eq!((&held["version"], &held["newest"], &held["differences"]), (&json!(1), &json!(1), &json!([])));

    let wind = wind();
    let changed = file(|items| {
        items[2]["title"] = "气温(摄氏度)".into();
        items.push(wind);
        items.swap(3, 4);
    });
    let revised = revise(&world, &code, changed).await.expect(200);
    let versions = world.stranger.editor.get(&format!("/api/v1/resources/{code}/schema")).await.expect(200);
    let ids: Vec<&Value> =
        versions["versions"].as_array().expect("versions").iter().map(|version| &version["id"]).collect();
    assert_eq!((ids.len(), ids[1]), (2, &revised["schema_id"]));
    assert_eq!((&versions["version"], &versions["value"]["id"]), (&json!(2), ids[1]));

    let after = reader.get(&path).await.expect(200);
    assert_eq!((&after["version"], &after["newest"], &after["id"]), (&json!(1), &json!(2), &held["id"]));
    assert_eq!(after["differences"], json!([{ "item": "temp", "fate": "changed", "members": ["title"] }]));
    for caller in [&world.provider.reviewer, &world.consumer.editor] {
        assert_eq!(caller.post(&path, json!({ "version": 2 })).await.code(), "forbidden");
    }
    assert_eq!(reader.post(&path, json!({ "version": 3 })).await.code(), "invalid");
    let moved = reader.post(&path, json!({ "version": 2 })).await.expect(200);
    assert_eq!(
        (&moved["version"], &moved["newest"], &moved["differences"]),
        (&json!(2), &json!(2), &json!([]))
    );
    assert_ne!(moved["id"], held["id"]);
    assert_eq!(moved["schema"]["fields"][2]["title"], "气温(摄氏度)");
    assert_eq!(reader.post(&path, json!({ "version": 2 })).await.expect(200), moved, "asked again");
    assert_eq!(reader.post(&path, json!({ "version": 1 })).await.code(), "invalid", "only forward");
    let events = world.auditor.get("/api/v1/audit/events?code=grant.schema_moved").await.expect(200);
    let found: Vec<&Value> = events["items"].as_array().expect("events").iter().collect();
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0]["schema_version"], &found[0]["schema"]), (&json!(2), &moved["id"]));
}

fn wind() -> Value {
    json!({ "name": "wind", "title": "风速", "type": "I", "nullable": true })
}

/// All records that a grant shows from the start on, by their hour.
async fn read_all(reader: &Client, subscription: &str) -> Vec<Value> {
    let seek = format!("/api/v1/subscriptions/{subscription}/seek");
    reader.post(&seek, json!({ "from": "start" })).await.expect(200);
    let read = reader.get(&format!("/api/v1/subscriptions/{subscription}/records")).await;
    assert_eq!(read.status, 200, "{}", read.text);
    by_hour(&read.lines())
}

fn by_hour(lines: &[Value]) -> Vec<Value> {
    let mut records: Vec<Value> = lines.iter().filter_map(|line| line.get("record").cloned()).collect();
    records.sort_by_key(|record| record["hour"].as_i64());
    records
}

async fn every_version_is_read_in_the_schema_that_is_held(app: &TestApp) {
    let world = World::of(app).await;
    let code = world.entry(resource_file("unconditional")).await;
    let (_, asked) = world.request(request_file(&code, &["station", "hour", "observer"], None)).await;
    let grant = asked["grant"].as_str().expect("a grant").to_owned();
    let subscription = world.subscribe(&grant, "copy").await;
    let (publisher, reader) = (&world.provider.integrator, &world.consumer.integrator);
    let old = json!({ "station": "JFK", "hour": 1, "temp": "12.5", "observer": "王小明" });
    publisher.publish(&code, &[old]).await.expect(200);

    // Without the observer, with another order, and an item more.
    let changed = file(|items| {
        items.pop();
        items.insert(0, wind());
    });
    revise(&world, &code, changed).await.expect(200);
    let new = json!({ "station": "JFK", "hour": 2, "temp": null, "wind": 30 });
    publisher.publish(&code, &[new]).await.expect(200);
    let unknown = json!({ "station": "JFK", "hour": 3, "observer": "王小明" });
    assert_eq!(publisher.publish(&code, &[unknown]).await.code(), "records_invalid");

    let held = [
        json!({ "station": "JFK", "hour": 1, "observer": "王**" }),
        json!({ "station": "JFK", "hour": 2, "observer": null }),
    ];
    assert_eq!(read_all(reader, &subscription).await, held);
    let own = by_hour(&publisher.get(&format!("/api/v1/resources/{code}/records")).await.lines());
    assert_eq!(
        own[0],
        json!({ "wind": null, "station": "JFK", "hour": 1, "temp": "12.5" }),
        "as it is in force"
    );
    let path = format!("/api/v1/resources/{code}/records?version=1");
    let published = json!({ "station": "JFK", "hour": 1, "temp": "12.5", "observer": "王小明" });
    assert_eq!(by_hour(&publisher.get(&path).await.lines())[0], published, "what it holds still");
    let request = publisher.request("get", &path).header("accept", "application/avro");
    let file = request.send().await.expect("an answer").bytes().await.expect("the whole answer");
    assert!(file.windows(9).any(|text| text == "王小明".as_bytes()), "in a file too");
    let unknown = publisher.get(&format!("/api/v1/resources/{code}/records?version=3")).await;
    assert_eq!((unknown.status, unknown.code()), (422, "invalid".to_owned()));

    let moved =
        reader.post(&format!("/api/v1/grants/{grant}/schema"), json!({ "version": 2 })).await.expect(200);
    assert_eq!(moved["schema"]["fields"].as_array().map(Vec::len), Some(2));
    let rows = [json!({ "station": "JFK", "hour": 1 }), json!({ "station": "JFK", "hour": 2 })];
    assert_eq!(read_all(reader, &subscription).await, rows);

    // What was copied is of both versions still.
    let path = format!("/api/v1/resources/{code}/new-generation");
    world.provider.reviewer.post(&path, json!({})).await.expect(200);
    let versions = world.provider.editor.get(&format!("/api/v1/resources/{code}/schema")).await.expect(200);
    assert_eq!(versions["versions"].as_array().map(Vec::len), Some(2), "{versions}");
    assert_eq!(read_all(reader, &subscription).await, rows);
}

async fn a_reader_that_waits_follows_a_new_schema(app: &TestApp) {
    let world = World::of(app).await;
    let (code, grant) = granted(&world).await;
    let subscription = world.subscribe(&grant, "waiting").await;
    let (publisher, reader) = (&world.provider.integrator, &world.consumer.integrator);
    publisher.publish(&code, &[json!({ "station": "JFK", "hour": 1 })]).await.expect(200);
    let records = format!("/api/v1/subscriptions/{subscription}/records");
    let next = reader.get(&records).await.lines().last().expect("an end")["next"].clone();
    let next = next.as_str().expect("a cursor");
    let mut stream = Events::open(reader, &records, Some(next)).await.expect("a stream");
    let poll = async { reader.get(&format!("{records}?cursor={next}&wait=20s")).await };
    let change = async {
        while app.app().gate.metrics().waiting_polls.get() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        revise(&world, &code, file(|items| items.insert(0, wind()))).await.expect(200);
        let line = json!({ "station": "JFK", "hour": 2, "wind": 30 });
        publisher.publish(&code, &[line]).await.expect(200);
    };
    let (read, ()) = tokio::join!(poll, change);
    let expected = json!({ "station": "JFK", "hour": 2, "temp": null });
    assert_eq!(read.lines()[0]["record"], expected, "{}", read.text);
    let said = stream.records(1).await.pop().expect("an event");
    assert_eq!(said.data["record"], expected);
}
