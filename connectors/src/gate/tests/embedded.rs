//! The gate on the embedded log: publish, set aside, deliver, own reads, a second start on the same file.

use std::sync::Arc;
use std::time::Duration;

use super::store::StoreFault;
use super::world::{SUBSCRIPTION, World, aside, lines, provider, whole};
use crate::gate::{OnInvalid, OwnRead};
use crate::log::Log;
use crate::log::embedded::EmbeddedLog;

#[tokio::test]
async fn what_was_published_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.db");
    let world = World::new();
    world.subscribe(SUBSCRIPTION);
    let log = Arc::new(EmbeddedLog::open(&path, world.clock.clone()).await.unwrap());
    let gate = world.on(log.clone(), 1);
    gate.recover().await.unwrap();
    gate.publish(world.ask(&lines(0..1500))).await.unwrap();
    let mut ask = world.ask("{\"id\":1500}\n{\"id\":\"bad\"}\n");
    ask.on_invalid = OnInvalid::Quarantine;
    assert_eq!(gate.publish(ask).await.unwrap().quarantined, 1);
    let first = whole(gate.deliver(world.poll(None)).await.unwrap()).await.unwrap();
    assert_eq!(first.records.len(), 1501);
    gate.tick().await.unwrap();
    gate.drain(Duration::from_secs(5)).await;
    log.close(Duration::from_secs(5)).await;
    drop((gate, log));

    let log = Arc::new(EmbeddedLog::open(&path, world.clock.clone()).await.unwrap());
    let next = world.restart(2, None);
    let gate = next.on(log, 2);
    gate.recover().await.unwrap();
    gate.publish(next.ask(&lines(1501..1600))).await.unwrap();
    let rest = whole(gate.deliver(next.poll(Some(&first.next))).await.unwrap()).await.unwrap();
    assert_eq!(rest.records.len(), 99);
    let row = next.store.state.lock().set_aside[0].clone();
    let aside = aside(row.id, row.offset);
    assert_eq!(&gate.original(&provider(), &aside).await.unwrap().bytes[..], b"{\"id\":\"bad\"}");
    let resource = "3070220601/000001".parse().unwrap();
    let read = OwnRead { resource, cursor: None, limit: None, max_bytes: None, file: false, version: None };
    let own = gate.read_own(&provider(), read).await.unwrap().body;
    assert_eq!(String::from_utf8(own.to_vec()).unwrap().lines().count(), 1601);
}

#[tokio::test]
async fn what_lies_on_both_sides_of_a_dead_attempt_is_all_delivered_once() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::new();
    world.subscribe(SUBSCRIPTION);
    let log = Arc::new(EmbeddedLog::open(&dir.path().join("log.db"), world.clock.clone()).await.unwrap());
    let gate = world.on(log.clone(), 1);
    gate.publish(world.ask(&lines(0..60))).await.unwrap();
    world.store.faults.lock().push_back(StoreFault::NotSent);
    gate.publish(world.ask(&lines(60..90))).await.unwrap_err();
    // Fewer than before the dead ones.
    gate.publish(world.ask(&lines(90..99))).await.unwrap();
    let mut read = whole(gate.deliver(world.poll(None)).await.unwrap()).await.unwrap();
    let mut ids = Vec::new();
    while !read.records.is_empty() {
        ids.extend(read.records.iter().map(|record| record["record"]["id"].as_i64().unwrap()));
        read = whole(gate.deliver(world.poll(Some(&read.next))).await.unwrap()).await.unwrap();
    }
    ids.sort_unstable();
    assert_eq!(ids, (0..60).chain(90..99).collect::<Vec<_>>());
    let resource = "3070220601/000001".parse().unwrap();
    let own = OwnRead { resource, cursor: None, limit: None, max_bytes: None, file: false, version: None };
    let own = gate.read_own(&provider(), own).await.unwrap().body;
    assert_eq!(String::from_utf8(own.to_vec()).unwrap().lines().count(), 70);
}

#[tokio::test]
async fn however_small_the_reads_and_many_the_dead_each_record_comes_once() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::new();
    world.subscribe(SUBSCRIPTION);
    let log = Arc::new(EmbeddedLog::open(&dir.path().join("log.db"), world.clock.clone()).await.unwrap());
    let gate = world.on(log.clone(), 1);
    let (mut random, mut next_id, mut published) = (7_u64, 0, Vec::new());
    let (mut cursor, mut read) = (None::<String>, Vec::new());
    let mut below = |n: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % n
    };
    for round in 0..120 {
        let ids = next_id..next_id + 1 + below(9) as i64;
        next_id = ids.end;
        let dies = round < 100 && below(3) == 0;
        if dies {
            world.store.faults.lock().push_back(StoreFault::NotSent);
        }
        // The fault may meet another commit of the gate; what the answer says counts.
        if gate.publish(world.ask(&lines(ids.clone()))).await.is_ok() {
            published.extend(ids);
        }
        let mut poll = world.poll(cursor.as_deref());
        poll.limit = Some(1 + below(if round < 100 { 4 } else { 400 }));
        if let Ok(delivery) = gate.deliver(poll).await {
            let answer = whole(delivery).await.unwrap();
            read.extend(answer.records.iter().map(|record| record["record"]["id"].as_i64().unwrap()));
            cursor = Some(answer.next);
        }
        if round % 10 == 0 {
            gate.tick().await.unwrap();
        }
    }
    read.sort_unstable();
    assert_eq!(read, published);
}
