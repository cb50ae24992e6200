//! Cases 30, 31 and 40: ways around a mask. What is masked leaves by no alias, filter, path, delete line, error or
//! revision, and a mask that does not recognise what it is given blanks it.

use serde_json::{Value, json};

use super::scene::{Scene, in_chinese, observation, refused};
use crate::support::{RESOURCE, Reply, TestApp, World, on_both_pairs, resource_file};

on_both_pairs!(
    what_is_masked_leaves_by_no_other_way,
    a_revision_breaks_no_reader_and_loosens_no_mask,
    neither_an_alias_nor_a_default_is_a_way_around_a_mask,
);

const SECRET: &str = "欧阳娜娜";

fn record(hour: usize) -> Value {
    json!({ "station": "JFK", "hour": hour, "temp": "12.5", "observer": SECRET })
}

async fn what_is_masked_leaves_by_no_other_way(app: &TestApp) {
    let scene = Scene::of(app).await;
    let world = &scene.world;
    scene.publish(&(0..6).map(record).collect::<Vec<_>>()).await.expect(200);

    // Items by any other name are no items.
    let tricks =
        ["observer.value", "observer.string", "Observer", "observer ", "record.observer", "$.observer", "*"];
    for item in tricks {
        is_refused(&scene, scene.request(&["station", item], None), "invalid").await;
    }
    is_refused(&scene, scene.request(&["observer", "observer"], None), "invalid").await;

    // A filter on it would tell its value bit by bit.
    let guesses = [
        format!("observer == \"{SECRET}\""),
        format!("observer >= \"{SECRET}\""),
        format!("observer in [\"{SECRET}\"]"),
        format!("hour == 1 || !(observer != \"{SECRET}\")"),
        "observer != null".to_owned(),
        "size(observer) == 4".to_owned(),
        "observer == station".to_owned(),
    ];
    for filter in &guesses {
        is_refused(&scene, scene.request(&["station", "hour", "observer"], Some(filter)), "filter_invalid")
            .await;
    }
    let requests = world.consumer.editor.get("/api/v1/requests").await.expect(200);
    assert_eq!(requests["items"], json!([]), "nothing was asked for");

    let grant = scene.granted(&["hour", "observer"], Some("hour < 3")).await;
    let subscription = world.subscribe(&grant, "copy").await;
    let records = format!("/api/v1/subscriptions/{subscription}/records");
    let read = world.consumer.integrator.get(&records).await;
    assert_eq!(read.lines().len(), 4);
    hidden(&read);
    // No parameter, representation or position shows more.
    for more in ["?items=observer", "?mask=none", "?raw=true", "?fields=observer"] {
        let reply = world.consumer.integrator.get(&format!("{records}{more}")).await;
        refused(&reply, 400, "bad_request");
    }
    in_chinese(&world.consumer.integrator, "get", &format!("{records}?mask=none"), None).await;
    let schema = world.consumer.integrator.get(&format!("/api/v1/grants/{grant}/schema")).await;
    let names: Vec<Value> = {
        let schema = schema.expect(200);
        schema["schema"]["fields"]
            .as_array()
            .expect("fields")
            .iter()
            .map(|field| field["name"].clone())
            .collect()
    };
    assert_eq!(names, [json!("hour"), json!("observer")]);
    hidden(&schema);

    // A row that leaves the filter, and one that is deleted, leave as lines without items.
    let request = world.provider.integrator.request("post", &scene.records());
    let lines = format!("{}\n{}\n", record(9), json!({ "$op": "delete", "station": "JFK", "hour": 1 }));
    Reply::of(request.header("content-type", "application/x-ndjson").body(lines)).await.expect(200);
    let next = last(&read);
    let read = world.consumer.integrator.get(&format!("{records}?cursor={next}")).await;
    hidden(&read);
    for line in read.lines().iter().filter(|line| line["op"] == "delete") {
        assert!(line.get("record").is_none(), "{line}");
    }

    // Odd input is blanked, not passed.
    let odd = ["", " ", "x", "\u{202e}娜娜", "Zoë O'Neil-Çelik 4", "9", "👩‍👩‍👧"];
    let odd_records = odd
        .iter()
        .enumerate()
        .map(|(at, name)| json!({ "station": format!("S{at}"), "hour": 0, "temp": null, "observer": name }));
    scene.publish(&odd_records.collect::<Vec<_>>()).await.expect(200);
    let read = world.consumer.integrator.get(&format!("{records}?cursor={}", last(&read))).await;
    let shown: Vec<String> = read
        .lines()
        .iter()
        .filter_map(|line| line["record"]["observer"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(shown.len(), odd.len());
    for name in odd.iter().filter(|name| !name.trim().is_empty()) {
        assert!(!shown.iter().any(|shown| shown == name), "{name:?} passed the mask");
    }

    // What the provider does wrong with the item is told without its value, to the provider.
    let wrong = json!({ "station": "JFK", "hour": 1, "temp": null, "observer": { "name": SECRET } });
    let reply = scene.publish(std::slice::from_ref(&wrong)).await;
    refused(&reply, 422, "records_invalid");
    hidden(&reply);
    let words = scene.publish_in_chinese(&[wrong]).await;
    assert!(!words.contains(SECRET), "{words}");
    assert_eq!(scene.own().await.len(), 6 + 2 + odd.len(), "all that was taken, and no more");
    scene.others_are_served().await;
}

/// A request for what may not be asked for, in both languages; the value that a filter guesses at is its own.
async fn is_refused(scene: &Scene, request: Value, code: &str) {
    let editor = &scene.world.consumer.editor;
    refused(&editor.post("/api/v1/requests", request.clone()).await, 422, code);
    in_chinese(editor, "post", "/api/v1/requests", Some(request)).await;
}

fn last(read: &Reply) -> String {
    read.lines().last().expect("a last line")["next"].as_str().expect("a cursor").to_owned()
}

#[track_caller]
fn hidden(reply: &Reply) {
    assert!(!reply.text.contains(SECRET) && !reply.text.contains("娜"), "{}", reply.text);
}

async fn a_revision_breaks_no_reader_and_loosens_no_mask(app: &TestApp) {
    let world = World::of(app).await;
    let scene = Scene::at(world, resource_file("unconditional")).await;
    let world = &scene.world;
    scene.publish(&[observation("JFK", 1)]).await.expect(200);
    let grant = scene.granted(&["station", "hour", "observer"], None).await;
    let path = format!("/api/v1/resources/{RESOURCE}");
    let breaks = (409, "schema_incompatible");
    let fixed = (422, "invalid");
    type Change = fn(&mut Value);
    type Answer<'a> = (u16, &'a str);
    let changes: [(Change, Answer<'_>, &str, &str); 4] = [
        (|file| file["items"][3]["mask"] = Value::Null, breaks, "mask name is gone", "脱敏规则"),
        (|file| file["items"][3]["mask"] = json!("mobile"), breaks, "shows more", "会露出更多"),
        (|file| file["items"][2]["nullable"] = json!(false), breaks, "temp", "temp"),
        (|file| file["key"] = json!(["station"]), fixed, "key: of a published resource", "已发布的信息资源"),
    ];
    for (change, (status, code), en, zh) in changes {
        let mut file = resource_file("unconditional");
        change(&mut file);
        let etag = world.provider.editor.get(&path).await.headers["etag"].clone();
        for (language, said) in [("en", en), ("zh", zh)] {
            let propose = world.provider.editor.request_in(language, "put", &path);
            let propose = Reply::of(propose.header("if-match", etag.clone()).json(&file)).await;
            let problem = refused(&propose, status, code);
            assert!(problem["detail"].as_str().expect("a text").contains(said), "{problem}");
        }
    }
    let subscription = world.subscribe(&grant, "copy").await;
    let read = world.consumer.integrator.get(&format!("/api/v1/subscriptions/{subscription}/records")).await;
    assert_eq!(read.lines()[0]["record"]["observer"], "王**");
    let shown = world.consumer.integrator.get(&format!("/api/v1/grants/{grant}")).await.expect(200);
    assert_eq!(shown["masks"], json!({ "observer": "name" }));
    assert_eq!(scene.own().await.len(), 1, "what was published is there");
    scene.others_are_served().await;
}

/// The observer under another name, and a second one whom the records so far lack.
fn renamed(mask: Value) -> Value {
    let mut file = resource_file("unconditional");
    let observer = file["items"][3].as_object_mut().expect("an item");
    observer.insert("name".to_owned(), json!("watcher"));
    observer.insert("aliases".to_owned(), json!(["observer"]));
    observer.insert("mask".to_owned(), mask);
    let second =
        json!({ "name": "second", "title": "复核员", "type": "C", "mask": "name", "default": SECRET });
    file["items"].as_array_mut().expect("items").push(second);
    file
}

async fn neither_an_alias_nor_a_default_is_a_way_around_a_mask(app: &TestApp) {
    let scene = Scene::of(app).await;
    let world = &scene.world;
    scene.publish(&[record(1)]).await.expect(200);
    let before = scene.granted(&["hour", "observer"], None).await;
    for (mask, said) in [(Value::Null, "mask name is gone"), (json!("mobile"), "shows more")] {
        let refusal = world.propose(&scene.code, renamed(mask)).await;
        let problem = refused(&refusal, 409, "schema_incompatible");
        let detail = problem["detail"].as_str().expect("a text");
        assert!(detail.contains(said) && detail.contains("watcher"), "{problem}");
    }
    world.propose(&scene.code, renamed(json!("name"))).await.expect(200);
    world.revise(&scene.code).await.expect(200);
    let new = json!({ "station": "JFK", "hour": 2, "temp": null, "watcher": SECRET, "second": SECRET });
    scene.publish(&[new]).await.expect(200);

    let after = scene.granted(&["hour", "watcher", "second"], None).await;
    let subscription = world.subscribe(&after, "after").await;
    let read = world.consumer.integrator.get(&format!("/api/v1/subscriptions/{subscription}/records")).await;
    let mut shown: Vec<_> = read.lines().into_iter().filter_map(|line| line.get("record").cloned()).collect();
    shown.sort_by_key(|record| record["hour"].as_u64());
    let masked = |hour: u8| json!({ "hour": hour, "watcher": "欧***", "second": "欧***" });
    assert_eq!(shown, [masked(1), masked(2)]);
    hidden(&read);
    let schema = world.consumer.integrator.get(&format!("/api/v1/grants/{after}/schema")).await;
    hidden(&schema);
    let fields = schema.expect(200)["schema"]["fields"].clone();
    assert_eq!((&fields[1]["aliases"], fields[2].get("default")), (&json!(["observer"]), None));
    for filter in [format!("second == \"{SECRET}\""), format!("watcher == \"{SECRET}\"")] {
        is_refused(&scene, scene.request(&["hour", "watcher", "second"], Some(&filter)), "filter_invalid")
            .await;
    }

    // Who was granted the earlier item is shown it, and nothing of the later ones.
    let subscription = world.subscribe(&before, "before").await;
    let read = world.consumer.integrator.get(&format!("/api/v1/subscriptions/{subscription}/records")).await;
    hidden(&read);
    assert!(!read.text.contains("watcher") && !read.text.contains("second"), "{}", read.text);
    let moved = json!({ "version": 2 });
    world.consumer.integrator.post(&format!("/api/v1/grants/{before}/schema"), moved).await.expect(200);
    let read = world.consumer.integrator.get(&format!("/api/v1/subscriptions/{subscription}/records")).await;
    hidden(&read);
    for line in read.lines().iter().filter(|line| line["op"] == "upsert") {
        assert_eq!(line["record"].as_object().expect("a record").len(), 1, "{line}");
    }
    assert_eq!(scene.own().await.len(), 2, "both records are there");
    // Its table has other items by now, so what goes on is others' alone.
    scene.others().await.are_served().await;
}
