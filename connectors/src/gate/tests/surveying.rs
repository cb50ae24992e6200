//! A log looked at for a decision: one record that cannot be read does not hide the others.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use changtong_catalog::clock::ManualClock;
use changtong_catalog::error::Code;
use changtong_catalog::ids::{Generation, ResourceNumber, SchemaId, TopicName};
use chrono::DateTime;

use super::world::World;
use crate::gate::{Permit, PermitKind, survey};
use crate::log::embedded::EmbeddedLog;
use crate::log::{Entry, Log, TopicSpec};

const DEADLINE: std::time::Duration = std::time::Duration::from_secs(10);

fn framed(schema: i32, text: &str) -> Option<Bytes> {
    Some(Bytes::from([&[0], schema.to_be_bytes().as_slice(), text.as_bytes()].concat()))
}

async fn append(log: &EmbeddedLog, topic: &TopicName, values: Vec<Option<Bytes>>) {
    let permit = Permit::for_test(PermitKind::Publish, topic.clone(), values.len(), DEADLINE);
    let entries = values.into_iter().map(|value| Entry { partition: 0, key: None, value });
    log.append(permit, entries.collect()).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_read_is_counted_and_the_rest_is_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.db");
    let clock = Arc::new(ManualClock::at(DateTime::UNIX_EPOCH));
    let log = EmbeddedLog::open(&path, clock.clone()).await.unwrap();
    let topics: Vec<TopicName> =
        [1, 2].map(|number| TopicName::records("t.", ResourceNumber(number), Generation(1))).into();
    for name in &topics {
        log.make_topic(&TopicSpec { name: name.clone(), partitions: 1, retention: None }, false)
            .await
            .unwrap();
    }
    // Three rows of the file; the one in the middle is damaged. And a stranger's record without a frame.
    append(&log, &topics[0], vec![framed(3, "a"), framed(3, "b")]).await;
    append(&log, &topics[0], vec![framed(4, "needle"), framed(4, "c"), framed(4, "d")]).await;
    append(&log, &topics[0], vec![framed(5, "e"), Some(Bytes::from_static(b"stranger"))]).await;
    append(&log, &topics[1], vec![framed(9, "f")]).await;
    log.close(DEADLINE).await;
    drop(log);
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(6).position(|window| window == b"needle").unwrap();
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();

    let log = EmbeddedLog::open(&path, clock).await.unwrap();
    let found = survey(&log, "t.", &BTreeMap::new()).await.unwrap();
    assert_eq!(found.schema, Some(SchemaId(9)));
    assert_eq!(found.strange, [(topics[0].clone(), 1)].into());
    let unseen = found.unseen.iter().map(|one| (&one.topic, one.partition, one.from, one.until));
    assert_eq!(unseen.collect::<Vec<_>>(), [(&topics[0], 0, 2, 5)]);
    let key = |number| (ResourceNumber(number), Generation(1));
    assert_eq!(found.topics, [(key(1), vec![(0, 7)]), (key(2), vec![(0, 1)])].into());
    log.close(DEADLINE).await;
}

#[tokio::test]
async fn a_partition_that_cannot_be_read_is_named_and_the_others_are_looked_at() {
    let world = World::new();
    world.rows(0..30).await.unwrap();
    let ends = world.log.ends(&world.topic());
    // It fails without a word of what is damaged.
    *world.log.closed.lock() = Some(1);
    let found = survey(&*world.log, "", &BTreeMap::new()).await.unwrap();
    assert_eq!(found.schema, Some(SchemaId(8)));
    let unseen = found.unseen.iter().map(|one| (one.partition, one.from, one.until, one.why.code));
    assert_eq!(unseen.collect::<Vec<_>>(), [(1, 0, ends[1], Code::BrokerUnavailable)]);
    assert_eq!(found.topics[&(ResourceNumber(1), Generation(1))].len(), 3);
}

#[tokio::test]
async fn a_survey_asks_once_more_for_what_is_said_to_be_damaged() {
    let world = World::new();
    world.rows(0..30).await.unwrap();
    world.log.damage(&world.topic(), 1, 0, 2);
    let (log, topic) = (world.log.clone(), world.topic());
    *world.log.afterwards.lock() = Some(Box::new(move || log.mend(&topic, 1)));
    let found = survey(&*world.log, "", &BTreeMap::new()).await.unwrap();
    assert_eq!((found.unseen.len(), found.strange.len()), (0, 0));
}

#[tokio::test]
async fn a_survey_sees_as_far_as_any_broker() {
    let world = World::new();
    world.rows(0..30).await.unwrap();
    *world.log.parted.lock() = 2;
    let found = survey(&*world.log, "", &BTreeMap::new()).await.unwrap();
    let ends: Vec<i64> = found.topics.values().flatten().map(|(_, end)| *end).collect();
    assert_eq!(ends, world.log.ends(&world.topic()));
    assert_eq!(found.unseen.len(), 3, "what could not be looked into is told");
}
