//! The alarm before a subscription loses records: by an injected clock and a log that tells append times.

use std::time::Duration;

use changtong_catalog::clock::Clock as _;
use changtong_catalog::error::Code;
use changtong_catalog::grant::GrantState;
use changtong_catalog::ids::SubscriptionId;
use changtong_catalog::resource::Kind;

use super::generations::move_on;
use super::world::{SUBSCRIPTION, World, code, whole};
use crate::gate::Poll;

const NOTICE: Duration = Duration::from_secs(86_400);

/// Records of the memory log were appended in the first seconds of 1970: kept until `seconds` of them from now are gone
/// within the notice.
fn keep(world: &World, seconds: u64) {
    let now = world.clock.now().timestamp().unsigned_abs();
    let kept = format!("PT{}S", now + NOTICE.as_secs() - seconds);
    world.store.state.lock().resource.as_mut().unwrap().resource.file.retention = kept;
}

async fn near(world: &World) -> i64 {
    world.gate.watch_edges(NOTICE).await.unwrap();
    world.gate.metrics().near_retention_edge.get()
}

#[tokio::test]
async fn a_live_subscription_near_the_edge_is_told_of_until_it_has_caught_up() {
    let world = World::new();
    world.rows(0..30).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    assert_eq!(near(&world).await, 0, "kept forever");
    keep(&world, 1);
    assert_eq!(near(&world).await, 0, "the first record goes a second later");
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(near(&world).await, 1);
    assert_eq!(near(&world).await, 1, "it lasts");

    let answer = world.read(None).await.unwrap();
    world.acknowledge(&answer).await.unwrap();
    assert_eq!(near(&world).await, 0, "nothing is ahead of it");
    world.rows(30..60).await.unwrap();
    world.clock.advance(Duration::from_secs(30));
    assert_eq!(near(&world).await, 1, "what came since goes too");

    world.store.state.lock().grant.as_mut().unwrap().state = GrantState::Suspended;
    assert_eq!(near(&world).await, 0, "not live");
}

#[tokio::test]
async fn what_went_unread_counts_and_readiness_does_not_change() {
    let world = World::new();
    world.rows(0..30).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    keep(&world, 20);
    for partition in 0..3 {
        world.log.expire(&world.topic(), partition, 5);
    }
    assert_eq!(near(&world).await, 1);
    world.alive.admit().unwrap();
}

#[tokio::test]
async fn a_reader_in_the_generation_before_is_told_of_too() {
    let world = World::new();
    world.store.state.lock().resource.as_mut().unwrap().resource.file.kind = Kind::Stream;
    world.rows(0..30).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let poll = Poll { limit: Some(1), ..world.poll(None) };
    let first = whole(world.gate.deliver(poll).await.unwrap()).await.unwrap();
    world.acknowledge(&first).await.unwrap();
    let copied = move_on(&world).await;
    world.gate.moved(&copied).await.unwrap();
    // What it has yet to read there goes soon; what was copied is kept anew.
    (0..3).for_each(|partition| world.log.rewrite(&copied.to.name, partition, 0, world.clock.now()));
    keep(&world, 20);
    assert_eq!(near(&world).await, 1);
    let rest = world.read(Some(&first.next)).await.unwrap();
    world.acknowledge(&rest).await.unwrap();
    assert_eq!(near(&world).await, 0, "it goes on in the next");
}

#[tokio::test]
async fn one_subscription_that_nobody_can_tell_of_keeps_no_other_from_its_alarm() {
    let world = World::new();
    world.rows(0..30).await.unwrap();
    let other = SubscriptionId(uuid::Uuid::from_u128(6));
    world.subscribe(SUBSCRIPTION);
    world.subscribe(other);
    keep(&world, 20);
    // Whichever is asked about first, the log does not answer.
    *world.log.deaf.lock() = 1;
    assert_eq!(code(world.gate.watch_edges(NOTICE).await), Code::BrokerUnavailable);
    assert_eq!(world.gate.metrics().near_retention_edge.get(), 1, "the other is told of");
    assert_eq!(near(&world).await, 2);
}
