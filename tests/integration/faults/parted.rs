//! Case 16 with a cluster of three brokers: the leader of a partition is paused, two of three are away, one is parted from
//! the others while clients still reach it, acknowledgements are lost. The server is never started again; what it
//! acknowledged is there once, and so is what it refused and was sent again under its key.

use std::time::{Duration, Instant};

use futures::future::join_all;

use super::cluster::{CONTROLLER, Cluster};
use super::deployment::{Deployment, Process, Table, reconcile};
use super::metadata::Belief;
use super::outages::refused_by_name;
use super::proxy::Proxy;
use super::story::Story;
use crate::support::{Client, Others, Pair};

const PUBLISHERS: usize = 4;
/// A publisher's, so that what there is to read stays small.
const PAUSE: Duration = Duration::from_millis(100);
/// Once so many more are acknowledged, some of them were begun since.
const SOME: u32 = 2 * PUBLISHERS as u32;

/// Longer than what looks like a loss is doubted.
const BELIEVED_BY: Duration = Duration::from_secs(9);

/// Each leads a partition, and neither is the controller.
const PAUSED: i32 = 2;
const PARTED: i32 = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brokers_are_paused_killed_and_parted() {
    let Some(mut deployment) = Deployment::new(Pair::Production).await else { return };
    let Some(mut cluster) = Cluster::start().await else { return };
    deployment.set("CHANGTONG_KAFKA__BROKERS", cluster.addresses());
    deployment.set("CHANGTONG_KAFKA__REPLICATION_FACTOR", "3".to_owned());
    deployment.set("CHANGTONG_KAFKA__MIN_INSYNC_REPLICAS", "2".to_owned());
    let server = deployment.start("node", None).await;
    let table = deployment.table(&server).await;
    let reader = deployment.reader(&server, &table).await;
    let others = Others::beside(&Client::new(server.url.clone(), Some(deployment.authority()))).await;
    let story = Story::of(&table, &server, PAUSE);
    let all = Instant::now();
    let cast = story.begin(PUBLISHERS, &reader.key, &reader.subscription);
    story.goes_on(SOME).await;
    cluster.is_whole().await;

    a_leader_is_paused(&mut cluster, &story).await;
    acknowledgements_are_lost(&cluster, &story).await;
    others.come_to_be_served().await;
    two_of_three_are_away(&mut cluster, &story, &server, &table).await;
    a_leader_is_parted_from_the_others(&cluster, &story).await;

    story.goes_on(SOME).await;
    story.ends(cast, &table, &server).await;
    tell("all there", all, &story);
    others.come_to_be_served().await;
    server.kill().await;
    reconcile(&deployment, "node");
    deployment.done().await;
}

fn tell(what: &str, began: Instant, story: &Story) {
    println!(
        "{what} after {:?}: {} acknowledged, refused {:?}",
        began.elapsed(),
        story.acknowledged(),
        story.codes()
    );
}

/// Another follows, and publishes go on before the first is back.
async fn a_leader_is_paused(cluster: &mut Cluster, story: &Story) {
    let began = Instant::now();
    cluster.broker(PAUSED).signal("-STOP");
    cluster.comes_to(CONTROLLER, |belief| belief.partitions.iter().all(|it| it.leader != PAUSED)).await;
    tell("another leads", began, story);
    story.goes_on(SOME).await;
    tell("goes on", began, story);
    cluster.broker(PAUSED).signal("-CONT");
    cluster.is_whole().await;
    tell("whole", began, story);
    story.goes_on(SOME).await;
    tell("goes on", began, story);
}

/// What is published arrives, no answer comes back: refused, and sent again, it lies in the log twice and counts once.
async fn acknowledgements_are_lost(cluster: &Cluster, story: &Story) {
    let began = Instant::now();
    cluster.doors().iter().for_each(Proxy::fall_mute);
    story.everyone_is_refused().await;
    cluster.doors().iter().for_each(Proxy::close);
    // Until every connection has ended, and with it what was held back.
    tokio::time::sleep(Duration::from_millis(500)).await;
    cluster.doors().iter().for_each(Proxy::reopen);
    story.goes_on(SOME).await;
    tell("goes on", began, story);
}

/// One replica in sync of two that are wanted: nothing is acknowledged, everybody is told so, and whatever needs no
/// records is served.
async fn two_of_three_are_away(cluster: &mut Cluster, story: &Story, server: &Process, table: &Table) {
    let began = Instant::now();
    cluster.broker(PAUSED).signal("-STOP");
    cluster.broker(PARTED).kill();
    let alone = |belief: &Belief| belief.partitions.iter().all(|it| it.in_sync == [CONTROLLER]);
    cluster.comes_to(CONTROLLER, alone).await;
    tell("alone", began, story);
    // Refused and never sent again, so never seen.
    let given_up = (0..4).map(|number: u32| async move {
        let ids = 100_000_000 + 1000 * number..100_000_000 + 1000 * number + 30;
        let refusal = table.publish_once(server, &format!("given-up-{number}"), ids).await;
        refused_by_name(server, &refusal.expect_err("acknowledged by one replica"), &["broker_unavailable"]);
    });
    tokio::join!(join_all(given_up), story.everyone_is_refused());
    tell("refused", began, story);
    table.catalog_is_served(server).await;
    assert!(alone(&cluster.belief(CONTROLLER).await), "others came back");
    cluster.broker(PARTED).run();
    cluster.broker(PAUSED).signal("-CONT");
    story.goes_on(SOME).await;
    tell("goes on", began, story);
    cluster.is_whole().await;
    tell("whole", began, story);
}

/// It holds itself for the leader, as clients can see, while the others have another.
async fn a_leader_is_parted_from_the_others(cluster: &Cluster, story: &Story) {
    let began = Instant::now();
    let before = cluster.belief(PARTED).await.partitions;
    cluster.part(PARTED);
    cluster.comes_to(CONTROLLER, |belief| belief.partitions.iter().all(|it| it.leader != PARTED)).await;
    tell("another leads", began, story);
    assert_eq!(cluster.belief(PARTED).await.partitions, before, "it was told");
    // Whoever wrote to it is told that nothing came of it, and writes to the other.
    story.goes_on(SOME).await;
    tell("goes on", began, story);
    // It goes on telling whoever asks it that the log ends where it did before: nothing is lost by that.
    tokio::time::sleep(BELIEVED_BY).await;
    story.goes_on(SOME).await;
    tell("goes on beside it", began, story);
    assert_eq!(cluster.belief(PARTED).await.partitions, before, "it was told");
    cluster.heal(PARTED);
    cluster.is_whole().await;
    tell("whole", began, story);
}
