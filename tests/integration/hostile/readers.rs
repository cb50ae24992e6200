//! A thousand readers that wait for fifty resources, half by event stream and half by long poll, at a server of their
//! own: what they cost it in memory, threads, consumers of Kafka and audit events, and that each gets what is published.

use std::collections::BTreeMap;

use changtong_catalog::clock::Time;
use futures::StreamExt as _;
use futures::future::join_all;
use serde_json::json;
use tokio::task::JoinHandle;

use super::floods::open_files;
use super::scene::{metric, observation};
use crate::faults::deployment::{Deployment, Process};
use crate::support::{Client, Events, Pair, Reply, World, request_file, resource_file};

const RESOURCES: usize = 50;
const READERS: usize = 1000;
/// What one of them may take of the server's memory.
const MOST_EACH: u64 = 64 << 10;
/// Twice what the pools of `connectors/src/log/kafka/consumer.rs` hold: some are made anew meanwhile.
const MOST_CONSUMERS: u64 = 2 * (16 + 32);
/// Requests at once while all of it is made.
const AT_ONCE: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_wait_at_little_cost_embedded() {
    a_thousand_wait_at_little_cost(Pair::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_wait_at_little_cost_production() {
    a_thousand_wait_at_little_cost(Pair::Production).await;
}

async fn a_thousand_wait_at_little_cost(pair: Pair) {
    open_files();
    let Some(deployment) = Deployment::new(pair).await else { return };
    let server = deployment.start("node", None).await;
    let world = World::at(Client::new(server.url.clone(), Some(deployment.authority()))).await;
    let codes: Vec<String> =
        at_once((0..RESOURCES).map(|_| world.entry(resource_file("unconditional")))).await;
    // Each topic is there before anybody begins at its end.
    at_once(codes.iter().map(|code| publish(&world, code, 1))).await;
    let subscriptions: Vec<Vec<String>> = at_once(codes.iter().map(|code| subscribed(&world, code))).await;
    let reader = &world.consumer.integrator;
    let (first, rest): (Vec<_>, Vec<_>) =
        subscriptions.concat().into_iter().enumerate().partition(|(n, _)| *n < AT_ONCE);
    let operations = Client::new(server.operations(), None);
    let page = async || operations.get("/metrics").await.text;
    let waiting = async |reading: &[JoinHandle<usize>]| {
        while metric(&page().await, "changtong_waiting_polls ") < reading.len() as u64 {
            assert!(reading.iter().all(|reader| !reader.is_finished()), "a reader does not wait");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let mut reading: Vec<_> =
        first.into_iter().map(|(n, id)| tokio::spawn(read(reader.clone(), n, id))).collect();
    waiting(&reading).await;
    let (memory, tasks) = (server.resident(), threads(&server));
    reading.extend(rest.into_iter().map(|(n, id)| tokio::spawn(read(reader.clone(), n, id))));
    waiting(&reading).await;
    let each = server.resident().saturating_sub(memory) / (READERS - AT_ONCE) as u64;
    assert!(each <= MOST_EACH, "{} KiB each", each >> 10);
    assert!(threads(&server) < tasks + 64, "a thread each");

    at_once(codes.iter().map(|code| publish(&world, code, 2))).await;
    for records in join_all(reading).await {
        assert_eq!(records.expect("a reader"), 1, "each gets the record that it waited for, once");
    }
    let page = page().await;
    assert!(metric(&page, "changtong_kafka_consumers_made_total") <= MOST_CONSUMERS, "a consumer each");
    let shared = metric(&page, "changtong_log_reads_total{from=\"shared\"}");
    assert!(shared >= READERS as u64 / 2, "{shared} reads were shared");
    let windows = windows(&world.auditor).await;
    assert_eq!(windows.len(), READERS, "each has its window");
    for (subscription, opened) in windows {
        // Each is two events. Another one is opened where one ran out before it was used, and not before.
        let lasted = opened.iter().max().unwrap_or(&0) - opened.iter().min().unwrap_or(&0);
        let most = 1 + (lasted + 100) / 1000;
        assert!(opened.len() as i64 <= most, "{} windows of {subscription} in {lasted} ms", opened.len());
    }
    server.kill().await;
    deployment.done().await;
}

async fn at_once<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    futures::stream::iter(all).buffered(AT_ONCE).collect().await
}

/// So many subscriptions under one grant, which begin at the end.
async fn subscribed(world: &World, code: &str) -> Vec<String> {
    let (_, request) = world.request(request_file(code, &["station", "hour"], None)).await;
    let path = format!("/api/v1/grants/{}/subscriptions", request["grant"].as_str().expect("a grant"));
    let mut ids = Vec::new();
    for number in 0..READERS / RESOURCES {
        let file = json!({ "name": format!("reader-{number}"), "from": "end" });
        let made = world.consumer.integrator.post(&path, file).await.expect(201);
        ids.push(made["id"].as_str().expect("an id").to_owned());
    }
    ids
}

async fn publish(world: &World, code: &str, hour: usize) {
    world.provider.integrator.publish(code, &[observation("JFK", hour)]).await.expect(200);
}

/// Waits by stream or by poll, comes again where the store is too busy; answers how many records came at once.
async fn read(reader: Client, number: usize, subscription: String) -> usize {
    let path = format!("/api/v1/subscriptions/{subscription}/records");
    let busy = |reply: &Reply| (reply.status, reply.code().as_str()) == (503, "store_unavailable");
    loop {
        let reply = if number.is_multiple_of(2) {
            match Events::open(&reader, &path, None).await {
                Ok(mut events) => {
                    let mut records = 0;
                    while events.said().await.kind == "record" {
                        records += 1;
                    }
                    return records;
                }
                Err(refused) => *refused,
            }
        } else {
            reader.get(&format!("{path}?wait=60s")).await
        };
        // Who waited in vain, as it was not published yet, waits again.
        if !busy(&reply) && reply.lines().len() > 1 {
            return reply.lines().len() - 1;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

fn threads(server: &Process) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.id())).expect("its threads");
    tasks.count()
}

/// When each subscription opened windows, in milliseconds.
async fn windows(auditor: &Client) -> BTreeMap<String, Vec<i64>> {
    let events = auditor.request("get", "/api/v1/audit/events").header("accept", "application/x-ndjson");
    let mut windows: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for event in Reply::of(events).await.lines() {
        if event["code"] == "deliver.opened" {
            let subscription = event["subscription"].as_str().expect("whose").to_owned();
            let at = event["at"].as_str().expect("a time").parse::<Time>().expect("RFC 3339");
            windows.entry(subscription).or_default().push(at.timestamp_millis());
        }
    }
    windows
}
