//! A batch of the log whose bytes are no longer those that were written: the place is named, everything else is read, and
//! a new generation brings it back.

use std::ops::Range;
use std::path::Path;

use super::broker::Broker;
use super::deployment::{Deployment, once, reconcile};
use super::restore::{AFTER, BEFORE, put_back};
use crate::support::Pair;

/// The offsets that the last batch of a segment holds.
pub(super) fn last_batch(segment: &[u8]) -> Range<i64> {
    let number = |at: usize, length: usize| {
        segment[at..at + length].iter().fold(0_i64, |number, byte| (number << 8) | i64::from(*byte))
    };
    // Of a batch: its first offset, the length of what follows, and farther on by how much its last offset is above.
    let (mut at, mut last) = (0, 0);
    while at < segment.len() {
        last = at;
        at += 12 + usize::try_from(number(at + 8, 4)).expect("a length");
    }
    let first = number(last, 8);
    first..first + number(last + 23, 4) + 1
}

/// Turns a bit of the last batch of a segment around; answers the offsets that the batch holds.
fn spoil(segment: &Path) -> Range<i64> {
    let mut bytes = std::fs::read(segment).expect("the segment");
    let offsets = last_batch(&bytes);
    *bytes.last_mut().expect("a byte") ^= 1;
    std::fs::write(segment, bytes).expect("it is damaged");
    offsets
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_partition_with_a_bad_batch_the_place_is_named_and_the_rest_comes_back() {
    let Some(broker) = Broker::start() else { return };
    let Some(mut deployment) = Deployment::new(Pair::Production).await else { return };
    broker.answers().await;
    deployment.set("CHANGTONG_KAFKA__BROKERS", broker.address.clone());
    let (table, backup, events, server) = put_back(&deployment, BEFORE).await;
    server.kill().await;
    let topic = format!("{}ct.r.1", deployment.setting("CHANGTONG_LOG__PREFIX"));
    let bad = spoil(&broker.segment(&format!("{topic}-1")));

    let (ok, said) = deployment.command(&["reconcile", "--adopt", &events.display().to_string()], "node");
    assert!(said.contains("adopted 300 records of 1 events"), "the others are decided about: {said}");
    let place = format!("{topic}, partition 1, offsets {} to {}", bad.start, bad.end - 1);
    assert!(!ok && said.contains(&place) && said.contains("1 places of the log"), "{said}");

    let server = deployment.start("node", None).await;
    assert_eq!(table.own(&server).await.expect_err("it is said, not passed over"), "broker_unavailable");
    let moved = table.new_generation(&server, None).await.expect("the way out");
    let lost = bad.end - bad.start;
    assert_eq!(moved["copied"], 500 - lost, "{moved}");
    let (seen, all) = (table.visible(&server).await, once(&[BEFORE, AFTER]));
    assert_eq!(i64::try_from(seen.len()).expect("few"), 500 - lost);
    assert!(seen.iter().all(|(id, times)| *times == 1 && all.contains_key(id)));
    server.kill().await;
    reconcile(&deployment, "node");
    backup.done().await;
    deployment.done().await;
}
