//! The cut-over to a new generation (protocol.md 2): whatever a server that paused nothing commits beside the copy, the
//! one commit has all of it or is made again.

use changtong_catalog::actions::{Act, CutOver, Rules, new_generation};
use changtong_catalog::audit::Batch;
use changtong_catalog::clock::Clock;
use changtong_catalog::conformance;
use changtong_catalog::error::Code;
use changtong_catalog::generation::{Copied, CopiedBatch};
use changtong_catalog::ids::{BatchId, Generation, TopicName};
use changtong_catalog::ports::{Ack, Directory, Group, Ledger, Topic};
use changtong_catalog::store::Store;

use super::world::{PARTITIONS, World, code, run, world};
use crate::fixture::id;

/// What a gate would have copied by now: the records of partition 0, but for one that its log had lost.
async fn copied(world: &World) -> Copied {
    let generation = Generation(2);
    let name = TopicName::records("", world.number(), generation);
    let wanted = Topic { name, resource: world.number(), generation, partitions: PARTITIONS, made: false };
    let to = world.ledger.want_topic(&wanted).await.unwrap();
    world.ledger.topic_made(&to).await.unwrap();
    let views = world.views().await;
    let batch = Batch { id: BatchId(id(0x700)), runs: vec![run(0, 0, 8)], n: 9 };
    let fingerprint = "ab".repeat(32);
    let schema = world.fixture.resource.schema.unwrap();
    Copied {
        from: world.topic.clone(),
        to: Topic { made: true, ..to },
        began: world.clock.now(),
        first_kept: vec![0; 3],
        seen: views.iter().map(|view| view.counting(0, i64::MAX)).collect(),
        ends: views.iter().map(|view| view.known_end()).collect(),
        begins: vec![9, 0, 0],
        batches: vec![CopiedBatch { schema, fingerprint, batch }],
        floors: [(world.fixture.grant.id, vec![0; 3])].into(),
        records: 9,
        strange: 0,
        lost: vec![run(0, 4, 4)],
    }
}

async fn cut_over(world: &World, copied: &Copied) -> CutOver {
    let rules = Rules {
        four_eyes: false,
        zone: chrono::FixedOffset::east_opt(8 * 3600).unwrap(),
        handle_key: "h1".to_owned(),
        pseudonym_key: "p1".to_owned(),
        topic_prefix: String::new(),
        subscriptions: 3,
    };
    let caller = &world.fixture.provider;
    let act = Act { caller, now: world.clock.now(), ids: &*world.ids, rules: &rules, claim: None };
    new_generation(&world.store, &act, &world.fixture.resource.code, None, copied).await.unwrap()
}

async fn what_is_committed_beside_a_copy_is_copied_again(store: &Store) {
    let world = world(store).await;
    world.publish(vec![world.attempt(&[run(0, 0, 9)])]).await.remove(0).unwrap();
    let before = copied(&world).await;
    // A server whose pause is gone, or that was never told of one.
    world.publish(vec![world.attempt(&[run(1, 0, 4)])]).await.remove(0).unwrap();
    assert!(matches!(cut_over(&world, &before).await, CutOver::Changed));
    let standing = store.resource_by_number(world.number()).await.unwrap().unwrap();
    assert_eq!(standing.resource.generation, Generation(1), "nothing of it was kept");
    assert_eq!(world.ledger.views(world.number(), Generation(2)).await.unwrap()[0].settled, 0);

    let again = copied(&world).await;
    assert!(matches!(cut_over(&world, &again).await, CutOver::Done(_)));
    // A settled hole changes nothing of what counts; an attempt that comes now is of a generation that is over.
    let late = world.publish(vec![world.attempt(&[run(0, 10, 12)])]).await.remove(0);
    assert_eq!(code(&late), Some(Code::AttemptTooLate));
    assert!(matches!(cut_over(&world, &again).await, CutOver::Changed), "nor does a second one cut over");
}

async fn a_generation_that_is_over_says_when_and_what_it_lacked(store: &Store) {
    let world = world(store).await;
    world.publish(vec![world.attempt(&[run(0, 0, 9)])]).await.remove(0).unwrap();
    let mut copied = copied(&world).await;
    // A copy takes its time, and what the topic takes meanwhile was not published either.
    copied.began = world.clock.now() - chrono::Duration::hours(1);
    let generations = store.generations(world.number()).await.unwrap();
    assert!(generations.iter().all(|edges| edges.ended_at.is_none() && edges.lost.is_empty()));
    assert!(matches!(cut_over(&world, &copied).await, CutOver::Done(_)));
    let generations = store.generations(world.number()).await.unwrap();
    let [first, second] = &generations[..] else { panic!("{generations:?}") };
    assert_eq!((&first.ends, first.ended_at), (&Some(vec![10, 0, 0]), Some(copied.began)));
    assert_eq!(first.lost, [run(0, 4, 4)]);
    assert_eq!((&second.begins, second.ended_at), (&vec![9, 0, 0], None));
}

/// The gate judged it by the view that was in force when it came.
async fn an_ack_of_the_generation_before_moves_no_position_back(store: &Store) {
    let world = world(store).await;
    world.publish(vec![world.attempt(&[run(0, 0, 9)])]).await.remove(0).unwrap();
    assert!(matches!(cut_over(&world, &copied(&world).await).await, CutOver::Done(_)));
    let late = world.ack([10, 0, 0]);
    let mut new = Ack { view: 8, ..world.ack([3, 0, 0]) };
    (new.cursor.view, new.cursor.generation) = (8, Generation(2));
    let answers = world.commit(Group { acks: vec![new, late], ..Group::default() }).await.acks;
    assert_eq!((code(&answers[0]), code(&answers[1])), (None, Some(Code::ViewChanged)));
    let mut session = world.store.read().await.unwrap();
    let stored = session.subscription(world.fixture.subscription.id).await.unwrap().unwrap();
    assert_eq!((stored.view, stored.position), (8, vec![3, 0, 0]));
}

conformance!(
    what_is_committed_beside_a_copy_is_copied_again,
    a_generation_that_is_over_says_when_and_what_it_lacked,
    an_ack_of_the_generation_before_moves_no_position_back,
);
