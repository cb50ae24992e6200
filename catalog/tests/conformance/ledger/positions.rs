//! Acknowledgements and seeks (protocol.md 6).

use changtong_catalog::audit::EventCode;
use changtong_catalog::conformance;
use changtong_catalog::error::Code;
use changtong_catalog::ports::{Ack, Group, Seek};
use changtong_catalog::store::Store;
use serde_json::json;

use super::world::{World, code, world};

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

conformance!(
    acks_move_to_the_larger_and_are_one_event_a_group,
    an_ack_quotes_what_the_consumer_says,
    a_seek_replaces_older_cursors,
    a_new_view_replaces_a_position_of_an_earlier_one,
    only_the_consumer_moves_its_positions,
);
