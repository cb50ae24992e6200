//! Case 19: kill -9 of the server at any moment, again and again, while publishers publish, a reader reads and sinks
//! write. Whatever the moments: what was acknowledged is there, everything is there once, the copies are the table, and of
//! every offset of the log one event says what became of it.

use std::time::Duration;

use super::copies::Copies;
use super::deployment::{Deployment, reconcile};
use super::holes::told;
use super::story::{BATCH, Story};
use crate::support::Pair;

const ROUNDS: u32 = 50;
const PUBLISHERS: usize = 3;
/// In the log of a server that gave an attempt up itself, and buried it without an event.
const GIVEN_UP: [&str; 2] = ["a group commit has no answer", "an attempt died after its append"];

/// Some time between two moments, other in each round.
fn moment(round: u32) -> Duration {
    let mixed = round.wrapping_mul(2_654_435_761) >> 16;
    Duration::from_millis(u64::from(mixed % 700))
}

async fn killed_again_and_again(pair: Pair) {
    let Some(deployment) = Deployment::new(pair).await else { return };
    let mut server = deployment.start("node", None).await;
    let table = deployment.table(&server).await;
    let reader = deployment.reader(&server, &table).await;
    let copies = Copies::begin(&deployment, &server, &reader).await;
    let auditor = deployment.auditor(&server).await;
    let story = Story::of(&table, &server, Duration::ZERO);
    let cast = story.begin(PUBLISHERS, &reader.key, &reader.subscription);

    for round in 0..ROUNDS {
        // Some die while they start, most at work: every fifth only once it has acknowledged something.
        if round % 5 == 0 {
            story.goes_on(1).await;
        }
        tokio::time::sleep(moment(round)).await;
        server.kill().await;
        server = deployment.spawn("node", None);
        story.goes_on_with(&server);
    }
    assert!(server.serves().await, "the last one ended: {}", server.said());
    let wanted = story.ends(cast, &table, &server).await;
    let (acknowledged, replayed) = (story.acknowledged(), story.replayed());
    println!(
        "{pair:?}: {ROUNDS} kills, {acknowledged} batches of {BATCH}, {replayed} known again by their key"
    );
    assert!(acknowledged >= ROUNDS / 5, "too little happened between the kills");
    loop {
        // They come to that: a row too many never goes away.
        let held = copies.held().await;
        let known = |(id, times): (&u64, &usize)| wanted.contains_key(id) && *times == 1;
        assert!(held.iter().flatten().all(known), "{held:?}");
        if held.iter().all(|held| *held == wanted) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let told = told(&deployment.events(&server, &auditor).await);
    println!("{pair:?}: {} offsets never counted", told.dead);
    let given_up = GIVEN_UP.iter().any(|line| deployment.said(line));
    assert!(told.unnamed.is_empty() || given_up, "no event says what became of {told:?}");
    server.kill().await;
    reconcile(&deployment, "node");
    deployment.done().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_moment_nothing_is_lost_and_nothing_is_there_twice_embedded() {
    killed_again_and_again(Pair::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_moment_nothing_is_lost_and_nothing_is_there_twice_production() {
    killed_again_and_again(Pair::Production).await;
}
