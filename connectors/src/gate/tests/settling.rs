//! Settling, rolled-back logs, older stores.

use std::time::Duration;

use changtong_catalog::clock::Clock as _;
use changtong_catalog::error::Code;
use changtong_catalog::ids::{Generation, WindowId};
use changtong_catalog::ports::{CloseReason, Opening, Settling, Topic};
use changtong_catalog::visibility::{PartitionView, Verdict};

use super::log::LogFault;
use super::store::StoreFault;
use super::world::{SUBSCRIPTION, World, code, lines, until};

async fn seconds(world: &World, n: u64) {
    for _ in 0..n {
        world.clock.advance(Duration::from_secs(1));
        world.gate.tick().await.unwrap();
        world.gate.look_for_replaced().await.unwrap();
    }
}

#[tokio::test]
async fn holes_are_dead_after_their_time_and_readers_go_on() {
    let world = World::new();
    world.rows(0..9).await.unwrap();
    world.store.faults.lock().push_back(StoreFault::Lost);
    assert_eq!(code(world.rows(9..18).await), Code::OutcomeUnknown);
    world.rows(18..27).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let before = world.read(None).await.unwrap().records.len();
    assert!(before < 18, "readers stop at the holes");
    seconds(&world, 19).await;
    assert_eq!(world.read(None).await.unwrap().records.len(), before, "not before their time");
    seconds(&world, 3).await;
    assert_eq!(world.read(None).await.unwrap().records.len(), 18);
    let settled: i64 = world.store.state.lock().views.values().flatten().map(|view| view.settled).sum();
    assert_eq!(settled, 27);
}

#[tokio::test]
async fn an_attempt_that_was_held_past_its_time_is_dead() {
    let world = World::new();
    world.rows(0..9).await.unwrap();
    world.log.hold.send_replace(true);
    let (gate, ask) = (world.gate.clone(), world.ask(&lines(9..18)));
    let held = tokio::spawn(async move { gate.publish(ask).await });
    until(async || *world.log.appends.lock() >= 2).await;
    seconds(&world, 22).await;
    world.log.hold.send_replace(false);
    assert_eq!(code(held.await.unwrap()), Code::AttemptTooLate);
    world.subscribe(SUBSCRIPTION);
    assert_eq!(world.read(None).await.unwrap().records.len(), 9);
    assert!(!world.store.state.lock().resource.as_ref().unwrap().resource.log_rolled_back);
}

#[tokio::test]
async fn a_settle_does_not_disturb_a_commit_that_is_held_before_the_store() {
    let world = World::new();
    world.rows(0..9).await.unwrap();
    let begun = *world.store.begun.borrow();
    world.store.hold.send_replace(true);
    let (gate, ask) = (world.gate.clone(), world.ask(&lines(9..18)));
    let held = tokio::spawn(async move { gate.publish(ask).await });
    world.store.begun.subscribe().wait_for(|now| *now > begun).await.unwrap();
    let gate = world.gate.clone();
    let settling = tokio::spawn(async move { gate.tick().await });
    world.clock.advance(Duration::from_secs(30));
    world.store.hold.send_replace(false);
    held.await.unwrap().unwrap();
    settling.await.unwrap().unwrap();
    seconds(&world, 1).await;
    world.subscribe(SUBSCRIPTION);
    assert_eq!(world.read(None).await.unwrap().records.len(), 18);
}

#[tokio::test]
async fn a_log_that_ends_below_what_is_known_stops_the_resource_at_the_second_answer() {
    let world = World::new();
    world.rows(0..30).await.unwrap();
    seconds(&world, 1).await;
    world.log.lose(&world.topic(), 1, 2);
    seconds(&world, 5).await;
    let stopped = || world.store.state.lock().resource.as_ref().unwrap().resource.log_rolled_back;
    assert!(!stopped(), "one answer may be a broker on its way back");
    seconds(&world, 2).await;
    assert!(stopped());
    assert_eq!(code(world.rows(0..1).await), Code::LogRolledBack);
}

#[tokio::test]
async fn who_led_before_is_not_believed_that_records_are_lost() {
    let world = World::new();
    let stopped = || world.store.state.lock().resource.as_ref().unwrap().resource.log_rolled_back;
    world.rows(0..30).await.unwrap();
    seconds(&world, 1).await;
    *world.log.parted.lock() = 2;
    seconds(&world, 30).await;
    assert!(!stopped(), "others know better");
    world.rows(30..33).await.unwrap();
    world.log.lose(&world.topic(), 1, 1);
    seconds(&world, 13).await;
    assert!(stopped(), "nobody knows better");
}

