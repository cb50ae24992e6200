//! `resource new-generation` on both pairs: a table's readers begin anew and hold the same, a stream's go on where they
//! were, floors, keys and source positions stay.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{Client, Reply, TestApp, World, number, on_both_pairs, resource_file};

on_both_pairs!(
    a_table_begins_anew_and_holds_the_same,
    a_stream_goes_on_where_it_was,
    floors_stay_where_they_were,
    keys_and_source_positions_go_on,
    who_may_and_what_is_refused,
);

fn observation(station: usize, hour: i64, temp: &str) -> Value {
    json!({ "station": format!("S{station}"), "hour": hour, "temp": temp })
}

fn request_file(code: &str, history: &str) -> Value {
    json!({
        "resource": code,
        "consumer": "emergency",
        "purposes": [{ "code": "storm", "text": "暴雨应急" }],
        "basis": "突发事件应对职责",
        "consented_by": { "office": "应急局办公室", "document": "应急函〔2026〕1号" },
        "history": history,
        "items": ["station", "hour", "temp"],
        "valid_until": "2090-12-31",
    })
}

async fn granted(world: &World, code: &str, history: &str) -> String {
    let (_, request) = world.request(request_file(code, history)).await;
    request["grant"].as_str().expect("a grant").to_owned()
}

async fn new_generation(world: &World, code: &str, partitions: Option<i32>) -> Value {
    let path = format!("/api/v1/resources/{code}/new-generation");
    world.provider.reviewer.post(&path, json!({ "partitions": partitions })).await.expect(200)
}

async fn read(world: &World, subscription: &str, cursor: Option<&str>, limit: usize) -> Reply {
    let cursor = cursor.map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
    let path = format!("/api/v1/subscriptions/{subscription}/records?limit={limit}{cursor}");
    world.consumer.integrator.get(&path).await
}

/// Every line from a cursor on, and the cursor behind the last.
async fn read_all(world: &World, subscription: &str, from: Option<&str>) -> (Vec<Value>, String) {
    let (mut all, mut cursor) = (Vec::new(), from.map(str::to_owned));
    loop {
        let mut lines = read(world, subscription, cursor.as_deref(), 70).await.lines();
        let last = lines.pop().expect("a last line");
        let next = last["next"].as_str().expect("a cursor").to_owned();
        if lines.is_empty() {
            return (all, next);
        }
        all.extend(lines);
        cursor = Some(next);
    }
}

/// What a consumer holds that applies the lines as it is told to.
fn copy(lines: &[Value]) -> BTreeMap<String, String> {
    let mut rows = BTreeMap::new();
    for line in lines {
        let handle = line["k"].as_str().expect("a handle").to_owned();
        match line["op"].as_str() {
            Some("upsert") => drop(rows.insert(handle, line["record"].to_string())),
            _ => drop(rows.remove(&handle)),
        }
    }
    rows
}

fn generations(lines: &[Value]) -> Vec<&str> {
    let mut seen: Vec<&str> = lines.iter().map(|line| &line["id"].as_str().expect("an id")[..1]).collect();
    seen.dedup();
    seen
}

