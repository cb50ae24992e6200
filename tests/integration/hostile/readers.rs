//! A thousand readers that wait for fifty resources, half by event stream and half by long poll, at a server of their
//! own: what they cost it in memory, threads, consumers of Kafka and audit events, and that each gets what is published.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use changtong_catalog::clock::Time;
use futures::StreamExt as _;
use futures::future::join_all;
use serde_json::json;
use tokio::task::JoinHandle;
use uuid::Uuid;

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
/// How long a window lasts, in milliseconds (`time.window`).
const LASTS: i64 = 1000;
/// Windows of a subscription that may open at once; a further one each `time.window`.
const AT_A_TIME: u64 = 8;
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
    let operations = Client::new(server.operations(), None);
    let page = async || operations.get("/metrics").await.text;
    let waiting = async |reading: &[JoinHandle<usize>]| {
        while metric(&page().await, "changtong_waiting_polls ") < reading.len() as u64 {
            assert!(reading.iter().all(|reader| !reader.is_finished()), "a reader does not wait");
            tokio::time::sleep(Duration::from_millis(20)).await;
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

    let began = Instant::now();
    at_once(codes.iter().map(|code| publish(&world, code, 2))).await;
    for records in join_all(reading).await {
        assert_eq!(records.expect("a reader"), 1, "each gets the record that it waited for, once");
    }
    let page = page().await;
    assert!(metric(&page, "changtong_kafka_consumers_made_total") <= MOST_CONSUMERS, "a consumer each");
    let shared = metric(&page, "changtong_log_reads_total{from=\"shared\"}");
    assert!(shared >= READERS as u64 / 2, "{shared} reads were shared");
    let windows = used(&world.auditor).await;
    assert_eq!(windows.len(), READERS, "each has its window");
    let most = AT_A_TIME + began.elapsed().as_secs() + 1;
    for (subscription, windows) in windows {
        // Each is two events. One is used, and another was opened only where one ran out before it could be.
        assert!(windows.opened <= most, "{} windows of {subscription}, {most} may be", windows.opened);
        assert_eq!(windows.used, 1, "windows of {subscription} that let something out");
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

/// Waits by stream or by poll, comes again where the store is too busy; answers how many records came at once.
async fn read(reader: Client, number: usize, subscription: String) -> usize {
    let path = format!("/api/v1/subscriptions/{subscription}/records");
    let mut from = None;
    loop {
        let reply = if number.is_multiple_of(2) {
            match Events::open(&reader, &path, from.as_deref()).await {
                Ok(events) => match followed(events).await {
                    Ok(records) => return records,
                    Err(next) => {
                        from = Some(next);
                        continue;
                    }
                },
                Err(refused) => *refused,
            }
        } else {
            reader.get(&format!("{path}?wait=60s")).await
        };
        let busy = reply.status == 503 && BUSY.contains(&reply.code().as_str());
        // Who waited in vain, as it was not published yet, waits again.
        if !busy && reply.lines().len() > 1 {
            return reply.lines().len() - 1;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The records of a stream's first window. A stream opens it long after it was answered: one that the store was too
/// busy for ends by name, and tells from where another goes on.
async fn followed(mut events: Events) -> Result<usize, String> {
    let mut records = 0;
    loop {
        let event = events.said().await;
        match event.kind.as_str() {
            "record" => records += 1,
            "mark" => return Ok(records),
            _ => {
                let code = event.data["code"].as_str().unwrap_or_default();
                assert!(records == 0 && BUSY.contains(&code), "behind {records} records: {}", event.data);
                return Err(event.data["next"].as_str().expect("where it goes on").to_owned());
            }
        }
    }
}

fn threads(server: &Process) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.id())).expect("its threads");
    tasks.count()
}

/// The windows of a subscription, as its events tell.
#[derive(Default)]
struct Windows {
    opened: u64,
    /// That let something out.
    used: u64,
    /// The shortest time of those that did not, in milliseconds.
    lasted_unused: Option<i64>,
}

/// The windows of each subscription, once each has one that let something out and is closed.
async fn used(auditor: &Client) -> BTreeMap<String, Windows> {
    let seen = async {
        loop {
            let all = windows(auditor).await;
            if all.values().all(|windows| windows.used > 0) {
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
            Some("deliver.opened") => all.entry(of("subscription").to_owned()).or_default().opened += 1,
            Some("deliver.closed") => {
                let windows = all.entry(of("subscription").to_owned()).or_default();
                if event["sent"] != 0 {
                    windows.used += 1;
                    continue;
                }
                // Its id is of the moment from which its time counts, which is before its opening was committed.
                let began = of("window").parse::<Uuid>().expect("an id").as_u128() >> 80;
                let ended = of("at").parse::<Time>().expect("RFC 3339").timestamp_millis();
                let lasted = ended - i64::try_from(began).expect("milliseconds");
                let least = windows.lasted_unused.map_or(lasted, |least| least.min(lasted));
                windows.lasted_unused = Some(least);
            }
            _ => {}
        }
    }
    all
}