#[tokio::test]
async fn what_is_dead_stays_so_as_long_as_any_broker_has_it() {
    let world = World::new();
    world.subscribe(SUBSCRIPTION);
    world.rows(0..9).await.unwrap();
    world.log.intrude(&world.topic(), 0, 3);
    seconds(&world, 22).await;
    world.rows(9..18).await.unwrap();
    let dead = || {
        let state = world.store.state.lock();
        let runs = state.views.values().flatten().flat_map(|view| view.runs.clone());
        runs.filter(|run| run.verdict == Verdict::Dead).count()
    };
    assert_eq!(dead(), 1);
    // Whoever is asked has removed all of it by its own retention.
    *world.log.ahead.lock() = 100;
    seconds(&world, 90).await;
    assert_eq!(dead(), 1, "others have it yet");
    *world.log.ahead.lock() = 0;
    assert_eq!(world.read(None).await.unwrap().records.len(), 18, "and it never counts");
    let end = world.log.ends(&world.topic())[0];
    world.log.expire(&world.topic(), 0, end - 1);
    seconds(&world, 90).await;
    assert_eq!(dead(), 0, "nobody has it");
}

#[tokio::test]
async fn a_topic_that_is_gone_stops_the_resource_a_silent_log_does_not() {
    let world = World::new();
    world.rows(0..30).await.unwrap();
    let stopped = || world.store.state.lock().resource.as_ref().unwrap().resource.log_rolled_back;
    *world.log.mute.lock() = true;
    seconds(&world, 10).await;
    assert!(!stopped(), "nobody said that anything is gone");
    *world.log.mute.lock() = false;
    seconds(&world, 1).await;
    world.log.remove(&world.topic());
    seconds(&world, 7).await;
    assert!(stopped());
}

#[tokio::test]
async fn what_happens_to_a_topic_that_nobody_appends_to_is_found_within_minutes() {
    let world = World::new();
    world.rows(0..30).await.unwrap();
    seconds(&world, 300).await;
    world.log.lose(&world.topic(), 1, 2);
    seconds(&world, 70).await;
    assert_eq!(code(world.rows(0..1).await), Code::LogRolledBack);
}

#[tokio::test]
async fn the_start_of_the_only_server_settles_holes_at_once() {
    let world = World::new();
    world.rows(0..9).await.unwrap();
    world.log.faults.lock().push_back(LogFault::Misreports);
    world.rows(9..18).await.unwrap_err();
    world.log.intrude(&world.topic(), 0, 3);
    let next = world.restart(2, None);
    next.gate.recover().await.unwrap();
    next.rows(18..27).await.unwrap();
    next.subscribe(SUBSCRIPTION);
    assert_eq!(next.read(None).await.unwrap().records.len(), 18);
}

#[tokio::test]
async fn holes_of_a_topic_whose_log_was_silent_at_the_start_are_settled_too() {
    let world = World::new();
    world.rows(0..9).await.unwrap();
    world.log.faults.lock().push_back(LogFault::Misreports);
    world.rows(9..18).await.unwrap_err();
    let next = world.restart(2, None);
    *next.log.mute.lock() = true;
    next.gate.recover().await.unwrap();
    *next.log.mute.lock() = false;
    seconds(&next, 22).await;
    let settled: i64 = next.store.state.lock().views.values().flatten().map(|view| view.settled).sum();
    assert_eq!(settled, 18);
}

#[tokio::test]
async fn a_window_that_the_last_commit_of_the_server_before_opened_is_closed_too() {
    let world = World::new();
    world.subscribe(SUBSCRIPTION);
    world.rows(0..9).await.unwrap();
    world.read(None).await.unwrap();
    let late = world.store.state.lock().windows.values().next().unwrap().0.clone();
    let next = world.restart(2, None);
    next.gate.recover().await.unwrap();
    let late = Opening { window: WindowId(uuid::Uuid::from_u128(77)), ..late };
    next.store.state.lock().windows.insert(late.window, (late.clone(), None));
    seconds(&next, 11).await;
    let closed = next.store.state.lock().windows[&late.window].1.clone();
    assert_eq!(closed.map(|closing| closing.reason), Some(CloseReason::Unknown));
}

