//! kill -9 between every two steps of a publish; what it leaves in the log and never counts is told by an event.

use std::ops::RangeInclusive;

use super::deployment::{Deployment, once, partitions, reconcile};
use super::holes::told;
use crate::support::{Client, Others, Pair};

const FIRST: std::ops::Range<u32> = 0..10;
const BATCH: std::ops::Range<u32> = 100..400;
const LATER: std::ops::Range<u32> = 1000..1050;

/// What a batch is after its server was killed at a place.
#[derive(Clone, Copy, PartialEq)]
enum Left {
    /// Nothing of it counts.
    Nothing,
    /// It counts whole, though nobody was told.
    Whole,
}

async fn killed_at(pair: Pair, place: &str, act: &str, left: Left, dead: RangeInclusive<i64>) {
    let Some(deployment) = Deployment::new(pair).await else { return };
    let server = deployment.start("node", None).await;
    let table = deployment.table(&server).await;
    table.publish(&server, "first", FIRST).await.expect("a first batch");
    let others = Others::beside(&Client::new(server.url.clone(), Some(deployment.authority()))).await;
    server.kill().await;

    let mut server = deployment.start("node", Some(&format!("{place}={act}"))).await;
    table.publish_once(&server, "batch", BATCH).await.expect_err("its server died");
    server.ended().await;

    let server = deployment.start("node", None).await;
    let found = if left == Left::Whole { once(&[FIRST, BATCH]) } else { once(&[FIRST]) };
    assert_eq!(table.visible(&server).await, found, "{place}: torn or wrong after the restart");

    let receipt = table.publish(&server, "batch", BATCH).await.expect("the retry");
    assert_eq!(receipt["replayed"], left == Left::Whole, "{place}: {receipt}");
    assert_eq!(partitions(&receipt), 3, "the batch must be spread: {receipt}");
    table.publish(&server, "later", LATER).await.expect("a later batch");
    assert_eq!(table.visible(&server).await, once(&[FIRST, BATCH, LATER]), "{place}: lost, doubled or stuck");
    let auditor = deployment.auditor(&server).await;
    let told = told(&deployment.events(&server, &auditor).await);
    assert!(told.unnamed.is_empty(), "{place}: no event says what became of {told:?}");
    assert!(dead.contains(&told.dead), "{place}: {told:?}");
    others.at(&server.url).are_served().await;
    server.kill().await;
    reconcile(&deployment, "node");
    deployment.done().await;
}

macro_rules! on_both_pairs {
    ($($name:ident: $place:literal, $act:literal => $left:ident, $dead:expr;)*) => { $(
        mod $name {
            use super::*;

            #[tokio::test]
            async fn embedded() {
                killed_at(Pair::Embedded, $place, $act, Left::$left, $dead).await;
            }

            #[tokio::test]
            async fn production() {
                killed_at(Pair::Production, $place, $act, Left::$left, $dead).await;
            }
        }
    )* };
}

on_both_pairs! {
    during_the_append: "publish.appending", "kill-late" => Nothing, 0..=300;
    after_the_append: "publish.appended", "kill" => Nothing, 300..=300;
    before_the_commit: "commit.before", "kill" => Nothing, 300..=300;
    after_the_commit: "commit.after", "kill" => Whole, 0..=0;
}
