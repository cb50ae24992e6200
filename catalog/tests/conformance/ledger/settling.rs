//! Settling, topics, the lease, and what stands after an unknown commit (protocol.md 3, 4, 10).

use std::time::Duration;

use changtong_catalog::audit::{Build, EventCode};
use changtong_catalog::clock::Clock;
use changtong_catalog::conformance;
use changtong_catalog::error::Code;
use changtong_catalog::ports::{Attempt, CommitError, Group, Ledger, Receipt, Settling, Topic};
use changtong_catalog::store::{LEASE, Store, StoreLedger};
use changtong_catalog::visibility::{StoredRun, Verdict};
use serde_json::json;

use super::world::{code, run, world};
use crate::fixture::id;

async fn holes_become_dead_in_one_event(store: &Store) {
    let world = world(store).await;
    let attempts = vec![world.attempt(&[run(0, 3, 5), run(1, 0, 1)]), world.attempt(&[run(0, 8, 9)])];
    world.publish(attempts).await;
    let views = world.settle([10, 4, 0], [0; 3]).await;
    assert_eq!(views, world.views().await);
    assert_eq!((views[0].settled, views[1].settled, views[2].settled), (10, 4, 0));
    let dead = |first, last| StoredRun { first, last, verdict: Verdict::Dead };
    assert_eq!(views[0].runs, [dead(0, 2), dead(6, 7)]);
    assert_eq!(views[1].runs, [dead(2, 3)]);
    assert_eq!(world.visible(0).await, [3, 4, 5, 8, 9]);
    let events = world.events(EventCode::Settled).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["holes"], json!([[0, 0, 2], [0, 6, 7], [1, 2, 3]]));

    // Nothing is left to do: nothing is written.
    world.settle([10, 4, 0], [0; 3]).await;
    assert_eq!(world.events(EventCode::Settled).await.len(), 1);
    // What lies before the first kept record is forgotten.
    let views = world.settle([10, 4, 0], [3, 0, 0]).await;
    assert_eq!(views[0].runs, [dead(6, 7)]);
}

async fn a_store_that_lacks_what_it_held_settles_nothing(store: &Store) {
    let world = world(store).await;
    world.publish(vec![world.attempt(&[run(0, 0, 4), run(1, 0, 4)])]).await;
    let known = world.views().await;
    let settling = Settling { topic: world.topic.clone(), noted_ends: vec![9, 5, 0], first_kept: vec![0; 3] };
    let mut more = known.clone();
    more[1].insert(StoredRun { first: 7, last: 8, verdict: Verdict::Committed }).unwrap();
    let refused = world.ledger.settle(&settling, &more).await.unwrap_err();
    assert_eq!(refused.code, Code::StoreOlderThanLog);
    assert_eq!(world.views().await, known);
    assert_eq!(world.events(EventCode::Settled).await.len(), 0);
    let settled = world.ledger.settle(&settling, &known).await.unwrap();
    assert_eq!((settled[0].settled, settled[1].settled), (9, 5));
}

async fn of_a_settle_and_a_late_commit_the_first_wins(store: &Store) {
    let world = world(store).await;
    let late = world.claimed("k1", 1, &[run(0, 0, 4), run(1, 0, 4)]);
    world.settle([5, 0, 0], [0; 3]).await;
    let answer = world.publish(vec![late.clone()]).await.remove(0);
    assert_eq!(code(&answer), Some(Code::AttemptTooLate));
    assert_eq!(world.visible(0).await.len() + world.visible(1).await.len(), 0);
    // The same request again is a new attempt and counts.
    let again = world.publish(vec![world.claimed("k1", 1, &[run(0, 5, 9), run(1, 5, 9)])]).await.remove(0);
    assert!(again.is_ok());
    world.settle([10, 10, 0], [0; 3]).await;
    assert_eq!(world.visible(0).await, [5, 6, 7, 8, 9]);
    assert_eq!(world.visible(1).await, [5, 6, 7, 8, 9]);
}

