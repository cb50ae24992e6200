//! A copy into a new generation, up to its cut-over: what counts is copied whole, whatever lies between, and nothing is
//! published meanwhile.

use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::generation::Copied;
use changtong_catalog::ids::{Generation, ResourceNumber, TopicName};
use changtong_catalog::ports::Directory as _;

use super::log::LogFault;
use super::store::StoreFault;
use super::world::{World, code};

const NUMBER: ResourceNumber = ResourceNumber(1);

async fn copy(world: &World, partitions: Option<i32>) -> Result<Copied, Refusal> {
    let standing = world.store.resource_by_number(NUMBER).await.unwrap().unwrap();
    let moving = world.gate.begin_move(NUMBER).await?;
    world.gate.copy(&moving, &standing, partitions).await
}

fn into(generation: i32) -> TopicName {
    TopicName::records("", NUMBER, Generation(generation))
}

fn published(copied: &Copied) -> i64 {
    let runs = copied.batches.iter().flat_map(|copied| &copied.batch.runs);
    runs.map(|run| run.last + 1 - run.first).sum()
}

#[tokio::test]
async fn what_counts_is_copied_and_nothing_else() {
    let world = World::new();
    world.rows(0..500).await.unwrap();
    world.store.faults.lock().push_back(StoreFault::NotSent);
    world.rows(500..560).await.unwrap_err();
    world.rows(560..600).await.unwrap();
    world.log.intrude(&world.topic(), 1, 7);
    let copied = copy(&world, Some(5)).await.unwrap();
    assert_eq!((copied.records, published(&copied)), (540, 540));
    assert_eq!(world.log.ends(&into(2)), copied.begins, "nothing else is in the new topic");
    assert_eq!(copied.begins.len(), 5);
    assert_eq!(
        copied
            .views()
            .iter()
            .flat_map(|view| view.counting(0, i64::MAX))
            .map(|r| r.end - r.start)
            .sum::<i64>(),
        540
    );
}

#[tokio::test]
async fn a_batch_that_did_not_come_through_is_copied_again_and_counts_once() {
    let world = World::new();
    world.rows(0..300).await.unwrap();
    world.log.faults.lock().push_back(LogFault::Breaks(100));
    let copied = copy(&world, None).await.unwrap();
    assert_eq!((copied.records, published(&copied)), (300, 300));
    assert_eq!(world.log.ends(&into(2)).iter().sum::<i64>(), 400, "what landed before lies there, dead");
    let dead: i64 =
        copied.views().iter().flat_map(|view| &view.runs).map(|run| run.last + 1 - run.first).sum();
    assert_eq!(dead, 100);
}

#[tokio::test]
async fn a_copy_given_up_is_gone_on_with_or_left_behind() {
    let world = World::new();
    world.rows(0..300).await.unwrap();
    let first = copy(&world, Some(4)).await.unwrap();
    // No cut-over came; the next copy goes into the same topic behind it, one of another shape into the next.
    let again = copy(&world, Some(4)).await.unwrap();
    assert_eq!((again.to.generation, again.records), (Generation(2), 300));
    assert!(
        again
            .batches
            .iter()
            .flat_map(|copied| &copied.batch.runs)
            .all(|run| { run.first >= first.begins[run.partition as usize] })
    );
    let other = copy(&world, Some(2)).await.unwrap();
    assert_eq!((other.to.generation, other.to.partitions), (Generation(3), 2));
}

#[tokio::test]
async fn publishing_pauses_while_it_is_copied() {
    let world = World::new();
    assert_eq!(code(copy(&world, None).await.map(|_| ())), Code::InvalidState, "nothing was published");
    world.rows(0..10).await.unwrap();
    let moving = world.gate.begin_move(NUMBER).await.unwrap();
    assert_eq!(code(world.rows(10..20).await), Code::NewGenerationRunning);
    assert_eq!(code(copy(&world, None).await.map(|_| ())), Code::NewGenerationRunning, "one at a time");
    drop(moving);
    world.rows(10..20).await.unwrap();
}

#[tokio::test]
async fn of_a_log_that_lost_its_end_what_is_there_is_copied() {
    let world = World::new();
    world.rows(0..300).await.unwrap();
    let ends = world.log.ends(&world.topic());
    world.log.lose(&world.topic(), 1, 30);
    world.log.expire(&world.topic(), 2, 5);
    let copied = copy(&world, None).await.unwrap();
    assert_eq!(copied.records, 265);
    assert_eq!(copied.ends, [ends[0], ends[1] - 30, ends[2]]);
}

#[tokio::test]
async fn what_one_broker_does_not_know_of_is_not_left_behind() {
    let world = World::new();
    world.rows(0..300).await.unwrap();
    *world.log.parted.lock() = 3;
    assert_eq!(code(copy(&world, None).await.map(|_| ())), Code::BrokerUnavailable, "others know of more");
    *world.log.parted.lock() = 0;
    *world.log.unaware.lock() = true;
    assert_eq!(code(copy(&world, None).await.map(|_| ())), Code::BrokerUnavailable, "others know the topic");
    *world.log.unaware.lock() = false;
    assert_eq!(copy(&world, None).await.unwrap().records, 300);
}
