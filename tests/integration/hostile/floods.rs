//! Case 24: more connections, requests and bytes than a server takes. It answers what it can, refuses the rest by name or
//! closes it, and its memory stays what it was.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::scene::{Scene, metric, observation, refused};
use crate::faults::deployment::{Deployment, Process};
use crate::support::{Client, Pair, Reply, World, resource_file};

const REQUESTS: u32 = 10_000;
const WAVES: u64 = 4;
/// By how much one of the waves behind the first may grow the server at most. How many of a wave are open at once differs, and
/// what was freed stays with the process, so it grows wherever a wave has more of them than any before: in waves that were
/// measured by 9 to 32 MiB, 0 to 30, then 0 to 19. What each request left behind would grow it with every wave alike.
const LATER_WAVE: u64 = 16 << 20;
/// The fewest that are served, of all waves: alone on a busy machine 6,900 to 10,300 were, beside another flood fewer than
/// half of that.
const ANSWERED: u64 = 1_000;
/// Calls of another agency in each wave.
const OTHERS: u64 = 20;
/// Files that this process may have open, with room for the rest of the tests.
const FILES: u64 = 14_000;
/// One flood at a time: another takes this one's place at the processors, and more of it is open at once.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
/// Addresses that the flood comes from.
const ADDRESSES: u32 = 40;
/// That the server takes at once.
const CONNECTIONS: u32 = 4096;

/// As many open files as the flood needs; a machine that cannot have them cannot run this.
pub fn open_files() {
    let id = std::process::id().to_string();
    let limits = std::fs::read_to_string("/proc/self/limits").expect("the limits of this process");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("of files");
    let soft: u64 = line.split_whitespace().nth(3).expect("a number").parse().unwrap_or(u64::MAX);
    if soft < FILES {
        let raised = std::process::Command::new("prlimit")
            .args(["--pid", &id, &format!("--nofile={FILES}:")])
            .status();
        assert!(raised.is_ok_and(|status| status.success()), "this needs {FILES} open files (ulimit -n)");
    }
}

async fn connect(server: &Process, number: u32) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(format!("127.0.1.{}:0", 1 + number % ADDRESSES).parse().expect("an address"))?;
    socket.connect(server.url.trim_start_matches("http://").parse().expect("an address")).await
}

/// Longer than anything here takes: a connection that the system lost on the way is one that nobody took.
const LOST: Duration = Duration::from_secs(60);