#[tokio::test]
async fn a_store_behind_its_marks_moves_nothing_and_settles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let marks = dir.path().join("marks");
    let world = World::new().restart(1, Some(marks.clone()));
    world.gate.recover().await.unwrap();
    world.rows(0..9).await.unwrap();
    let old = world.store.state.lock().views.clone();
    world.rows(9..18).await.unwrap();
    seconds(&world, 1).await;
    let same = world.restart(2, Some(marks.clone()));
    same.gate.recover().await.unwrap();
    same.rows(18..19).await.unwrap();
    seconds(&same, 1).await;

    same.store.state.lock().views.clone_from(&old);
    let restored = same.restart(3, Some(marks));
    restored.subscribe(SUBSCRIPTION);
    restored.gate.recover().await.unwrap();
    assert!(restored.gate.is_store_older());
    assert_eq!(code(restored.rows(19..20).await), Code::StoreOlderThanLog);
    assert_eq!(code(restored.read(None).await), Code::StoreOlderThanLog);
    seconds(&restored, 30).await;
    assert_eq!(restored.store.state.lock().views, old, "what it does not know may have been acknowledged");
}

/// As a replica that had lagged takes the place of the database, under a server that goes on: its row says the same epoch.
#[tokio::test]
async fn a_store_that_goes_back_under_a_running_server_is_found_out() {
    let dir = tempfile::tempdir().unwrap();
    let marks = dir.path().join("marks");
    let world = World::new().restart(1, Some(marks.clone()));
    world.subscribe(SUBSCRIPTION);
    world.gate.recover().await.unwrap();
    world.rows(0..9).await.unwrap();
    seconds(&world, 1).await;
    let old = world.store.state.lock().views.clone();
    world.rows(9..18).await.unwrap();
    seconds(&world, 1).await;
    let newest = world.store.state.lock().views.clone();

    // It has lost a publish that was acknowledged, and one comes before anybody notices: its ends hide the loss.
    world.store.state.lock().views.clone_from(&old);
    world.rows(18..36).await.unwrap();
    let behind = world.store.state.lock().views.clone();
    for _ in 0..30 {
        world.clock.advance(Duration::from_secs(1));
        let _ = world.gate.tick().await;
    }
    assert!(world.gate.is_store_older());
    assert_eq!(world.store.state.lock().views, behind, "what it does not know is no hole");
    assert_eq!(code(world.rows(40..41).await), Code::StoreOlderThanLog);
    assert_eq!(code(world.read(None).await), Code::StoreOlderThanLog);

    // A start does not forget it; with the database that was the newest there is nothing to decide but what came since.
    let again = world.restart(2, Some(marks.clone()));
    again.gate.recover().await.unwrap();
    assert!(again.gate.is_store_older());
    again.store.state.lock().views.clone_from(&newest);
    let back = again.restart(3, Some(marks.clone()));
    back.gate.recover().await.unwrap();
    assert!(back.gate.is_store_older(), "what was acknowledged by the other is not in it");
    let both = newest.into_iter().map(|(key, views)| {
        let since = behind[&key].iter().map(|view| view.known_end());
        let settled = views.into_iter().zip(since);
        (key, settled.map(|(_, end)| PartitionView { settled: end, ..PartitionView::default() }).collect())
    });
    let both = both.collect();
    back.store.state.lock().views = both;
    let decided = back.restart(4, Some(marks));
    decided.gate.recover().await.unwrap();
    assert!(!decided.gate.is_store_older());
}

/// However long a hole keeps the settled mark where it is.
#[tokio::test]
async fn a_store_that_goes_back_behind_a_hole_is_found_out_as_soon() {
    let world = World::new();
    world.rows(0..9).await.unwrap();
    seconds(&world, 1).await;
    world.store.faults.lock().push_back(StoreFault::Lost);
    assert_eq!(code(world.rows(9..18).await), Code::OutcomeUnknown);
    let old = world.store.state.lock().views.clone();
    world.rows(18..27).await.unwrap();
    seconds(&world, 1).await;
    assert!(!world.gate.is_store_older());
    world.store.state.lock().views.clone_from(&old);
    world.rows(27..36).await.unwrap();
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(code(world.gate.tick().await), Code::StoreOlderThanLog);
    assert!(world.gate.is_store_older());
}