async fn a_topic_is_wanted_once(store: &Store) {
    let world = world(store).await;
    let other = Topic { partitions: 9, ..world.topic.clone() };
    let stored = world.ledger.want_topic(&other).await.unwrap();
    assert_eq!((stored.partitions, stored.made), (3, true));
    assert_eq!(world.events(EventCode::TopicWanted).await.len(), 1);
    assert_eq!(world.views().await.len(), 3);
}

async fn one_server_is_in_force(store: &Store) {
    let world = world(store).await;
    let (now, ids) = (world.clock.now(), &*world.ids);
    let other = id(0xF01);
    let refused = store.take_server(other, Build("0.1.0"), now, ids).await;
    assert_eq!(code(&refused), Some(Code::AnotherServerActive));
    let lease = store.renew_server(world.lease, now + Duration::from_secs(3)).await.unwrap();
    assert_eq!(lease.until, now + Duration::from_secs(3) + LEASE);

    // When the lease has run out another node takes over, and the first one does nothing more.
    let taken = store.take_server(other, Build("0.1.0"), lease.until, ids).await.unwrap();
    assert_eq!(taken.epoch, lease.epoch + 1);
    assert_eq!(code(&store.renew_server(lease, now).await), Some(Code::AnotherServerActive));
    let group = Group { attempts: vec![world.attempt(&[run(0, 0, 4)])], ..Group::default() };
    let Err(CommitError::NotSent(refusal)) = world.ledger.commit(&group).await else {
        panic!("a server without the row committed")
    };
    assert_eq!(refusal.code, Code::AnotherServerActive);
    assert_eq!(world.views().await[0].stable_end(), 0);
    assert_eq!(world.events(EventCode::ServerLease).await.len(), 1);

    // A clean stop frees the row at once; the own node takes it at once anyway.
    store.release_server(taken, now, ids).await.unwrap();
    let third = store.take_server(id(0xF02), Build("0.1.0"), now, ids).await.unwrap();
    let again = store.take_server(third.node, Build("0.1.0"), now, ids).await.unwrap();
    assert_eq!((third.epoch, again.epoch), (taken.epoch + 1, taken.epoch + 2));
}

async fn an_unknown_commit_is_answered_by_what_stands(store: &Store) {
    let world = world(store).await;
    let keyed = world.claimed("k1", 1, &[run(0, 0, 4)]);
    let plain = world.attempt(&[run(0, 5, 9)]);
    let receipts = world.publish(vec![keyed.clone(), plain.clone()]).await;
    let lost = world.attempt(&[run(0, 10, 14)]);
    let second = world.claimed("k1", 1, &[run(0, 15, 19)]);
    let other_body = world.claimed("k1", 2, &[run(0, 20, 24)]);
    let asked: Vec<Attempt> = vec![keyed, plain, lost, second, other_body];
    let answers = world.ledger.outcome(&asked).await.unwrap();
    assert_eq!(answers[0], receipts[0]);
    assert_eq!(answers[1], receipts[1]);
    assert_eq!(code(&answers[2]), Some(Code::OutcomeUnknown));
    let winner = receipts[0].clone().unwrap();
    assert_eq!(answers[3], Ok(Receipt { replayed: true, ..winner }));
    assert_eq!(code(&answers[4]), Some(Code::IdempotencyKeyReused));
}

async fn views_are_none_before_the_topic_is_wanted(store: &Store) {
    let world = world(store).await;
    let ledger = StoreLedger::new(store.clone(), world.clock.clone(), world.ids.clone(), 1);
    let none = ledger.views(world.number(), changtong_catalog::ids::Generation(2)).await.unwrap();
    assert_eq!(none, []);
}

conformance!(
    holes_become_dead_in_one_event,
    a_store_that_lacks_what_it_held_settles_nothing,
    of_a_settle_and_a_late_commit_the_first_wins,
    a_topic_is_wanted_once,
    one_server_is_in_force,
    an_unknown_commit_is_answered_by_what_stands,
    views_are_none_before_the_topic_is_wanted,
);
