//! Acknowledgements and seeks (protocol.md 6).

use changtong_catalog::audit::EventCode;
use changtong_catalog::conformance;
use changtong_catalog::error::Code;
use changtong_catalog::grant::{Grant, GrantState};
use changtong_catalog::ids::{Generation, GrantId};
use changtong_catalog::ports::{Ack, Directory, Group, Seek, Topic};
use changtong_catalog::resource::Kind;
use changtong_catalog::store::{ResourceChange, Store};
use serde_json::json;

use super::world::{World, code, world};
use crate::fixture::{at, id};

async fn stored(world: &World) -> (i64, i32, Vec<i64>) {
    let mut session = world.store.read().await.unwrap();
    let subscription = session.subscription(world.fixture.subscription.id).await.unwrap().unwrap();
    (subscription.view, subscription.seek_count, subscription.position)
}

fn seek(world: &World, view: i64, position: [i64; 3]) -> Seek {
    Seek {
        caller: world.fixture.consumer.clone(),
        subscription: world.fixture.subscription.id,
        view,
        generation: Generation(1),
        position: position.to_vec(),
    }
}

async fn acks_move_to_the_larger_and_are_one_event_a_group(store: &Store) {
    let world = world(store).await;
    let acks = vec![world.ack([5, 0, 0]), world.ack([3, 7, 0]), world.ack([5, 2, 1])];
    let answers = world.commit(Group { acks, ..Group::default() }).await.acks;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(stored(&world).await, (7, 0, vec![5, 7, 1]));
    let events = world.events(EventCode::DeliverAcked).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["position"], json!([5, 7, 1]));

    // Late or twice, it is accepted and moves nothing.
    world.commit(Group { acks: vec![world.ack([5, 1, 1])], ..Group::default() }).await;
    assert_eq!(world.events(EventCode::DeliverAcked).await.len(), 1);
}

async fn an_ack_quotes_what_the_consumer_says(store: &Store) {
    let world = world(store).await;
    let window = world.opening(1).window;
    let digest = "ef".repeat(32);
    let ack = Ack { window: Some(window), digest: Some(digest.clone()), ..world.ack([1, 1, 1]) };
    let bad = Ack { digest: Some("no digest".to_owned()), ..world.ack([2, 2, 2]) };
    let answers = world.commit(Group { acks: vec![bad, ack], ..Group::default() }).await.acks;
    assert_eq!((code(&answers[0]), code(&answers[1])), (Some(Code::Invalid), None));
    let event = world.events(EventCode::DeliverAcked).await.remove(0);
    assert_eq!((&event["window"], &event["digest"]), (&json!(window), &json!(digest)));
}

async fn a_seek_replaces_older_cursors(store: &Store) {
    let world = world(store).await;
    let acks = vec![world.ack([9, 9, 9])];
    let seeks = vec![seek(&world, 7, [4, 4, 4])];
    let answers = world.commit(Group { acks, seeks, ..Group::default() }).await;
    assert_eq!(answers.seeks, [Ok(1)]);
    assert_eq!(stored(&world).await, (7, 1, vec![4, 4, 4]));
    let older = world.commit(Group { acks: vec![world.ack([10, 10, 10])], ..Group::default() }).await.acks;
    assert_eq!(code(&older[0]), Some(Code::CursorSuperseded));
    let mut newer = world.ack([5, 4, 4]);
    newer.cursor.seek_count = 1;
    let mut unknown = newer.clone();
    unknown.cursor.seek_count = 2;
    let answers = world.commit(Group { acks: vec![newer, unknown], ..Group::default() }).await.acks;
    assert_eq!((code(&answers[0]), code(&answers[1])), (None, Some(Code::CursorInvalid)));
    assert_eq!(stored(&world).await, (7, 1, vec![5, 4, 4]));
    assert_eq!(world.events(EventCode::DeliverSought).await.len(), 1);
    assert_eq!(world.events(EventCode::DeliverAcked).await.len(), 2);
}

async fn a_new_view_replaces_a_position_of_an_earlier_one(store: &Store) {
    let world = world(store).await;
    world.commit(Group { acks: vec![world.ack([9, 9, 9])], ..Group::default() }).await;
    // The view in force is 8 now: the table's ack of view 7 is told so, a cursor of view 8 starts anew.
    let old = Ack { view: 8, ..world.ack([10, 10, 10]) };
    let mut new = Ack { view: 8, ..world.ack([1, 0, 0]) };
    new.cursor.view = 8;
    let mut strange = new.clone();
    strange.cursor.view = 9;
    let acks = vec![old.clone(), new, old, strange];
    let answers = world.commit(Group { acks, ..Group::default() }).await.acks;
    let codes: Vec<_> = answers.iter().map(code).collect();
    let changed = Some(Code::ViewChanged);
    assert_eq!(codes, [changed, None, changed, changed]);
    assert_eq!(stored(&world).await, (8, 0, vec![1, 0, 0]));
}