/// Its views are those of what was copied from then on, and the store's marks stay where they were.
#[tokio::test]
async fn a_generation_closed_while_it_is_settled_makes_no_store_older() {
    let world = World::new();
    world.rows(0..9).await.unwrap();
    let topic = world.gate.topics.touched_since(Duration::ZERO).pop().unwrap();
    let committer = &world.gate.committer;
    let views = committer.load(&topic).await.unwrap();
    assert!(views.iter().all(|view| view.settled == 0 && !view.runs.is_empty()));
    let ends = world.log.ends(&world.topic());
    let closed = ends.iter().map(|end| PartitionView { settled: *end, ..PartitionView::default() });
    committer.close_topic(&topic, closed.clone().collect());
    let settling = Settling { topic: topic.clone(), noted_ends: vec![0; 3], first_kept: vec![0; 3] };
    let settled = committer.settle(settling).await.unwrap();
    assert!(settled.iter().eq(closed.collect::<Vec<_>>().iter()), "they stay what counts of it");
    assert!(!world.gate.is_store_older());
    world.gate.tick().await.unwrap();
    assert!(!world.gate.is_store_older());
}

#[tokio::test]
async fn a_topic_filled_again_past_its_end_is_found_out() {
    let dir = tempfile::tempdir().unwrap();
    let marks = Some(dir.path().join("marks"));
    let (world, topic) = (World::new().restart(2, marks.clone()), World::new().topic());
    world.rows(0..30).await.unwrap();
    let rolled_back =
        |world: &World| world.store.state.lock().resource.as_ref().unwrap().resource.log_rolled_back;
    seconds(&world, 25).await;
    // Others came and went; a front that retention took is no loss.
    world.rows(30..60).await.unwrap();
    world.log.expire(&topic, 1, 3);
    seconds(&world, 25).await;
    assert!(!rolled_back(&world));
    // Deleted and filled again while no server ran: it ends farther on than before.
    let filled = |world: &World| {
        (0..3).for_each(|partition| world.log.rewrite(&topic, partition, 0, world.clock.now()));
    };
    world.clock.advance(Duration::from_secs(60));
    filled(&world);
    let next = world.restart(3, marks.clone());
    next.gate.recover().await.unwrap();
    seconds(&next, 20).await;
    assert!(rolled_back(&next));

    // And while one runs.
    next.store.state.lock().resource.as_mut().unwrap().resource.log_rolled_back = false;
    seconds(&next, 20).await;
    assert!(!rolled_back(&next), "it is told once");
    next.clock.advance(Duration::from_secs(60));
    filled(&next);
    seconds(&next, 4).await;
    assert!(!rolled_back(&next), "one answer tells nothing yet");
    seconds(&next, 20).await;
    assert!(rolled_back(&next));
}

#[tokio::test]
async fn a_topic_replaced_while_the_log_gave_no_answer_is_found_out_too() {
    let world = World::new();
    world.rows(0..30).await.unwrap();
    seconds(&world, 25).await;
    world.clock.advance(Duration::from_secs(60));
    (0..3).for_each(|partition| world.log.rewrite(&world.topic(), partition, 0, world.clock.now()));
    // The first question, about the time noted, fails; the next one would be answered.
    *world.log.deaf.lock() = 1;
    seconds(&world, 20).await;
    assert_eq!(*world.log.deaf.lock(), 0);
    assert!(world.store.state.lock().resource.as_ref().unwrap().resource.log_rolled_back);
}

#[tokio::test]
async fn a_log_that_does_not_tell_times_holds_no_settling_up() {
    let world = World::new();
    world.rows(0..30).await.unwrap();
    world.log.hold_times.send_replace(true);
    let gate = world.gate.clone();
    let looking = tokio::spawn(async move { gate.look_for_replaced().await });
    let second = tokio::time::timeout(Duration::from_secs(30), world.gate.tick());
    second.await.expect("it waited").unwrap();
    assert!(!looking.is_finished());
    world.log.hold_times.send_replace(false);
    looking.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_log_that_is_away_is_asked_once_and_not_for_each_topic() {
    let world = World::new();
    world.rows(0..9).await.unwrap();
    let known = world.gate.topics.touched_since(Duration::ZERO).pop().unwrap();
    let others = (2..100).map(|generation| Topic { generation: Generation(generation), ..known.clone() });
    let topics: Vec<Topic> = others.collect();
    *world.log.mute.lock() = true;
    *world.log.away.lock() = Some(0);
    assert!(world.gate.extents(&topics).await.unwrap().is_empty());
    assert_eq!(*world.log.away.lock(), Some(1));
}
