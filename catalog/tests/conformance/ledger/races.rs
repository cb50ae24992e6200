//! Two committers at once, each with its own connections: on PostgreSQL they truly race, on SQLite they take turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use changtong_catalog::conformance;
use changtong_catalog::error::Code;
use changtong_catalog::ports::{Attempt, Group, Ledger, Opening, Receipt, Settling};
use changtong_catalog::store::{LockClass, Store};
use changtong_catalog::visibility::Verdict;

use super::world::{World, code, run, world};

/// Both commits at once, each from a task of its own.
async fn at_once(world: &World, one: Vec<Attempt>, other: Vec<Attempt>) -> Vec<Vec<Outcome>> {
    let commit = |attempts: Vec<Attempt>| {
        let ledger = world.ledger.clone();
        tokio::spawn(
            async move { ledger.commit(&Group { attempts, ..Group::default() }).await.unwrap().attempts },
        )
    };
    let (one, other) = (commit(one), commit(other));
    vec![one.await.unwrap(), other.await.unwrap()]
}

type Outcome = Result<Receipt, changtong_catalog::error::Refusal>;

async fn of_two_with_one_key_one_counts(store: &Store) {
    let world = world(store).await;
    for round in 0..20_i64 {
        let key = format!("k{round}");
        let first = 10 * round;
        let one = world.claimed(&key, 1, &[run(0, first, first + 4), run(1, first, first + 9)]);
        let other = world.claimed(&key, 1, &[run(0, first + 5, first + 9)]);
        let answers = at_once(&world, vec![one], vec![other]).await.concat();
        let receipts: Vec<Receipt> = answers.into_iter().map(Result::unwrap).collect();
        assert_eq!(receipts[0].batch, receipts[1].batch, "both are told of the one that counts");
        assert_ne!(receipts[0].replayed, receipts[1].replayed);
    }
    let expected: usize = world.visible(0).await.len();
    assert_eq!(expected, 100, "five of ten offsets of each round");
}

async fn of_two_steps_from_one_position_one_counts(store: &Store) {
    let world = world(store).await;
    let mut position = "-".to_owned();
    for round in 0..20_i64 {
        let (to, first) = (format!("p{round}"), 10 * round);
        let one = world.sourced(&position, &to, &[run(0, first, first + 4)]);
        let other = world.sourced(&position, &to, &[run(0, first + 5, first + 9)]);
        let answers = at_once(&world, vec![one], vec![other]).await.concat();
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        let lost = answers.iter().find_map(code);
        assert_eq!(lost, Some(Code::SourcePosition));
        position = to;
    }
    assert_eq!(world.visible(0).await.len(), 100);
}

async fn keys_in_another_order_do_not_lock_each_other_out(store: &Store) {
    let world = world(store).await;
    let attempts = |round: i64, place: i64| -> Vec<Attempt> {
        let at = 1000 * round + 500 * place;
        (0..10).map(|n| world.claimed(&format!("r{round}-{n}"), 1, &[run(0, at + n, at + n)])).collect()
    };
    for round in 0..10 {
        let (one, mut other) = (attempts(round, 0), attempts(round, 1));
        other.reverse();
        let answers = at_once(&world, one, other).await;
        let fresh = answers.iter().flatten().filter(|answer| !answer.as_ref().unwrap().replayed).count();
        assert_eq!(fresh, 10);
    }
}

async fn a_settle_and_a_commit_at_once_leave_it_whole(store: &Store) {
    let world = world(store).await;
    for round in 0..20_i64 {
        let first = 10 * round;
        let attempt = world.attempt(&[run(0, first, first + 9), run(2, first, first + 9)]);
        let (ledger, topic) = (world.ledger.clone(), world.topic.clone());
        let noted_ends = vec![first + 10, 0, first + 10];
        let settle = tokio::spawn(async move {
            let settling = Settling { topic, noted_ends, first_kept: vec![0; 3] };
            ledger.settle(&settling, &[]).await.unwrap();
        });
        let answer = world.publish(vec![attempt]).await.remove(0);
        settle.await.unwrap();
        world.settle([first + 10, 0, first + 10], [0; 3]).await;
        let views = world.views().await;
        let seen = |part: usize| views[part].visible(first, first + 10).flatten().count();
        let expected = if answer.is_ok() { (10, 10) } else { (0, 0) };
        assert_eq!((seen(0), seen(2)), expected);
    }
}

