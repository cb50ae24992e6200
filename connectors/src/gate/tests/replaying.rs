//! Records set aside that are published after all: once, corrected, and not over a newer one unasked.

use std::time::Duration;

use changtong_catalog::clock::{Clock as _, Time};
use changtong_catalog::error::Code;
use changtong_catalog::ids::{QuarantineId, ResourceNumber, TopicName};
use changtong_catalog::resource::Item;
use uuid::Uuid;

use super::generations::move_on;
use super::world::{SUBSCRIPTION, World, aside, caller, code, provider, until};
use crate::gate::{Format, OnInvalid, Replay, SetAside, refusals};

const ASIDE: QuarantineId = QuarantineId(Uuid::from_u128(9));

/// A world in which one record was set aside.
async fn set_aside(record: &str) -> World {
    let world = World::new();
    let mut ask = world.ask(record);
    ask.on_invalid = OnInvalid::Quarantine;
    assert_eq!(world.gate.publish(ask).await.unwrap().quarantined, 1);
    world
}

#[tokio::test]
async fn a_replay_of_what_fits_by_now_counts_once() {
    let world = set_aside("{\"id\":1,\"late\":\"x\"}\n").await;
    {
        let mut state = world.store.state.lock();
        let standing = state.resource.as_mut().unwrap();
        let mut versions = standing.versions.to_vec();
        let late = Item { name: "late".into(), ..versions[0].items[1].clone() };
        versions[0].items.push(late);
        standing.versions = versions.into();
        standing.resource.version += 1;
    }
    let row = world.store.state.lock().set_aside[0].clone();
    let waits = aside(row.id, row.offset);
    let done = SetAside { waiting: false, ..waits.clone() };
    assert_eq!(code(world.replay(done.clone(), None, false).await), Code::InvalidState, "discarded");
    let first = world.replay(waits.clone(), None, false).await.unwrap();
    assert_eq!((first.accepted, first.replayed), (1, false));
    let colleague = caller(1, 12, "another of the provider");
    for (who, aside) in [(provider(), &waits), (colleague, &waits), (provider(), &done)] {
        let again = world.replay_by(who, aside.clone(), None, false).await.unwrap();
        assert_eq!((again.batch, again.replayed), (first.batch, true));
    }
    assert_eq!(
        code(world.replay(done, Some("{\"id\":1}"), false).await),
        Code::InvalidState,
        "another record"
    );
    assert_eq!(world.store.state.lock().receipts.len(), 2);
}

#[tokio::test]
async fn a_corrected_record_is_one_record_that_fits() {
    let world = set_aside("{\"id\":1,\"extra\":\"x\"}\n").await;
    let refused = async |body: &str| code(world.replay(aside(ASIDE, 0), Some(body), false).await);
    assert_eq!(refused("{\"id\":1}\n{\"id\":2}\n").await, Code::Invalid);
    assert_eq!(refused("\n").await, Code::Invalid);
    assert_eq!(refused("{\"id\":1,\"extra\":2}\n").await, Code::RecordsInvalid);
    let receipt = world.replay(aside(ASIDE, 0), Some("{\"id\":1,\"v\":\"mended\"}\n"), false).await.unwrap();
    assert_eq!((receipt.accepted, receipt.quarantined), (1, 0));
}

#[tokio::test]
async fn a_newer_record_of_the_key_is_asked_about_first() {
    let world = set_aside("{\"id\":1,\"extra\":\"x\"}\n").await;
    world.rows(1..200).await.unwrap();
    let corrected = Some("{\"id\":1,\"v\":\"old\"}");
    let refusal = world.replay(aside(ASIDE, 0), corrected, false).await.unwrap_err();
    assert_eq!(refusal.code, Code::NewerRecord);
    let record = refusal.extra["record"].as_str().unwrap();
    assert!(record.starts_with("1.") && record.split('.').count() == 3, "which: {record}");
    assert!(refusal.extra["published_at"].as_str().unwrap().starts_with("1970-01-01T00:"), "and since when");
    assert!(refusal.text.zh.contains(record) && refusal.text.en.contains(record));
    // Another key has none, and neither has this one since long after.
    world.replay(aside(QuarantineId(Uuid::from_u128(10)), 0), Some("{\"id\":900}"), false).await.unwrap();
    let after: Time = "1971-01-01T00:00:00Z".parse().unwrap();
    let late = SetAside { published_at: after, ..aside(QuarantineId(Uuid::from_u128(11)), 0) };
    world.replay(late, corrected, false).await.unwrap();
    assert_eq!(world.replay(aside(ASIDE, 0), corrected, true).await.unwrap().accepted, 1);
}

