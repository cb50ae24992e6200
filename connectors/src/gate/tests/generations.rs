//! Readers of a stream across a new generation: what is still there comes, whatever became of the log they stand in, and
//! never a record that was not published there.

use std::time::Duration;

use changtong_catalog::clock::Clock as _;
use changtong_catalog::error::Code;
use changtong_catalog::generation::Copied;
use changtong_catalog::ids::{Generation, ResourceNumber};
use changtong_catalog::ports::{Directory as _, TopicEdges};
use changtong_catalog::resource::Kind;
use changtong_catalog::visibility::Run;

use super::directory::edges;
use super::world::{Answer, SUBSCRIPTION, World, whole};
use crate::gate::{Frame, Poll, Settings};

const NUMBER: ResourceNumber = ResourceNumber(1);

/// A stream of thirty records, and its reader behind the first of them.
async fn stream(change: impl FnOnce(&mut Settings)) -> (World, Answer) {
    let world = World::with(|settings, _| change(settings));
    world.store.state.lock().resource.as_mut().unwrap().resource.file.kind = Kind::Stream;
    world.rows(0..30).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let poll = Poll { limit: Some(1), ..world.poll(None) };
    let first = whole(world.gate.deliver(poll).await.unwrap()).await.unwrap();
    (world, first)
}

/// Copies, and cuts over as the action does.
pub async fn move_on(world: &World) -> Copied {
    let standing = world.store.resource_by_number(NUMBER).await.unwrap().unwrap();
    let moving = world.gate.begin_move(NUMBER).await.unwrap();
    let copied = world.gate.copy(&moving, &standing, None).await.unwrap();
    let (lost, ends) = (copied.lost.clone(), Some(copied.ends.clone()));
    let ended_at = Some(copied.began);
    let mut state = world.store.state.lock();
    state.edges.retain(|known| known.topic.generation < copied.from.generation);
    state.edges.push(TopicEdges { ends, ended_at, lost, ..edges(&copied.from, Vec::new()) });
    state.edges.push(edges(&copied.to, copied.begins.clone()));
    state.views.insert((NUMBER, copied.to.generation), copied.views());
    let standing = state.resource.as_mut().unwrap();
    (standing.resource.generation, standing.topic) = (copied.to.generation, Some(copied.to.clone()));
    copied
}

/// Reads on until nothing more comes; the ids of the records, or what it was answered.
async fn rest(world: &World, mut next: String) -> (Vec<i64>, Result<(), changtong_catalog::error::Refusal>) {
    let mut ids = Vec::new();
    loop {
        let answer = match world.read(Some(&next)).await {
            Ok(answer) => answer,
            Err(refusal) => return (ids, Err(refusal)),
        };
        ids.extend(answer.records.iter().map(|line| line["record"]["id"].as_i64().unwrap()));
        let nothing = answer.records.is_empty();
        if std::mem::replace(&mut next, answer.next) == next || nothing && of(world, &next) == Generation(2) {
            return (ids, Ok(()));
        }
    }
}

fn of(world: &World, cursor: &str) -> Generation {
    world.gate.decode(cursor).unwrap().generation
}

/// The ids of the records at the end of a partition.
async fn last_of(world: &World, partition: i64, from: i64) -> Vec<i64> {
    let all = world.read(None).await.unwrap();
    let stands = |line: &&serde_json::Value| {
        let mut id = line["id"].as_str().unwrap().split('.').skip(1).map(|n| n.parse::<i64>().unwrap());
        id.next() == Some(partition) && id.next().unwrap() >= from
    };
    all.records.iter().filter(stands).map(|line| line["record"]["id"].as_i64().unwrap()).collect()
}

fn sorted(mut ids: Vec<i64>) -> Vec<i64> {
    ids.sort_unstable();
    ids
}

/// Publishes three more; the reader that goes on gets them and all before, except these.
async fn all_but(world: &World, first: &Answer, lost: &[i64]) {
    world.rows(30..33).await.unwrap();
    let (mut ids, outcome) = rest(world, first.next.clone()).await;
    outcome.unwrap();
    ids.push(first.records[0]["record"]["id"].as_i64().unwrap());
    let wanted: Vec<i64> = (0..33).filter(|id| !lost.contains(id)).collect();
    assert_eq!(sorted(ids), wanted);
}

#[tokio::test]
async fn a_reader_of_the_generation_before_reads_it_to_its_end_and_goes_on() {
    let (world, first) = stream(|_| {}).await;
    let copied = move_on(&world).await;
    world.gate.moved(&copied).await.unwrap();
    all_but(&world, &first, &[]).await;
}

