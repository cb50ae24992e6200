//! kill -9 at the named places of a move to a new generation: what was copied counts whole or not at all, nothing that
//! was there is lost, and the command can be run again.

use serde_json::Value;

use super::deployment::{Deployment, once, reconcile};
use crate::support::Pair;

const BATCHES: [std::ops::Range<u32>; 3] = [0..1500, 1500..3000, 3000..4500];
const LATER: std::ops::Range<u32> = 4500..4550;
/// More than is copied in one piece, so that it can break off between two.
const ALL: std::ops::Range<u32> = 0..4500;

async fn killed_at(pair: Pair, place: &str, act: &str, generation: i64) {
    let Some(deployment) = Deployment::new(pair).await else { return };
    let server = deployment.start("node", None).await;
    let table = deployment.table(&server).await;
    for (at, batch) in BATCHES.into_iter().enumerate() {
        table.publish(&server, &format!("batch-{at}"), batch).await.expect("a batch");
    }
    server.kill().await;

    let mut server = deployment.start("node", Some(&format!("{place}={act}"))).await;
    table.new_generation_once(&server, Some(4)).await.expect_err("its server died");
    server.ended().await;

    let server = deployment.start("node", None).await;
    let all = once(&BATCHES);
    assert_eq!(table.visible(&server).await, all, "{place}: lost, doubled or torn after the restart");
    assert_eq!(table.entry(&server).await["generation"], generation, "{place}");
    // A retry is answered what was done, or does it.
    let again = table.publish(&server, "batch-1", BATCHES[1].clone()).await.expect("a retry");
    assert_eq!(again["replayed"], true);
    let moved: Value = table.new_generation(&server, Some(4)).await.expect("once more");
    assert_eq!(moved["generation"], generation + 1, "{place}: {moved}");
    assert_eq!(moved["copied"], ALL.end, "{place}: {moved}");
    assert_eq!(table.visible(&server).await, all, "{place}: lost or doubled by the second copy");
    table.publish(&server, "later", LATER).await.expect("a later batch");
    assert_eq!(table.visible(&server).await, once(&[ALL, LATER]), "{place}: stuck");
    server.kill().await;
    reconcile(&deployment, "node");
    deployment.done().await;
}

/// A copy that takes longer than the clocks of log and store may lie apart: the next copy still knows all of it.
#[tokio::test]
async fn what_a_slow_copy_moved_moves_again() {
    let Some(deployment) = Deployment::new(Pair::Embedded).await else { return };
    let server = deployment.start("node", Some("generation.copied=stop")).await;
    let table = deployment.table(&server).await;
    for (at, batch) in BATCHES.into_iter().enumerate() {
        table.publish(&server, &format!("batch-{at}"), batch).await.expect("a batch");
    }
    let slow = async {
        server.stands_still().await;
        tokio::time::sleep(std::time::Duration::from_secs(7)).await;
        server.signal("-CONT");
    };
    let (moved, ()) = tokio::join!(table.new_generation(&server, Some(4)), slow);
    assert_eq!(moved.expect("a move")["copied"], ALL.end);
    let again = table.new_generation(&server, Some(2)).await.expect("another move");
    assert_eq!((&again["copied"], &again["left_out"]), (&ALL.end.into(), &0.into()), "{again}");
    assert_eq!(table.visible(&server).await, once(&BATCHES));
    server.kill().await;
    deployment.done().await;
}

macro_rules! on_both_pairs {
    ($($name:ident: $place:literal, $act:literal => $generation:literal;)*) => { $(
        mod $name {
            use super::*;

            #[tokio::test]
            async fn embedded() {
                killed_at(Pair::Embedded, $place, $act, $generation).await;
            }

            #[tokio::test]
            async fn production() {
                killed_at(Pair::Production, $place, $act, $generation).await;
            }
        }
    )* };
}

on_both_pairs! {
    during_the_copy: "generation.copied", "kill" => 1;
    before_the_cut_over: "generation.before", "kill" => 1;
    after_the_cut_over: "generation.after", "kill" => 2;
}