async fn only_the_consumer_moves_its_positions(store: &Store) {
    let world = world(store).await;
    let foreign = Ack { caller: world.fixture.provider.clone(), ..world.ack([1, 1, 1]) };
    let foreign_seek = Seek { caller: world.fixture.provider.clone(), ..seek(&world, 7, [1, 1, 1]) };
    let mut unfit = world.ack([1, 1, 1]);
    unfit.cursor.next = vec![1, 1];
    let group = Group {
        acks: vec![foreign, unfit, world.ack([2, 2, 2])],
        seeks: vec![foreign_seek],
        ..Group::default()
    };
    let answers = world.commit(group).await;
    let codes: Vec<_> = answers.acks.iter().map(code).collect();
    assert_eq!(codes, [Some(Code::NotFound), Some(Code::CursorInvalid), None]);
    assert_eq!(code(&answers.seeks[0]), Some(Code::NotFound));
    assert_eq!(stored(&world).await, (7, 0, vec![2, 2, 2]));
}

async fn who_reads_what_is_kept_for_a_time_is_known(store: &Store) {
    let world = world(store).await;
    assert_eq!(store.forgetting().await.unwrap(), [], "a table is kept for ever");
    let mut tx = store.begin().await.unwrap();
    let mut entry = tx.resource_to_change(world.number()).await.unwrap().unwrap();
    (entry.file.kind, entry.file.retention) = (Kind::Stream, "90d".to_owned());
    entry.version += 1;
    let change = ResourceChange { action: "revise", by: world.fixture.provider.account, at: at(9) };
    tx.update_resource(&entry, change).await.unwrap();
    tx.finish().await.unwrap();
    let kept = std::time::Duration::from_secs(90 * 86_400);
    let made = Topic { made: true, ..world.topic.clone() };
    assert_eq!(store.forgetting().await.unwrap(), [(made, kept)]);
    let readers = async |now| {
        let found = store.live_readers(world.number(), now).await.unwrap();
        found.into_iter().map(|(subscription, grant)| (subscription.id, grant.id)).collect::<Vec<_>>()
    };
    let own = (world.fixture.subscription.id, world.fixture.grant.id);
    assert!(readers(at(10)).await.contains(&own));

    let change_grant = async |version: i32, change: fn(&mut Grant)| {
        let mut tx = store.begin().await.unwrap();
        let mut grant = tx.grant_to_change(world.fixture.grant.id).await.unwrap().unwrap();
        grant.version = version;
        change(&mut grant);
        tx.update_grant(&grant).await.unwrap();
        tx.finish().await.unwrap();
    };
    change_grant(2, |grant| grant.valid_until = Some(at(50))).await;
    assert!(readers(at(49)).await.contains(&own));
    assert_eq!(readers(at(50)).await, [], "its time is over");
    change_grant(3, |grant| grant.state = GrantState::Suspended).await;
    assert_eq!(readers(at(10)).await, []);
    assert_eq!(store.forgetting().await.unwrap(), [], "nobody reads it");
}

/// Of a grant made before its id was kept, the pseudonym key is the one that was in force.
async fn a_grant_keeps_its_pseudonym_key(store: &Store) {
    let world = world(store).await;
    let mut tx = store.begin().await.unwrap();
    let number = tx.number_grant().await.unwrap();
    let (id, old) = (GrantId(id(0x7FF)), world.fixture.grant.clone());
    tx.insert_grant(&Grant { id, number, pseudonym_key: String::new(), ..old.clone() }).await.unwrap();
    tx.finish().await.unwrap();
    assert_eq!(store.keep_pseudonym_key("p9").await.unwrap(), 1);
    assert_eq!(store.keep_pseudonym_key("p10").await.unwrap(), 0);
    let mut session = store.read().await.unwrap();
    assert_eq!(session.grant(id).await.unwrap().unwrap().pseudonym_key, "p9");
    assert_eq!(session.grant(old.id).await.unwrap(), Some(old));
}

conformance!(
    who_reads_what_is_kept_for_a_time_is_known,
    a_grant_keeps_its_pseudonym_key,
    acks_move_to_the_larger_and_are_one_event_a_group,
    an_ack_quotes_what_the_consumer_says,
    a_seek_replaces_older_cursors,
    a_new_view_replaces_a_position_of_an_earlier_one,
    only_the_consumer_moves_its_positions,
);