#[tokio::test]
async fn a_record_that_lands_while_it_is_replayed_is_not_overwritten() {
    let world = set_aside("{\"id\":1,\"extra\":\"x\"}\n").await;
    world.rows(5..9).await.unwrap();
    let before = *world.log.appends.lock();
    world.log.hold.send_replace(true);
    // The newer record is in the log and does not count yet: the replay cannot see it when it looks.
    let newer = (world.gate.clone(), world.ask("{\"id\":1,\"v\":\"newer\"}\n"));
    let newer = tokio::spawn(async move { newer.0.publish(newer.1).await });
    until(async || *world.log.appends.lock() == before + 1).await;
    let (gate, held) = (world.gate.clone(), world.ask("{\"id\":1,\"v\":\"older\"}\n").body);
    let (caller, aside) = (provider(), aside(ASIDE, 0));
    let replay =
        Replay { caller, aside: aside.clone(), corrected: Some((Format::Ndjson, held)), overwrite: false };
    let replaying = tokio::spawn(async move { gate.replay(replay).await });
    until(async || *world.log.appends.lock() == before + 2).await;
    world.log.hold.send_replace(false);
    newer.await.unwrap().unwrap();
    let refused = code(replaying.await.unwrap());
    assert!(matches!(refused, Code::NewerRecord | Code::AttemptTooLate), "{refused}");

    let corrected = Some("{\"id\":1,\"v\":\"older\"}\n");
    assert_eq!(code(world.replay(aside.clone(), corrected, false).await), Code::NewerRecord);
    world.subscribe(SUBSCRIPTION);
    let all = world.read(None).await.unwrap().records;
    let of_it: Vec<_> = all.iter().filter(|line| line["record"]["id"] == 1).collect();
    assert_eq!(of_it.len(), 1, "the replay never counts");
    assert_eq!(of_it[0]["record"]["v"], "newer");
    assert_eq!(world.replay(aside, corrected, true).await.unwrap().accepted, 1);
}

#[tokio::test]
async fn a_copy_into_a_new_generation_is_no_newer_than_what_it_is_a_copy_of() {
    let world = set_aside("{\"id\":1,\"extra\":\"x\"}\n").await;
    world.rows(1..30).await.unwrap();
    let after: Time = "1971-01-01T00:00:00Z".parse().unwrap();
    let late = SetAside { published_at: after, ..aside(ASIDE, 0) };
    let copied = move_on(&world).await;
    world.gate.moved(&copied).await.unwrap();
    let moved_at = "1972-01-01T00:00:00Z".parse().unwrap();
    (0..3).for_each(|partition| world.log.rewrite(&copied.to.name, partition, 0, moved_at));
    // What came to the new generation is newer; what it began with is not.
    world.rows(40..70).await.unwrap();
    let (of_before, of_since) = (Some("{\"id\":1,\"v\":\"old\"}"), Some("{\"id\":50,\"v\":\"old\"}"));
    assert_eq!(code(world.replay(late.clone(), of_since, false).await), Code::NewerRecord);
    assert_eq!(world.replay(late, of_before, false).await.unwrap().accepted, 1);
    // One that was set aside before any of them is older than all, wherever they lie by now.
    let other = aside(QuarantineId(Uuid::from_u128(10)), 0);
    let refusal = world.replay(other.clone(), Some("{\"id\":2}"), false).await.unwrap_err();
    assert_eq!(refusal.code, Code::NewerRecord);
    assert!(refusal.extra["record"].as_str().unwrap().starts_with("1."), "in its generation");

    // What the old log lost or took since is no answer, and no fault either.
    let moved = world.clock.now();
    let topic = world.topic();
    let harms: [&dyn Fn(usize); 2] = [
        &|partition| world.log.rewrite(&topic, partition, 0, moved + chrono::Duration::hours(1)),
        &|partition| world.log.damage(&topic, partition, 0, 1000),
    ];
    for harm in harms {
        (0..3).for_each(harm);
        let world = world.restart(2, None);
        let again = || world.replay(other.clone(), Some("{\"id\":2}"), false);
        assert_eq!(code(again().await), Code::BrokerUnavailable, "one answer is not believed");
        world.clock.advance(Duration::from_secs(6));
        let refusal = again().await.unwrap_err();
        assert_eq!(refusal.code, Code::NewerRecord);
        assert!(refusal.text.en.contains("no longer whole"), "{}", refusal.text.en);
    }
    let world = world.restart(3, None);
    world.log.remove(&world.topic());
    assert_eq!(code(world.replay(other, Some("{\"id\":2}"), false).await), Code::NewerRecord, "nobody knows");
}

#[tokio::test]
async fn what_was_set_aside_is_gone_where_no_broker_has_it() {
    let world = set_aside("{\"id\":1,\"extra\":\"x\"}\n").await;
    let row = world.store.state.lock().set_aside[0].clone();
    let aside = aside(row.id, row.offset);
    let original = async || world.gate.original(&provider(), &aside).await.map(|_| ());
    *world.log.parted.lock() = 1;
    assert_eq!(code(original().await), Code::BrokerUnavailable, "another has it");
    *world.log.parted.lock() = 0;
    original().await.unwrap();
    // Whoever is asked has removed it by its own retention, and does not tell how far.
    (*world.log.ahead.lock(), *world.log.mute.lock()) = (1, true);
    assert_eq!(code(original().await), Code::BrokerUnavailable, "another keeps it");
    (*world.log.ahead.lock(), *world.log.mute.lock()) = (0, false);
    world.clock.advance(Duration::from_secs(4));
    world.log.lose(&TopicName::quarantine("", ResourceNumber(1)), 0, 1);
    assert_eq!(code(original().await), refusals::gone().code);
}
