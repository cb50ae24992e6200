//! Two schema versions in one topic: a grant made before the change and one made behind it both read every record, each
//! in the shape it holds.

use std::time::Duration;

use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::SchemaId;
use changtong_catalog::ports::{SchemaText, SchemaVersion};
use changtong_catalog::resource::{Item, ItemType};
use serde_json::{Value, json};

use super::world::{SUBSCRIPTION, World, provider};
use crate::gate::OwnRead;

/// The second version: `v` is gone, `kind` is new, and the digits of `id` stand behind it.
fn revise(world: &World) {
    revise_to(world, |items| {
        items[1].name = "kind".to_owned();
        items.rotate_left(1);
    });
}

pub fn revise_to(world: &World, change: impl FnOnce(&mut Vec<Item>)) {
    let mut state = world.store.state.lock();
    let standing = state.resource.as_mut().unwrap();
    let mut versions = standing.versions.to_vec();
    let version = i32::try_from(versions.len()).unwrap() + 1;
    let mut items = versions.last().unwrap().items.clone();
    change(&mut items);
    let schema = SchemaText { id: SchemaId(68 + version), text: String::new(), fingerprint: String::new() };
    versions.push(SchemaVersion { version, schema, items: items.clone() });
    standing.versions = versions.into();
    standing.resource.version += 1;
    standing.resource.schema = Some(SchemaId(68 + version));
    standing.resource.file.items = items;
}

/// The grant under other terms.
pub fn hold(world: &World, version: i32, items: &[&str], filter: Option<&str>) {
    let mut state = world.store.state.lock();
    let grant = state.grant.as_mut().unwrap();
    grant.version += 1;
    grant.schema_version = version;
    grant.items = items.iter().map(|name| (*name).to_owned()).collect();
    grant.consumer_filter = filter.map(str::to_owned);
}

/// Nothing is promised of the order across partitions.
fn sorted(mut lines: Vec<Value>) -> Vec<Value> {
    lines.sort_by_key(Value::to_string);
    lines
}

/// What a reader sees from the start: `op` and record.
async fn seen(world: &World, version: i32, items: &[&str], filter: Option<&str>) -> Vec<Value> {
    hold(world, version, items, filter);
    world.subscribe(SUBSCRIPTION);
    let answer = world.read(None).await.unwrap();
    sorted(answer.records.into_iter().map(|line| json!([line["op"], line["record"]])).collect())
}

