//! Idempotency keys and source positions (protocol.md 5).

use changtong_catalog::conformance;
use changtong_catalog::error::Code;
use changtong_catalog::ids::Generation;
use changtong_catalog::ports::{Attempt, Ledger, Receipt};
use changtong_catalog::resource::ResourceState;
use changtong_catalog::store::Store;

use super::world::{code, other, run, world};
use crate::fixture::at;

async fn a_key_counts_once(store: &Store) {
    let world = world(store).await;
    let first = world.claimed("k1", 1, &[run(0, 0, 9)]);
    let again = world.claimed("k1", 1, &[run(0, 10, 19)]);
    let won = world.publish(vec![first.clone()]).await.remove(0).unwrap();
    let replayed = world.publish(vec![again]).await.remove(0).unwrap();
    assert_eq!(replayed, Receipt { replayed: true, ..won.clone() });
    assert_eq!(world.visible(0).await, (0..10).collect::<Vec<_>>());
    assert_eq!(world.views().await[0].stable_end(), 20);

    let claim = first.claim.unwrap();
    let stored = world.ledger.stored_receipt(&claim, Generation(1)).await.unwrap();
    assert_eq!(stored, Some(Receipt { replayed: true, ..won }));
    let other = changtong_catalog::ports::Claim { hash: [9; 16], ..claim.clone() };
    let refused = world.ledger.stored_receipt(&other, Generation(1)).await;
    assert_eq!(code(&refused), Some(Code::IdempotencyKeyReused));
    let free = changtong_catalog::ports::Claim { key: "k2".to_owned(), ..claim };
    assert_eq!(world.ledger.stored_receipt(&free, Generation(1)).await.unwrap(), None);
}

async fn a_key_counts_once_within_a_group(store: &Store) {
    let world = world(store).await;
    let attempts = vec![
        world.claimed("k1", 1, &[run(0, 0, 4)]),
        world.claimed("k1", 1, &[run(0, 5, 9)]),
        world.claimed("k1", 2, &[run(0, 10, 14)]),
        world.claimed("k2", 1, &[run(0, 15, 19)]),
    ];
    let answers = world.publish(attempts).await;
    let won = answers[0].clone().unwrap();
    assert_eq!(answers[1].clone().unwrap(), Receipt { replayed: true, ..won });
    assert_eq!(code(&answers[2]), Some(Code::IdempotencyKeyReused));
    assert!(!answers[3].as_ref().unwrap().replayed);
    let expected: Vec<i64> = (0..5).chain(15..20).collect();
    assert_eq!(world.visible(0).await, expected);
}

async fn a_refused_attempt_leaves_its_key_free(store: &Store) {
    let world = world(store).await;
    let late = Attempt { generation: Generation(2), ..world.claimed("k1", 1, &[run(0, 0, 4)]) };
    let next = world.claimed("k1", 2, &[run(0, 5, 9)]);
    let answers = world.publish(vec![late, next]).await;
    assert_eq!(code(&answers[0]), Some(Code::AttemptTooLate));
    assert!(answers[1].is_ok());
}

async fn a_replay_is_answered_whatever_has_become_of_the_resource(store: &Store) {
    let world = world(store).await;
    let won = world.publish(vec![world.claimed("k1", 1, &[run(0, 0, 9)])]).await.remove(0).unwrap();
    let mut resource = world.fixture.resource.clone();
    (resource.state, resource.version) = (ResourceState::Suspended, resource.version + 1);
    let by = world.fixture.provider.account;
    let change = changtong_catalog::store::ResourceChange { action: "suspend", by, at: at(2000) };
    let mut tx = store.begin().await.unwrap();
    tx.update_resource(&resource, change).await.unwrap();
    tx.finish().await.unwrap();
    let again = world.publish(vec![world.claimed("k1", 1, &[run(0, 10, 19)])]).await.remove(0);
    assert_eq!(again.unwrap(), Receipt { replayed: true, ..won });
}

async fn keys_are_forgotten_by_age(store: &Store) {
    let world = world(store).await;
    world.publish(vec![world.claimed("k1", 1, &[run(0, 0, 4)])]).await;
    world.clock.advance(std::time::Duration::from_secs(3600));
    world.publish(vec![world.claimed("k2", 1, &[run(0, 5, 9)])]).await;
    assert_eq!(store.forget_claims(at(2000)).await.unwrap(), 1);
    let again = world.publish(vec![world.claimed("k1", 1, &[run(0, 10, 14)])]).await.remove(0);
    assert!(!again.unwrap().replayed);
}

async fn a_source_moves_step_by_step(store: &Store) {
    let world = world(store).await;
    assert_eq!(world.ledger.source_position(world.number(), "files").await.unwrap(), "-");
    let first = world.sourced("-", "a:10", &[run(0, 0, 9)]);
    let second = world.sourced("a:10", "a:20", &[run(0, 10, 19)]);
    let answers = world.publish(vec![first.clone(), second]).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(world.ledger.source_position(world.number(), "files").await.unwrap(), "a:20");

    // However late it comes back, it can neither lose nor double a record.
    let late = world.publish(vec![world.sourced("-", "a:10", &[run(0, 20, 29)])]).await.remove(0);
    assert_eq!(code(&late), Some(Code::SourcePosition));
    let late = late.unwrap_err();
    assert_eq!(late.extra["position"], "a:20");
    assert!(!late.text.en.contains("a:20") && !late.text.zh.contains("a:20"), "texts are logged");
    assert_eq!(world.visible(0).await, (0..20).collect::<Vec<_>>());
    assert_eq!(world.views().await[0].stable_end(), 30);
}

async fn a_source_belongs_to_one_account(store: &Store) {
    let world = world(store).await;
    world.publish(vec![world.sourced("-", "a:10", &[run(0, 0, 9)])]).await;
    let mut foreign = world.sourced("a:10", "a:20", &[run(0, 10, 19)]);
    foreign.caller = other(&foreign.caller, 0x999);
    let answers = world.publish(vec![foreign]).await;
    assert_eq!(code(&answers[0]), Some(Code::SourceForeign));
    assert_eq!(world.ledger.source_position(world.number(), "files").await.unwrap(), "a:10");
}

async fn a_refused_step_leaves_the_source_where_it_is(store: &Store) {
    let world = world(store).await;
    let late = Attempt { generation: Generation(2), ..world.sourced("-", "a:10", &[run(0, 0, 4)]) };
    let answers = world.publish(vec![late, world.sourced("-", "a:5", &[run(0, 5, 9)])]).await;
    assert_eq!(code(&answers[0]), Some(Code::AttemptTooLate));
    assert!(answers[1].is_ok());
    assert_eq!(world.ledger.source_position(world.number(), "files").await.unwrap(), "a:5");
}

conformance!(
    a_key_counts_once,
    a_key_counts_once_within_a_group,
    a_refused_attempt_leaves_its_key_free,
    a_replay_is_answered_whatever_has_become_of_the_resource,
    keys_are_forgotten_by_age,
    a_source_moves_step_by_step,
    a_source_belongs_to_one_account,
    a_refused_step_leaves_the_source_where_it_is,
);