async fn a_table_begins_anew_and_holds_the_same(app: &TestApp) {
    let world = World::of(app).await;
    let code = world.entry(resource_file("unconditional")).await;
    let owner = &world.provider.integrator;
    for hour in 0..6 {
        let lines: Vec<Value> = (0..60).map(|at| observation(at, hour, "1.5")).collect();
        owner.publish(&code, &lines).await.expect(200);
    }
    let changed: Vec<Value> = (0..20).map(|at| observation(at, 3, "9.0")).collect();
    owner.publish(&code, &changed).await.expect(200);
    let gone: Vec<Value> =
        (0..15).map(|at| json!({ "$op": "delete", "station": format!("S{at}"), "hour": 4 })).collect();
    owner.publish(&code, &gone).await.expect(200);

    let grant = granted(&world, &code, "all").await;
    let subscription = world.subscribe(&grant, "map").await;
    let (before, behind) = read_all(&world, &subscription, None).await;
    assert_eq!(before.len(), 60 * 6 + 35);
    let half = read(&world, &subscription, None, 100).await.lines();
    let half = half.last().expect("a last line")["next"].as_str().expect("a cursor").to_owned();

    let moved = new_generation(&world, &code, Some(5)).await;
    assert_eq!((number(&moved, "generation"), number(&moved, "copied")), (2, 60 * 6 + 35));
    for cursor in [None, Some(half.as_str()), Some(behind.as_str())] {
        let refused = read(&world, &subscription, cursor, 10).await;
        assert_eq!((refused.status, refused.code().as_str()), (410, "view_changed"), "{cursor:?}");
    }
    let ack = world
        .consumer
        .integrator
        .post(&format!("/api/v1/subscriptions/{subscription}/acks"), json!({ "next": half }))
        .await;
    assert_eq!((ack.status, ack.code().as_str()), (410, "view_changed"));
    let first =
        read(&world, &subscription, None, 10).await.json()["next"].as_str().expect("a cursor").to_owned();
    let (after, _) = read_all(&world, &subscription, Some(&first)).await;
    assert_eq!(copy(&after), copy(&before), "the copy built anew is the granted view");
    assert_eq!(after.len(), before.len(), "every record that was there is there");
    assert_eq!(generations(&after), ["2"]);

    // Publishing, delivery and the owner's own reading go on in the new generation.
    owner.publish(&code, &[observation(70, 0, "3.0")]).await.expect(200);
    let (now, _) = read_all(&world, &subscription, Some(&first)).await;
    assert_eq!(copy(&now).len(), copy(&before).len() + 1);
    let own = owner.get(&format!("/api/v1/resources/{code}/records?limit=1000")).await.lines();
    assert_eq!(own.len(), before.len() + 2);
    let shown = owner.get(&format!("/api/v1/resources/{code}")).await.expect(200);
    assert_eq!(number(&shown, "generation"), 2);

    // Once more, back to fewer partitions.
    assert_eq!(number(&new_generation(&world, &code, Some(2)).await, "generation"), 3);
    let first =
        read(&world, &subscription, None, 10).await.json()["next"].as_str().expect("a cursor").to_owned();
    let (last, _) = read_all(&world, &subscription, Some(&first)).await;
    assert_eq!(copy(&last), copy(&now));
}

fn stream_file() -> Value {
    let mut file = resource_file("unconditional");
    file["kind"] = json!("stream");
    file["key"] = json!([]);
    file["retention"] = json!("90d");
    file
}

fn hours(lines: &[Value]) -> Vec<i64> {
    lines.iter().map(|line| line["record"]["hour"].as_i64().expect("an hour")).collect()
}

fn facts(hours: std::ops::Range<i64>) -> Vec<Value> {
    hours.map(|hour| observation(1, hour, "1.0")).collect()
}

async fn a_stream_goes_on_where_it_was(app: &TestApp) {
    let world = World::of(app).await;
    let code = world.entry(stream_file()).await;
    let owner = &world.provider.integrator;
    let grant = granted(&world, &code, "all").await;
    let fresh = world.subscribe(&grant, "before the first record").await;
    for batch in 0..8 {
        owner.publish(&code, &facts(batch * 10..batch * 10 + 10)).await.expect(200);
    }
    let reader = world.subscribe(&grant, "reader").await;
    let done = world.subscribe(&grant, "has read all").await;
    let mut lines = read(&world, &reader, None, 33).await.lines();
    let next = lines.pop().expect("a last line")["next"].as_str().expect("a cursor").to_owned();
    let acks = |subscription: &str| format!("/api/v1/subscriptions/{subscription}/acks");
    let consumer = &world.consumer.integrator;
    consumer.post(&acks(&reader), json!({ "next": next })).await.expect(204);
    let (_, end) = read_all(&world, &done, None).await;
    consumer.post(&acks(&done), json!({ "next": end })).await.expect(204);

    assert_eq!(number(&new_generation(&world, &code, Some(4)).await, "copied"), 80);
    owner.publish(&code, &facts(80..95)).await.expect(200);

    // From its position: the rest of the first generation, then what is new, each fact once.
    let (rest, behind) = read_all(&world, &reader, None).await;
    let mut all = hours(&lines);
    all.extend(hours(&rest));
    all.sort_unstable();
    assert_eq!(all, (0..95).collect::<Vec<_>>(), "nothing twice, nothing lost");
    assert_eq!(generations(&rest), ["1", "2"]);
    // An acknowledgement within the first generation, then one in the second; an old one moves nothing back.
    let first = read(&world, &reader, None, 5).await.lines();
    let first = first.last().expect("a last line")["next"].as_str().expect("a cursor").to_owned();
    consumer.post(&acks(&reader), json!({ "next": first })).await.expect(204);
    consumer.post(&acks(&reader), json!({ "next": behind })).await.expect(204);
    consumer.post(&acks(&reader), json!({ "next": first })).await.expect(204);
    assert_eq!(read_all(&world, &reader, None).await.0.len(), 0, "it stands behind all");

    assert_eq!(hours(&read_all(&world, &done, Some(&end)).await.0).len(), 15);
    let (whole, _) = read_all(&world, &fresh, None).await;
    assert_eq!(generations(&whole), ["2"], "who never read anything begins where all of it is");
    assert_eq!(whole.len(), 95);

    // As `from` a cursor of the earlier generation still means its place.
    let sought = json!({ "from": end });
    consumer.post(&format!("/api/v1/subscriptions/{fresh}/seek"), sought).await.expect(200);
    assert_eq!(read_all(&world, &fresh, None).await.0.len(), 15);

    // A cursor two generations behind goes through both.
    new_generation(&world, &code, None).await;
    owner.publish(&code, &facts(95..97)).await.expect(200);
    assert_eq!(hours(&read_all(&world, &done, Some(&end)).await.0).len(), 17);
}

