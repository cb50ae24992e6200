//! A thousand readers that wait for fifty resources, half by event stream and half by long poll, at a server of their
//! own: what they cost it in memory, threads, consumers of Kafka and audit events, and that each gets what is published.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use changtong_catalog::clock::Time;
use futures::StreamExt as _;
use futures::future::join_all;
use serde_json::json;
use tokio::task::JoinHandle;

use super::floods::open_files;
use super::scene::{metric, observation, window_began};
use crate::faults::deployment::{Deployment, Process};
use crate::support::{Client, Events, Others, Pair, Reply, World, request_file, resource_file};

const RESOURCES: usize = 50;
const READERS: usize = 1000;
/// What one of them may take of the server's memory.
const MOST_EACH: u64 = 64 << 10;
/// Twice what the pools of `connectors/src/log/kafka/consumer.rs` hold: some are made anew meanwhile.
const MOST_CONSUMERS: u64 = 2 * (16 + 32);
/// Requests at once while all of it is made.
const AT_ONCE: usize = 8;
/// How long a window lasts, in milliseconds (`time.window`).
const LASTS: i64 = 1000;
/// Records that each of them waits for.
const RECORDS: usize = 1;
/// Windows that may open at once for who comes again from where it was before; a further one each `time.window`.
const AT_A_TIME: usize = 8;
/// What a reader is told whose window the store was too busy to commit, or to say so.
const BUSY: [&str; 2] = ["store_unavailable", "outcome_unknown"];

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
    let others = Others::beside(&world.authority).await;
    let operations = Client::new(server.operations(), None);
    let page = async || operations.get("/metrics").await.text;
    let waiting = async |reading: &[JoinHandle<Read>]| {
        while metric(&page().await, "changtong_waiting_polls ") < reading.len() as u64 {
            assert!(reading.iter().all(|reader| !reader.is_finished()), "a reader does not wait");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let mut reading: Vec<_> =
        first.into_iter().map(|(n, id)| tokio::spawn(read(reader.clone(), n, id))).collect();
    waiting(&reading).await;
    others.are_served().await;
    let (memory, tasks) = (server.resident(), threads(&server));
    reading.extend(rest.into_iter().map(|(n, id)| tokio::spawn(read(reader.clone(), n, id))));
    waiting(&reading).await;
    let each = server.resident().saturating_sub(memory) / (READERS - AT_ONCE) as u64;
    assert!(each <= MOST_EACH, "{} KiB each", each >> 10);
    assert!(threads(&server) < tasks + 64, "a thread each");

    others.are_served().await;
    let began = Instant::now();
    for hour in 2..2 + RECORDS {
        at_once(codes.iter().map(|code| publish(&world, code, hour))).await;
    }
    let mut busy = BTreeSet::new();
    for read in join_all(reading).await {
        let read = read.expect("a reader");
        assert_eq!(read.records, RECORDS, "each gets the records that it waited for, once");
        busy.extend(read.was_told_to_come_back.then_some(read.subscription));
    }
    others.are_served().await;
    let page = page().await;
    assert!(metric(&page, "changtong_kafka_consumers_made_total") <= MOST_CONSUMERS, "a consumer each");
    let shared = metric(&page, "changtong_log_reads_total{from=\"shared\"}");
    assert!(shared >= READERS as u64 / 2, "{shared} reads were shared");
    let windows = used(&world.auditor, &others).await;
    assert_eq!(windows.len(), READERS, "each has its window");
    let most = AT_A_TIME + usize::try_from(began.elapsed().as_secs()).expect("seconds") + 1;
    for (subscription, windows) in windows {
        let opened = windows.opened;
        // Who was told to come back came from where it was before.
        assert!(opened.len() <= most, "windows of {subscription}, {most} may be: {opened:?}");
        // Who reads on opens the next one when the last is over, so that its events are two a second.
        let apart = opened.windows(2).map(|two| two[1] - two[0]).min().unwrap_or(LASTS);
        assert!(
            busy.contains(&subscription) || apart >= LASTS - 100,
            "windows of {subscription}: {opened:?}"
        );
        let lasted = windows.lasted_unused.unwrap_or(LASTS);
        assert!(lasted >= LASTS - 100, "a window of {subscription} was given up after {lasted} ms");
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

/// What a reader met.
struct Read {
    subscription: String,
    records: usize,
    /// As the store was too busy: whether the window that it was to have counts is not known.
    was_told_to_come_back: bool,
}

/// Waits by stream or by poll, reads on until it has all, comes again where the store is too busy.
async fn read(reader: Client, number: usize, subscription: String) -> Read {
    let path = format!("/api/v1/subscriptions/{subscription}/records");
    let mut read = Read { subscription, records: 0, was_told_to_come_back: false };
    let mut from = None;
    while read.records < RECORDS {
        if number.is_multiple_of(2) {
            match Events::open(&reader, &path, from.as_deref()).await {
                Ok(events) => from = followed(events, &mut read).await.or(from),
                Err(refused) => is_busy(&refused),
            }
        } else {
            let on = from.as_ref().map_or_else(String::new, |next| format!("&cursor={next}"));
            let reply = reader.get(&format!("{path}?wait=60s{on}")).await;
            if reply.status == 200 {
                let lines = reply.lines();
                let (end, records) = lines.split_last().expect("a last line");
                read.records += records.len();
                from = Some(end["next"].as_str().expect("a cursor").to_owned());
                continue;
            }
            is_busy(&reply);
        }
        if read.records < RECORDS {
            read.was_told_to_come_back = true;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    read
}

#[track_caller]
fn is_busy(refused: &Reply) {
    assert!(refused.status == 503 && BUSY.contains(&refused.code().as_str()), "{}", refused.text);
}

/// The records of a stream until all are there. A stream opens its windows long after it was answered: one that the store
/// was too busy for ends by name, and tells from where another goes on.
async fn followed(mut events: Events, read: &mut Read) -> Option<String> {
    while read.records < RECORDS {
        let event = events.said().await;
        match event.kind.as_str() {
            "record" => read.records += 1,
            "mark" => {}
            _ => {
                let code = event.data["code"].as_str().unwrap_or_default();
                assert!(BUSY.contains(&code), "behind {} records: {}", read.records, event.data);
                return Some(event.data["next"].as_str().expect("where it goes on").to_owned());
            }
        }
    }
    None
}

fn threads(server: &Process) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.id())).expect("its threads");
    tasks.count()
}

/// The windows of a subscription, as its events tell.
#[derive(Default)]
struct Windows {
    /// From when on each counts, in milliseconds and in their order.
    opened: Vec<i64>,
    /// Records that they let out.
    sent: u64,
    /// The shortest time of those that did not, in milliseconds.
    lasted_unused: Option<i64>,
}

/// The windows of each subscription, once they are closed that let all of its records out.
async fn used(auditor: &Client, others: &Others) -> BTreeMap<String, Windows> {
    let seen = async {
        loop {
            let mut all = windows(auditor).await;
            all.remove(others.subscription());
            if all.values().all(|windows| windows.sent >= RECORDS as u64) {
                return all;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), seen).await.expect("every window closes")
}

async fn windows(auditor: &Client) -> BTreeMap<String, Windows> {
    let events = auditor.request("get", "/api/v1/audit/events").header("accept", "application/x-ndjson");
    let mut all: BTreeMap<_, Windows> = BTreeMap::new();
    for event in Reply::of(events).await.lines() {
        let of = |name: &str| event[name].as_str().unwrap_or_else(|| panic!("no {name}: {event}"));
        match event["code"].as_str() {
            Some("deliver.opened") => {
                all.entry(of("subscription").to_owned()).or_default().opened.push(window_began(&event));
            }
            Some("deliver.closed") => {
                let windows = all.entry(of("subscription").to_owned()).or_default();
                if let Some(sent @ 1..) = event["sent"].as_u64() {
                    windows.sent += sent;
                    continue;
                }
                let ended = of("at").parse::<Time>().expect("RFC 3339").timestamp_millis();
                let lasted = ended - window_began(&event);
                let least = windows.lasted_unused.map_or(lasted, |least| least.min(lasted));
                windows.lasted_unused = Some(least);
            }
            _ => {}
        }
    }
    all.values_mut().for_each(|windows| windows.opened.sort_unstable());
    all
}