/// The log before may answer no more than records: its floor was found when the reader began.
#[tokio::test]
async fn a_reader_of_the_generation_before_asks_the_log_no_more_where_its_history_begins() {
    let (world, first) = stream(|_| {}).await;
    let copied = move_on(&world).await;
    world.gate.moved(&copied).await.unwrap();
    world.store.state.lock().grant.as_mut().unwrap().floor =
        Some(world.clock.now() - chrono::Duration::days(1));
    *world.log.deaf.lock() = usize::MAX;
    let answer = world.read(Some(&first.next)).await.unwrap();
    assert_eq!(of(&world, &answer.next), Generation(1));
    assert_eq!(answer.records.len(), 29);
}

#[tokio::test]
async fn what_was_written_in_the_place_of_others_is_passed_over() {
    let (world, first) = stream(|_| {}).await;
    let from = world.log.ends(&world.topic())[0] - 3;
    let lost = last_of(&world, 0, from).await;
    let hour = chrono::Duration::hours(1);
    world.log.rewrite(&world.topic(), 0, from, world.clock.now() + hour);
    let copied = move_on(&world).await;
    assert_eq!((copied.strange, copied.records), (3, 27));
    assert_eq!(copied.lost, [Run { partition: 0, first: from, last: from + 2 }]);
    world.gate.moved(&copied).await.unwrap();
    all_but(&world, &first, &lost).await;
}

#[tokio::test]
async fn what_was_damaged_before_the_move_is_passed_over() {
    let (world, first) = stream(|_| {}).await;
    let end = world.log.ends(&world.topic())[1];
    let lost = last_of(&world, 1, end - 2).await;
    world.log.damage(&world.topic(), 1, end - 2, end + 5);
    let copied = move_on(&world).await;
    assert_eq!(copied.lost, [Run { partition: 1, first: end - 2, last: end - 1 }]);
    world.gate.moved(&copied).await.unwrap();
    all_but(&world, &first, &lost).await;
}

#[tokio::test]
async fn of_a_log_lost_after_the_move_the_reader_begins_anew_where_all_of_it_lies() {
    type Harm = fn(&World, i64);
    let harms: [Harm; 5] = [
        |world, _| drop(world.log.lose(&world.topic(), 0, 3)),
        |world, end| world.log.damage(&world.topic(), 0, end - 2, end),
        |world, end| {
            let late = world.clock.now() + chrono::Duration::hours(1);
            world.log.rewrite(&world.topic(), 0, end - 3, late);
        },
        |world, _| drop(world.log.remove(&world.topic())),
        |world, end| world.log.expire(&world.topic(), 0, end - 2),
    ];
    for (at, harm) in harms.into_iter().enumerate() {
        let (world, first) = stream(|_| {}).await;
        let copied = move_on(&world).await;
        world.gate.moved(&copied).await.unwrap();
        harm(&world, copied.ends[0]);
        // What it read before it remembers for a while; the next server does not.
        let world = world.restart(2, None);
        let (mut ids, mut refused) = rest(&world, first.next.clone()).await;
        // What is said to be gone is believed at the second answer.
        if refused.as_ref().is_err_and(|refusal| refusal.code == Code::BrokerUnavailable) {
            world.clock.advance(Duration::from_secs(6));
            (ids, refused) = rest(&world, first.next.clone()).await;
        }
        let refusal = refused.unwrap_err();
        assert_eq!(refusal.code, Code::PositionExpired, "harm {at}");
        assert!(ids.len() < 29, "harm {at}");
        let next = refusal.extra["next"].as_str().unwrap().to_owned();
        let (anew, outcome) = rest(&world, next).await;
        outcome.unwrap();
        assert_eq!(sorted(anew), (0..30).collect::<Vec<_>>(), "harm {at}");

        // A stream is told the same, once.
        let world = world.restart(3, None);
        let mut told = told(&world, &first.next).await;
        if told == Code::BrokerUnavailable {
            world.clock.advance(Duration::from_secs(6));
            told = self::told(&world, &first.next).await;
        }
        assert_eq!(told, Code::PositionExpired, "harm {at}");
    }
}

/// With what a stream ends.
async fn told(world: &World, next: &str) -> Code {
    let mut stream = match world.follow(Some(next)).await {
        Ok(stream) => stream,
        Err(refusal) => return refusal.code,
    };
    loop {
        match stream.next().await.unwrap().unwrap() {
            Frame::Bytes(_) => {}
            Frame::End { refusal, .. } => return refusal.code,
        }
    }
}