async fn two_versions() -> World {
    let world = World::new();
    world.publish(r#"{"id":1,"v":"old","secret":"s"}"#).await.unwrap();
    revise(&world);
    world.publish(r#"{"id":2,"kind":"new","secret":"t"}"#).await.unwrap();
    world.publish(r#"{"$op":"delete","id":3}"#).await.unwrap();
    world
}

#[tokio::test]
async fn an_old_and_a_new_grant_read_records_of_both_versions() {
    let world = two_versions().await;
    let old = seen(&world, 1, &["id", "v", "secret"], None).await;
    assert_eq!(
        old,
        sorted(vec![
            json!(["upsert", {"id": 1, "v": "old", "secret": "s"}]),
            json!(["upsert", {"id": 2, "v": null, "secret": "t"}]),
            json!(["delete", null]),
        ])
    );
    let new = seen(&world, 2, &["id", "kind", "secret"], None).await;
    assert_eq!(
        new,
        sorted(vec![
            json!(["upsert", {"id": 1, "kind": null, "secret": "s"}]),
            json!(["upsert", {"id": 2, "kind": "new", "secret": "t"}]),
            json!(["delete", null]),
        ])
    );
}

#[tokio::test]
async fn a_window_has_records_of_one_shape() {
    let world = World::with(|settings, _| settings.window = Duration::from_secs(600));
    world.publish(r#"{"id":1,"v":"old","secret":"s"}"#).await.unwrap();
    revise(&world);
    hold(&world, 1, &["id", "secret"], None);
    world.subscribe(SUBSCRIPTION);
    let before = world.read(None).await.unwrap();
    world.publish(r#"{"id":2,"kind":"new","secret":"t"}"#).await.unwrap();
    let same = world.read(Some(&before.next)).await.unwrap();
    assert_eq!(same.window, before.window, "it is open still");
    hold(&world, 2, &["id", "secret"], None);
    world.publish(r#"{"id":4,"kind":"new","secret":"u"}"#).await.unwrap();
    let moved = world.read(Some(&same.next)).await.unwrap();
    assert_eq!(moved.records.len(), 1);
    assert_ne!(moved.window, before.window);
}

#[tokio::test]
async fn a_granted_item_that_the_version_held_lacks_is_left_out() {
    let world = two_versions().await;
    let new = seen(&world, 2, &["id", "v", "secret"], None).await;
    let upserts: Vec<_> = new.iter().filter(|line| line[0] == "upsert").map(|line| &line[1]).collect();
    assert_eq!(upserts, [&json!({"id": 1, "secret": "s"}), &json!({"id": 2, "secret": "t"})]);
}

#[tokio::test]
async fn an_item_that_a_version_lacks_is_null_to_filters() {
    let world = two_versions().await;
    let is_null = seen(&world, 2, &["id"], Some("kind == null")).await;
    assert_eq!(is_null, [json!(["delete", null]), json!(["delete", null]), json!(["upsert", {"id": 1}])]);
    // A comparison with null is unknown, so the old record does not pass either way.
    for (filter, passes) in [("kind == 'new'", 1), ("kind != 'new'", 0), ("!(kind == 'new')", 0)] {
        let found = seen(&world, 2, &["id"], Some(filter)).await;
        let upserts = found.iter().filter(|line| line[0] == "upsert").count();
        assert_eq!(upserts, passes, "{filter}: {found:?}");
    }
    // The old grant's filter is over the items that it knows.
    let old = seen(&world, 1, &["id"], Some("v == 'old' || v == null && id == 2")).await;
    assert_eq!(old.iter().filter(|line| line[0] == "upsert").count(), 2, "{old:?}");
}

async fn own(world: &World, version: Option<i32>) -> Result<String, Refusal> {
    let resource = "3070220601/000001".parse().unwrap();
    let read = OwnRead { resource, cursor: None, limit: None, max_bytes: None, file: false, version };
    let page = world.gate.read_own(&provider(), read).await?;
    Ok(String::from_utf8(page.body.to_vec()).unwrap())
}

fn records(page: &str) -> Vec<Value> {
    let lines = page.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["record"].take());
    sorted(lines.filter(|record| !record.is_null()).collect())
}

#[tokio::test]
async fn an_owner_reads_in_the_version_in_force_or_in_any_that_a_reader_may_hold() {
    let world = two_versions().await;
    let page = own(&world, None).await.unwrap();
    let wanted = [
        json!({"kind": null, "secret": "s", "id": 1}),
        json!({"kind": "new", "secret": "t", "id": 2}),
        json!({"id": 3}),
    ];
    assert_eq!(records(&page), sorted(wanted.to_vec()));
    assert!(page.contains(r#"{"kind":null,"secret"#), "in the order in force: {page}");
    assert_eq!(own(&world, Some(2)).await.unwrap(), page);

    // What is gone since is still there.
    let before = own(&world, Some(1)).await.unwrap();
    let wanted = [
        json!({"id": 1, "v": "old", "secret": "s"}),
        json!({"id": 2, "v": null, "secret": "t"}),
        json!({"id": 3}),
    ];
    assert_eq!(records(&before), sorted(wanted.to_vec()));
    let unknown = own(&world, Some(3)).await.unwrap_err();
    assert_eq!((unknown.code, &unknown.extra["versions"]), (Code::Invalid, &json!([1, 2])));
}

/// The second version: `v` is `value` now, and each record has a `kind`.
fn rename(world: &World) {
    revise_to(world, |items| {
        let v = items.iter_mut().find(|item| item.name == "v").unwrap();
        v.name = "value".to_owned();
        v.aliases = vec!["v".to_owned()];
        let kind =
            Item { name: "kind".to_owned(), default: Some("旧".into()), nullable: false, ..v.clone() };
        items.push(Item { aliases: Vec::new(), ..kind });
    });
}

#[tokio::test]
async fn a_reader_of_a_live_grant_gets_defaults_and_what_was_under_an_earlier_name() {
    let world = World::new();
    world.publish(r#"{"id":1,"v":"old","secret":"s"}"#).await.unwrap();
    rename(&world);
    world.publish(r#"{"id":2,"value":"new","secret":"t","kind":"新"}"#).await.unwrap();
    let missing = world.publish(r#"{"id":3,"value":"new","secret":"t"}"#).await.unwrap_err();
    assert_eq!(missing.code, Code::RecordsInvalid, "a default is for readers");
    let new = seen(&world, 2, &["id", "value", "kind"], None).await;
    let wanted = [
        json!(["upsert", {"id": 1, "value": "old", "kind": "旧"}]),
        json!(["upsert", {"id": 2, "value": "new", "kind": "新"}]),
    ];
    assert_eq!(new, sorted(wanted.to_vec()));
    let filtered = seen(&world, 2, &["id"], Some("kind == '旧' && value == 'old'")).await;
    assert_eq!(
        filtered.iter().filter(|line| line[0] == "upsert").collect::<Vec<_>>(),
        [&json!(["upsert", {"id": 1}])]
    );
    // Who holds the earlier shape knows neither.
    let old = seen(&world, 1, &["id", "v"], None).await;
    let wanted = [json!(["upsert", {"id": 1, "v": "old"}]), json!(["upsert", {"id": 2, "v": null}])];
    assert_eq!(old, sorted(wanted.to_vec()));
    let own = records(&own(&world, Some(2)).await.unwrap());
    assert!(own.contains(&json!({"id": 1, "value": "old", "secret": "s", "kind": "旧"})), "{own:?}");
}

#[tokio::test]
async fn case_31_what_was_not_granted_comes_by_no_alias_and_no_default() {
    let world = World::new();
    world.publish(r#"{"id":1,"v":"old","secret":"s"}"#).await.unwrap();
    rename(&world);
    world.publish(r#"{"id":2,"value":"new","secret":"t","kind":"新"}"#).await.unwrap();
    // A grant on the earlier name is none on the later, and the other way round.
    for (version, items) in [(2, &["id", "v"][..]), (1, &["id", "value", "kind"])] {
        let found = seen(&world, version, items, None).await;
        assert_eq!(found, sorted(vec![json!(["upsert", {"id": 1}]), json!(["upsert", {"id": 2}])]));
    }
}

#[tokio::test]
async fn case_31_an_alias_finds_nothing_in_records_of_later_versions() {
    let world = World::new();
    rename(&world);
    revise_to(&world, |items| {
        items.iter_mut().find(|item| item.name == "value").unwrap().aliases.push("z".to_owned())
    });
    // A rule of the catalog refuses such an item; delivery does not rest on it.
    revise_to(&world, |items| {
        let value = items.iter_mut().find(|item| item.name == "value").unwrap();
        (value.name, value.aliases) = ("z".to_owned(), Vec::new());
        value.kind = ItemType::I;
    });
    world.publish(r#"{"id":1,"z":7,"secret":"s","kind":"新"}"#).await.unwrap();
    let found = seen(&world, 3, &["id", "value"], None).await;
    assert_eq!(found, [json!(["upsert", {"id": 1, "value": null}])], "shown otherwise, or not at all");
    let filtered = seen(&world, 3, &["id"], Some("value != null")).await;
    assert!(filtered.iter().all(|line| line[0] == "delete"), "{filtered:?}");
    assert_eq!(records(&own(&world, Some(3)).await.unwrap())[0]["value"], Value::Null);
}
