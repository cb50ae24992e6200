//! Small records of an earlier version, each shown with all the defaults of a later one: an answer and what a reader holds
//! in memory keep to their bounds all the same, and every record arrives.

use std::collections::BTreeSet;
use std::time::Duration;

use apache_avro::Reader;
use apache_avro::types::Value;
use changtong_catalog::resource::Item;

use super::versions::{hold, revise_to};
use super::world::{SUBSCRIPTION, World};
use crate::gate::{Frame, Poll};

const RECORDS: i64 = 600;
/// Items of the second version, and the bytes of the default of each: as many as an item may have.
const ITEMS: usize = 64;
const DEFAULT: usize = 1 << 10;
/// About what a record has once it is shown.
const SHOWN: u64 = (ITEMS * (DEFAULT + 16)) as u64;
const MIB: u64 = 1 << 20;
/// What a reader holds at once, by what is rendered at once and a record more.
const HELD: u64 = 4 * MIB + 2 * SHOWN;

async fn world() -> World {
    let world = World::with(|settings, _| settings.window = Duration::from_secs(600));
    for first in (0..RECORDS).step_by(200) {
        world.rows(first..first + 200).await.unwrap();
    }
    let names: Vec<String> = (0..ITEMS).map(|number| format!("d{number}")).collect();
    revise_to(&world, |items| {
        let default = Some("x".repeat(DEFAULT).into());
        let fresh = Item { nullable: false, default, ..items[1].clone() };
        items.extend(names.iter().map(|name| Item { name: name.clone(), ..fresh.clone() }));
    });
    let granted: Vec<&str> = ["id"].into_iter().chain(names.iter().map(String::as_str)).collect();
    hold(&world, 2, &granted, None);
    world.subscribe(SUBSCRIPTION);
    world
}

fn held(world: &World) -> u64 {
    world.gate.budget().held()
}

/// The numbers of the records that begin in a text.
fn numbers(text: &str) -> impl Iterator<Item = i64> {
    let after = text.split("{\"id\":").skip(1);
    after.filter_map(|rest| rest.split(',').next()?.parse().ok())
}

#[tokio::test]
async fn an_answer_keeps_to_its_bytes_and_each_record_arrives() {
    let world = world().await;
    let (mut seen, mut cursor) = (BTreeSet::new(), None);
    loop {
        let poll = Poll { max_bytes: Some(MIB), ..world.poll(cursor.as_deref()) };
        let mut delivery = world.gate.deliver(poll).await.unwrap();
        let mut body = Vec::new();
        while let Some(piece) = delivery.next_piece().await {
            assert!(held(&world) <= HELD, "{} held", held(&world));
            body.extend_from_slice(&piece.unwrap());
        }
        assert!(body.len() as u64 <= MIB + SHOWN + 1024, "{}", body.len());
        let body = String::from_utf8(body).unwrap();
        let before = seen.len();
        seen.extend(numbers(&body));
        if seen.len() == before {
            break;
        }
        let last: serde_json::Value = serde_json::from_str(body.lines().last().unwrap()).unwrap();
        cursor = last["next"].as_str().map(str::to_owned);
    }
    assert!(seen.into_iter().eq(0..RECORDS));
}

#[tokio::test]
async fn a_long_answer_is_not_rendered_ahead_of_its_reader() {
    let world = world().await;
    let mut delivery = world.gate.deliver(world.poll(None)).await.unwrap();
    let mut bytes = 0;
    while let Some(piece) = delivery.next_piece().await {
        assert!(held(&world) <= HELD, "{} held", held(&world));
        bytes += piece.unwrap().len() as u64;
    }
    assert!(bytes > 7 * MIB && bytes <= 8 * MIB + SHOWN + 1024, "{bytes}");
}

#[tokio::test]
async fn a_stream_is_not_rendered_ahead_of_its_reader_and_each_record_arrives() {
    let world = world().await;
    let mut stream = world.follow(None).await.unwrap();
    let (mut seen, mut text) = (BTreeSet::new(), String::new());
    while seen.len() < RECORDS as usize {
        let Frame::Bytes(bytes) = stream.next().await.unwrap().unwrap() else { panic!("it ended") };
        assert!(held(&world) <= HELD, "{} held", held(&world));
        text.push_str(std::str::from_utf8(&bytes).unwrap());
        if let Some(whole) = text.rfind("\n\n") {
            let rest = text.split_off(whole);
            seen.extend(numbers(&text));
            text = rest;
        }
    }
    assert!(seen.into_iter().eq(0..RECORDS));
}

#[tokio::test]
async fn a_file_keeps_to_its_bytes_and_each_record_arrives() {
    let world = world().await;
    let (mut seen, mut cursor) = (BTreeSet::new(), None);
    loop {
        let poll = Poll { max_bytes: Some(MIB), ..world.poll(cursor.as_deref()) };
        let mut file = world.gate.deliver_file(poll).await.unwrap();
        let mut body = Vec::new();
        while let Some(piece) = file.next_piece().await {
            assert!(held(&world) <= MIB + 2 * SHOWN, "{} held", held(&world));
            body.extend_from_slice(&piece.unwrap());
        }
        assert!(body.len() as u64 <= MIB + SHOWN, "{}", body.len());
        let before = seen.len();
        for record in Reader::new(&body[..]).unwrap() {
            let Value::Record(fields) = record.unwrap() else { panic!("no record") };
            let Value::String(id) = &fields[0].1 else { panic!("{fields:?} has no id first") };
            seen.insert(id.clone());
        }
        if seen.len() == before {
            break;
        }
        cursor = Some(file.next.clone());
    }
    assert_eq!(seen.len(), RECORDS as usize);
}