/// What the log says wrongly for a while, and how it comes to its senses.
type Spell = fn(&World, i64) -> Box<dyn FnOnce(&World) + Send>;

#[tokio::test]
async fn one_answer_of_the_log_that_something_is_gone_decides_nothing() {
    let spells: [Spell; 4] = [
        |world, _| {
            let lost = world.log.lose(&world.topic(), 0, 3);
            Box::new(|world: &World| world.log.regain(&world.topic(), 0, lost))
        },
        |world, end| {
            world.log.damage(&world.topic(), 0, end - 2, end);
            Box::new(|world: &World| world.log.mend(&world.topic(), 0))
        },
        |world, end| {
            world.log.expire(&world.topic(), 0, end - 2);
            Box::new(|world: &World| world.log.expire(&world.topic(), 0, 0))
        },
        |world, _| {
            let lost = world.log.remove(&world.topic());
            Box::new(|world: &World| world.log.put_back(&world.topic(), lost))
        },
    ];
    for (at, spell) in spells.into_iter().enumerate() {
        let (world, first) = stream(|_| {}).await;
        let copied = move_on(&world).await;
        world.gate.moved(&copied).await.unwrap();
        let world = world.restart(2, None);
        let over = spell(&world, copied.ends[0]);
        let (_, refused) = rest(&world, first.next.clone()).await;
        assert_eq!(refused.unwrap_err().code, Code::BrokerUnavailable, "spell {at}");
        over(&world);
        world.clock.advance(Duration::from_secs(60));
        all_but(&world, &first, &[]).await;
    }
}

#[tokio::test]
async fn who_led_before_is_not_believed_that_a_generation_lost_records() {
    let spells: [fn(&World, bool); 3] = [
        |world, on| *world.log.parted.lock() = if on { 3 } else { 0 },
        |world, on| *world.log.ahead.lock() = if on { 4 } else { 0 },
        |world, on| *world.log.unaware.lock() = on,
    ];
    for (at, spell) in spells.into_iter().enumerate() {
        let (world, first) = stream(|_| {}).await;
        let copied = move_on(&world).await;
        world.gate.moved(&copied).await.unwrap();
        let world = world.restart(2, None);
        spell(&world, true);
        for _ in 0..4 {
            let (_, refused) = rest(&world, first.next.clone()).await;
            assert_eq!(refused.unwrap_err().code, Code::BrokerUnavailable, "spell {at}");
            world.clock.advance(Duration::from_secs(6));
        }
        spell(&world, false);
        all_but(&world, &first, &[]).await;
    }
}

#[tokio::test]
async fn a_copy_asks_once_more_for_what_is_said_to_be_gone() {
    let spells: [Spell; 2] = [
        |world, end| {
            world.log.damage(&world.topic(), 1, end - 2, end);
            Box::new(|world: &World| world.log.mend(&world.topic(), 1))
        },
        |world, _| {
            let lost = world.log.remove(&world.topic());
            Box::new(|world: &World| world.log.put_back(&world.topic(), lost))
        },
    ];
    for spell in spells {
        let (world, first) = stream(|_| {}).await;
        let end = world.log.ends(&world.topic())[1];
        let over = spell(&world, end);
        let same = world.clone();
        *world.log.afterwards.lock() = Some(Box::new(move || over(&same)));
        let copied = move_on(&world).await;
        assert_eq!((copied.records, copied.lost.len()), (30, 0));
        world.gate.moved(&copied).await.unwrap();
        all_but(&world, &first, &[]).await;
    }
}

#[tokio::test]
async fn a_window_belongs_to_one_generation() {
    let (world, _) = stream(|settings| settings.window = Duration::from_secs(600)).await;
    let before = world.read(None).await.unwrap();
    let copied = move_on(&world).await;
    assert_eq!(world.gate.decode(&before.next).unwrap().next, copied.begins, "the same offsets in both");
    world.rows(30..33).await.unwrap();
    let behind = world.read(Some(&before.next)).await.unwrap();
    assert_eq!(behind.records.len(), 3);
    assert_ne!(behind.window, before.window);
    let state = world.store.state.lock();
    let opening =
        |window: &Option<String>| state.windows[&window.as_deref().unwrap().parse().unwrap()].0.generation;
    assert_eq!((opening(&before.window), opening(&behind.window)), (Generation(1), Generation(2)));
}
