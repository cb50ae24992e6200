//! Many readers that wait for one resource: what they read is read once, and each gets it in a window of its own.

use std::time::Duration;

use changtong_catalog::ids::SubscriptionId;
use futures::future::join_all;
use uuid::Uuid;

use super::world::{World, consumer, until, whole};
use crate::gate::{Follow, Frame, Poll};

/// Streams and polls, so many of each.
const EACH: u128 = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_that_wait_share_what_is_read() {
    let world = World::new();
    world.rows(0..5).await.unwrap();
    let subscriptions = (0..2 * EACH).map(|n| SubscriptionId(Uuid::from_u128(1000 + n)));
    let (polls, streams): (Vec<_>, Vec<_>) = subscriptions.enumerate().partition(|(n, _)| n % 2 == 0);
    let mut reading = Vec::new();
    for (_, subscription) in polls {
        world.subscribe(subscription);
        let end = world.gate.seek(&consumer(), subscription, &crate::gate::From::End).await.unwrap();
        let (gate, wait) = (world.gate.clone(), Duration::from_secs(60));
        let poll = Poll { subscription, wait, ..world.poll(Some(&end)) };
        reading.push(tokio::spawn(async move {
            whole(gate.deliver(poll).await.unwrap()).await.unwrap().records.len()
        }));
    }
    for (_, subscription) in streams {
        world.subscribe(subscription);
        let end = world.gate.seek(&consumer(), subscription, &crate::gate::From::End).await.unwrap();
        let follow = Follow { caller: consumer(), subscription, purpose: None, cursor: Some(end) };
        let mut stream = world.gate.follow(follow).await.unwrap();
        reading.push(tokio::spawn(async move {
            let mut records = 0;
            while records < 7
                && let Some(Ok(Frame::Bytes(bytes))) = stream.next().await
            {
                records += String::from_utf8_lossy(&bytes).matches("data: {\"id\"").count();
            }
            records
        }));
    }
    until(async || world.gate.metrics.waiting_polls.get() == 2 * EACH as i64).await;
    let held = world.gate.budget().held();
    assert!(held <= 2 * EACH as u64 * (64 << 10), "who waits holds little of the bytes in flight: {held}");
    let reads = *world.log.reads.lock();
    world.rows(5..12).await.unwrap();
    let received = join_all(reading).await;
    assert!(received.into_iter().all(|records| records.unwrap() == 7), "each gets every record");
    let reads = *world.log.reads.lock() - reads;
    assert!(reads <= 3, "the log was read {reads} times for {} readers", 2 * EACH);
    let state = world.store.state.lock();
    assert_eq!(state.windows.len(), 2 * EACH as usize, "one window for each");
}