/// The status of one request; `None` where the connection ended without a word.
async fn ask(server: &Process, number: u32, key: &str) -> Option<u16> {
    let asking = async {
        let mut stream = connect(server, number).await?;
        let ask = format!(
            "GET /api/v1/whoami HTTP/1.1\r\nHost: bus\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(ask.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = tokio::time::timeout(LOST, asking).await.map(Result::unwrap_or_default).unwrap_or_default();
    let (head, body) = std::str::from_utf8(&answer).ok()?.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().expect("a status");
    let document: Value = serde_json::from_str(body).expect("a whole answer");
    match status {
        200 => assert!(document["agency"].is_object(), "{document}"),
        429 => assert_eq!(document["code"], "too_many_at_once"),
        // Its turn at the database did not come within the deadline.
        503 => assert_eq!(
            (&document["code"], &document["retryable"]),
            (&json!("store_unavailable"), &json!(true))
        ),
        _ => panic!("{status} {document}"),
    }
    Some(status)
}

/// All at once; how many were answered with which status.
async fn wave(server: &Process, key: &str) -> BTreeMap<Option<u16>, u64> {
    let mut calls: FuturesUnordered<_> = (0..REQUESTS).map(|number| ask(server, number, key)).collect();
    let mut counts = BTreeMap::new();
    while let Some(status) = calls.next().await {
        *counts.entry(status).or_default() += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_requests_at_once_cost_no_memory_embedded() {
    ten_thousand_requests_at_once_cost_no_memory(Pair::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_requests_at_once_cost_no_memory_production() {
    ten_thousand_requests_at_once_cost_no_memory(Pair::Production).await;
}

async fn ten_thousand_requests_at_once_cost_no_memory(pair: Pair) {
    open_files();
    let _alone = ALONE.lock().await;
    let Some(mut deployment) = Deployment::new(pair).await else { return };
    deployment.set("CHANGTONG_LIMITS__ACCOUNT_REQUESTS_PER_SECOND", String::new());
    deployment.set("CHANGTONG_LIMITS__AGENCY_REQUESTS_PER_SECOND", String::new());
    // An address of the flood is turned away at a tenth of what it sends.
    deployment.set("CHANGTONG_HTTP__CONNECTIONS", CONNECTIONS.to_string());
    deployment.set("CHANGTONG_HTTP__ADDRESS_SHARE", "2".to_owned());
    let server = deployment.start("node", None).await;
    let world = World::at(Client::new(server.url.clone(), Some(deployment.authority()))).await;
    let scene = Scene::at(world, resource_file("unconditional")).await;
    scene.others_are_served().await;
    let key = scene.world.provider.integrator.key().to_owned();
    let operations = Client::new(server.operations(), None);
    let page = async || operations.get("/metrics").await.text;
    let before = page().await;
    let mut resident = vec![server.resident()];
    let mut counts: BTreeMap<Option<u16>, u64> = BTreeMap::new();
    for _ in 0..WAVES {
        let (flood, sent_back) = tokio::join!(wave(&server, &key), others(&scene));
        // Another agency waits behind none of the flood.
        assert_eq!(sent_back, 0, "{flood:?}");
        resident.push(server.resident());
        flood.into_iter().for_each(|(status, count)| *counts.entry(status).or_default() += count);
    }
    let after = page().await;
    let moved = |line: &str| metric(&after, line) - metric(&before, line);
    // The server's own word: whatever it read it answered, and each of its answers arrived.
    let of = |status: u16| counts.get(&Some(status)).copied().unwrap_or_default();
    let answered = |code: &str, route: &str| {
        moved(&format!("changtong_http_requests_total{{code=\"{code}\",method=\"GET\",route=\"{route}"))
    };
    assert_eq!(answered("", "/api/v1/whoami"), of(200), "{counts:?}");
    assert_eq!(answered("too_many_at_once", ""), of(429), "{counts:?}");
    assert_eq!(answered("store_unavailable", ""), of(503), "{counts:?}");
    // Without a word ended what was never read: it was closed and counted, the system lost it on the way, or it was taken
    // to be turned away and its head did not come in time.
    let taken = |outcome: &str| moved(&format!("changtong_http_connections_total{{outcome=\"{outcome}\"}}"));
    let silent = counts.get(&None).copied().unwrap_or_default();
    assert!(taken("closed") <= silent, "{counts:?}");
    let (read, callers) = (taken("served") + taken("turned_away"), of(200) + of(429) + of(503));
    // Another agency's calls share a connection, or take one each.
    let most = callers + (silent - taken("closed")) + WAVES * OTHERS;
    assert!((callers..=most).contains(&read), "{counts:?}: {read} were taken to be read");
    let grown: Vec<u64> = resident.windows(2).map(|two| two[1].saturating_sub(two[0])).collect();
    let (first, later) = grown.split_first().expect("waves");
    assert!(*first < u64::from(CONNECTIONS) * (24 << 10), "{grown:?}");
    assert!(later.iter().any(|wave| *wave < LATER_WAVE), "{grown:?}");
    assert!(of(200) >= ANSWERED, "{counts:?}");
    scene.others_are_served().await;
    server.kill().await;
    deployment.done().await;
}

/// Another agency meanwhile: how often it is sent away because the database is busy.
async fn others(scene: &Scene) -> u64 {
    let mut sent_back = 0;
    for _ in 0..OTHERS {
        let reply = scene.world.stranger.editor.get("/api/v1/resources").await;
        if reply.status != 200 {
            refused(&reply, 503, "store_unavailable");
            sent_back += 1;
        }
    }
    sent_back
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_that_never_end_are_given_up() {
    let Some(mut deployment) = Deployment::new(Pair::Embedded).await else { return };
    deployment.set("CHANGTONG_HTTP__HEADER_TIMEOUT", "2s".to_owned());
    let server = deployment.start("node", None).await;
    let world = World::at(Client::new(server.url.clone(), Some(deployment.authority()))).await;
    let scene = Scene::at(world, resource_file("unconditional")).await;
    scene.others_are_served().await;
    let before = server.resident();
    let dribble = async |number: u32| {
        let mut stream = connect(&server, number).await.expect("a connection");
        for piece in ["GET /api", "/v1/whoami HTTP/1.1\r\n", "Host: bus\r\n", "X-A: "] {
            if stream.write_all(piece.as_bytes()).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // A byte now and then, for ever: whoever waits for the end of the head waits in vain.
        let (mut from, mut to) = stream.into_split();
        let mut answer = Vec::new();
        let dribbling = async {
            while to.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        tokio::select! {
            _ = from.read_to_end(&mut answer) => {}
            () = dribbling => {}
        }
    };
    let mut flood: FuturesUnordered<_> = (0..1500).map(dribble).collect();
    let ended = async { while flood.next().await.is_some() {} };
    let served = async {
        for hour in 0..20 {
            scene.publish(&[observation("JFK", hour)]).await.expect(200);
            scene.others_are_served().await;
        }
    };
    let both = async { tokio::join!(ended, served) };
    tokio::time::timeout(Duration::from_secs(120), both).await.expect("it holds its connections for ever");
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 64 << 20, "{} MiB more", grown >> 20);
    drop(flood);
    scene.others_are_served().await;
    server.kill().await;
    deployment.done().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publisher_faster_than_the_log_is_held_back_embedded() {
    a_publisher_faster_than_the_log_is_held_back(Pair::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publisher_faster_than_the_log_is_held_back_production() {
    a_publisher_faster_than_the_log_is_held_back(Pair::Production).await;
}

/// Bodies that together are many times what may be in flight.
async fn a_publisher_faster_than_the_log_is_held_back(pair: Pair) {
    const BODIES: usize = 120;
    const RECORDS: usize = 500;
    let Some(mut deployment) = Deployment::new(pair).await else { return };
    deployment.set("CHANGTONG_LIMITS__BODY", "1MiB".to_owned());
    deployment.set("CHANGTONG_LIMITS__DECOMPRESSED", "2MiB".to_owned());
    deployment.set("CHANGTONG_LIMITS__IN_FLIGHT", "6MiB".to_owned());
    let server = deployment.start("node", None).await;
    let world = World::at(Client::new(server.url.clone(), Some(deployment.authority()))).await;
    let scene = Scene::at(world, resource_file("unconditional")).await;
    scene.others_are_served().await;
    let asked = |body: usize| {
        let lines: String = (0..RECORDS)
            .map(|record| {
                let mut line = observation(&format!("S{body}"), record % 24);
                line["station"] = json!(format!("S{body}.{record}"));
                line["observer"] = json!("x".repeat(40));
                format!("{line}{}\n", " ".repeat(400))
            })
            .collect();
        let language = if body.is_multiple_of(2) { "en" } else { "zh" };
        let request = scene.world.provider.integrator.request_in(language, "post", &scene.records());
        let request = request.header("content-type", "application/x-ndjson");
        request.header("idempotency-key", format!("body-{body}")).body(lines)
    };
    let send = async |body: usize| Reply::of(asked(body)).await;
    send(0).await.expect(200);
    let before = server.resident();
    // Bytes in flight are everybody's: another agency may be told to come back, and finds room soon.
    let flood = futures::future::join_all((1..=BODIES).map(send));
    let (replies, ()) = tokio::join!(flood, scene.others().await.come_to_be_served());
    let mut taken: Vec<Value> = Vec::new();
    for reply in &replies {
        match reply.status {
            200 => taken.push(reply.json()),
            _ => {
                refused(reply, 503, "overloaded");
                assert!(reply.headers.contains_key("retry-after"), "when to come back");
            }
        }
    }
    assert!(!taken.is_empty() && taken.len() < BODIES, "{} of {BODIES} were taken", taken.len());
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 96 << 20, "{} MiB more", grown >> 20);
    let kept = (taken.len() + 1) * RECORDS + 1;
    assert_eq!(scene.own().await.len(), kept, "what was acknowledged, and no more");
    scene.others_are_served().await;
    server.kill().await;
    deployment.done().await;
}