async fn quotas_hold_for_windows_opened_at_once(store: &Store) {
    let world = world(store).await;
    let mut tasks = Vec::new();
    for _ in 0..10 {
        let (ledger, opening) = (world.ledger.clone(), world.opening(30));
        let openings = vec![Opening { records_per_day: Some(100), ..opening }];
        tasks.push(tokio::spawn(async move {
            let group = Group { openings, ..Group::default() };
            ledger.commit(&group).await.unwrap().openings.remove(0).map_or(0, |opened| opened.most)
        }));
    }
    let mut reserved = Vec::new();
    for task in tasks {
        reserved.push(task.await.unwrap());
    }
    reserved.sort_unstable();
    assert_eq!(reserved, [0, 0, 0, 0, 0, 0, 10, 30, 30, 30]);
}

async fn what_ends_a_publish_waits_for_it(store: &Store) {
    let world = world(store).await;
    let provider = &world.fixture.provider;
    let endings = [
        // A server that takes the database over.
        (LockClass::Epoch, "epoch".to_owned()),
        (LockClass::Agency, provider.agency.to_string()),
        (LockClass::Account, provider.account.to_string()),
        (LockClass::Key, provider.key.to_string()),
        (LockClass::Topic, world.number().to_string()),
    ];
    for (class, id) in endings {
        // A publish in flight: its locks are taken, its COMMIT is not sent.
        let mut publish = store.begin().await.unwrap();
        let group = Group { attempts: vec![world.attempt(&[run(0, 0, 4)])], ..Group::default() };
        publish.lock_group(&group).await.unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let (ending, seen) = (store.clone(), over.clone());
        let ending = tokio::spawn(async move {
            let mut tx = ending.begin().await.unwrap();
            tx.lock_exclusive(class, id).await.unwrap();
            seen.load(Ordering::SeqCst)
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!ending.is_finished(), "{class:?}");
        over.store(true, Ordering::SeqCst);
        publish.finish().await.unwrap();
        assert!(ending.await.unwrap(), "{class:?}");
    }
}

/// Of a window in flight, the agency that provides ends it too.
async fn what_ends_a_window_waits_for_it(store: &Store) {
    let world = world(store).await;
    let (provider, consumer) = (&world.fixture.provider, &world.fixture.consumer);
    let endings = [
        (LockClass::Agency, provider.agency.to_string()),
        (LockClass::Agency, consumer.agency.to_string()),
        (LockClass::Grant, world.fixture.grant.id.to_string()),
        (LockClass::Topic, world.number().to_string()),
    ];
    for (class, id) in endings {
        let mut window = store.begin().await.unwrap();
        let group = Group { openings: vec![world.opening(1)], ..Group::default() };
        window.lock_group(&group).await.unwrap();
        let other = store.clone();
        let ending = tokio::spawn(async move {
            other.begin().await.unwrap().lock_exclusive(class, id).await.unwrap();
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!ending.is_finished(), "{class:?}");
        window.finish().await.unwrap();
        ending.await.unwrap();
    }
}

async fn a_late_answer_is_waited_for(store: &Store) {
    let world = world(store).await;
    let attempt = world.claimed("k1", 1, &[run(0, 0, 9)]);
    // Somebody's transaction on the topic is not over; `outcome` may not answer before it is.
    let mut open = store.begin().await.unwrap();
    open.lock_shared(LockClass::Topic, world.number()).await.unwrap();
    let (ledger, asked) = (world.ledger.clone(), attempt.clone());
    let outcome = tokio::spawn(async move { ledger.outcome(&[asked]).await });
    let (ledger, number) = (world.ledger.clone(), world.number());
    let decided = tokio::spawn(async move { ledger.decided(&[number]).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!outcome.is_finished() && !decided.is_finished());
    open.finish().await.unwrap();
    decided.await.unwrap().unwrap();
    let answers = outcome.await.unwrap().unwrap();
    assert_eq!(code(&answers[0]), Some(Code::OutcomeUnknown));
    assert!(world.views().await[0].runs.iter().all(|run| run.verdict == Verdict::Committed));
}

conformance!(
    of_two_with_one_key_one_counts,
    of_two_steps_from_one_position_one_counts,
    keys_in_another_order_do_not_lock_each_other_out,
    a_settle_and_a_commit_at_once_leave_it_whole,
    quotas_hold_for_windows_opened_at_once,
    what_ends_a_publish_waits_for_it,
    what_ends_a_window_waits_for_it,
    a_late_answer_is_waited_for,
);