async fn floors_stay_where_they_were(app: &TestApp) {
    let world = World::of(app).await;
    let code = world.entry(resource_file("unconditional")).await;
    let owner = &world.provider.integrator;
    let lines = |hour: i64| (0..40).map(|at| observation(at, hour, "1.0")).collect::<Vec<_>>();
    owner.publish(&code, &lines(0)).await.expect(200);
    tokio::time::sleep(std::time::Duration::from_millis(30)).await;
    let (late, resolved) = (granted(&world, &code, "none").await, granted(&world, &code, "none").await);
    let early = granted(&world, &code, "all").await;
    tokio::time::sleep(std::time::Duration::from_millis(30)).await;
    owner.publish(&code, &lines(1)).await.expect(200);
    let before = world.subscribe(&resolved, "before").await;
    assert_eq!(read_all(&world, &before, None).await.0.len(), 40);

    for (partitions, of) in [(Some(5), "2"), (Some(1), "3"), (Some(3), "4")] {
        new_generation(&world, &code, partitions).await;
        let after = granted(&world, &code, "none").await;
        for (grant, hours) in [(&late, vec![1]), (&resolved, vec![1]), (&early, vec![0, 1]), (&after, vec![])]
        {
            let subscription = world.subscribe(grant, &format!("generation {of}")).await;
            let (lines, _) = read_all(&world, &subscription, None).await;
            let mut seen: Vec<i64> = self::hours(&lines);
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen, hours, "generation {of}");
            assert_eq!(lines.len(), 40 * hours.len());
        }
    }
}

async fn send(owner: &Client, code: &str, header: (&str, &str), hour: i64) -> Reply {
    let request = owner.request("post", &format!("/api/v1/resources/{code}/records"));
    let body = format!("{}\n", observation(1, hour, "1.0"));
    Reply::of(request.header("content-type", "application/x-ndjson").header(header.0, header.1).body(body))
        .await
}

async fn keys_and_source_positions_go_on(app: &TestApp) {
    let world = World::of(app).await;
    let code = world.entry(resource_file("unconditional")).await;
    let owner = &world.provider.integrator;
    let first = send(owner, &code, ("idempotency-key", "k1"), 1).await.expect(200);
    send(owner, &code, ("changtong-source", "in - a"), 2).await.expect(200);
    new_generation(&world, &code, None).await;
    let again = send(owner, &code, ("idempotency-key", "k1"), 1).await.expect(200);
    assert_eq!((&again["replayed"], &again["batch"]), (&json!(true), &first["batch"]));
    let moved = send(owner, &code, ("changtong-source", "in - a"), 2).await;
    assert_eq!((moved.status, moved.code().as_str()), (409, "source_position"));
    send(owner, &code, ("changtong-source", "in a b"), 3).await.expect(200);
    let own = owner.get(&format!("/api/v1/resources/{code}/records")).await.lines();
    assert_eq!(own.len(), 4, "three records and the last line");
}

async fn who_may_and_what_is_refused(app: &TestApp) {
    let world = World::of(app).await;
    let code = world.entry(resource_file("unconditional")).await;
    let path = format!("/api/v1/resources/{code}/new-generation");
    let reviewer = &world.provider.reviewer;
    let early = reviewer.post(&path, json!({})).await;
    assert_eq!((early.status, early.code().as_str()), (409, "invalid_state"), "nothing was published");
    world.provider.integrator.publish(&code, &[observation(1, 1, "1.0")]).await.expect(200);
    for (client, status) in
        [(&world.provider.integrator, 403), (&world.consumer.reviewer, 403), (&world.operator, 403)]
    {
        assert_eq!(client.post(&path, json!({})).await.status, status);
    }
    let many = reviewer.post(&path, json!({ "partitions": 1001 })).await;
    assert_eq!((many.status, many.code().as_str()), (422, "invalid"));
    // The same call twice is done once.
    let send = async || {
        let request = reviewer.request("post", &path).header("idempotency-key", "once");
        Reply::of(request.json(&json!({}))).await.expect(200)
    };
    assert_eq!(send().await["copied"], 1);
    let again = send().await;
    assert_eq!((number(&again, "generation"), again.get("copied")), (2, None));
}
