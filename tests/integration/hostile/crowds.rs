//! Floods of one caller (case 24): each costs its sender an error with a name and a time to come back, and others
//! nothing.

use std::net::SocketAddr;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::{Pair, RESOURCE, TestApp, World, resource_file};

/// A connection from that loopback address.
async fn connect(api: SocketAddr, from: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(format!("{from}:0").parse().expect("an address")).expect("bound");
    socket.connect(api).await.expect("a connection")
}

/// The head of a publish and the first byte of its body; the rest never comes.
async fn begin_publish(stream: &mut TcpStream, key: &str, more: &str) {
    let head = format!(
        "POST /api/v1/resources/{RESOURCE}/records HTTP/1.1\r\nHost: bus\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/x-ndjson\r\nContent-Length: 100000\r\n{more}\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.expect("it is sent");
}

/// Everything that is answered until the connection ends.
async fn answer(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    stream.read_to_end(&mut text).await.expect("an answer");
    String::from_utf8(text).expect("text")
}

/// The refusal of somebody who has too much: its code, the share that is full, and when to come back.
fn refused(answer: &str, limit: &str) -> Value {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no whole answer: {answer}"));
    assert!(head.starts_with("HTTP/1.1 429 "), "{answer}");
    assert!(head.contains("retry-after: 1") && head.contains("connection: close"), "{head}");
    let problem: Value = serde_json::from_str(body).expect("a problem");
    assert_eq!((&problem["code"], &problem["limit"]), (&json!("too_many_at_once"), &json!(limit)));
    problem
}

fn observation(hour: i64) -> Value {
    json!({ "station": "JFK", "hour": hour })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_bodies_of_one_account_leave_room_for_others() {
    const CONNECTIONS: usize = 128;
    const HELD: usize = CONNECTIONS / 4;
    const FLOOD: usize = CONNECTIONS + HELD;
    let settings = [
        ("CHANGTONG_HTTP__CONNECTIONS", "128"),
        ("CHANGTONG_HTTP__ADDRESS_SHARE", "100"),
        ("CHANGTONG_HTTP__ACCOUNT_SHARE", "25"),
        ("CHANGTONG_LIMITS__IN_FLIGHT", "512MiB"),
    ];
    let app = TestApp::start(Pair::Embedded, &settings).await.expect("the embedded engines are always there");
    let world = World::of(&app).await;
    let code = world.entry(resource_file("unconditional")).await;
    let other = json!({ "name": "other", "roles": ["integrator"] });
    let other = world.authority.post("/api/v1/agencies/meteorology/accounts", other).await.expect(201);
    let keys = format!("/api/v1/accounts/{}/keys", other["id"].as_str().expect("an id"));
    let key = world.authority.post(&keys, json!({ "roles": ["integrator"] })).await.expect(201);
    let other = app.client(key["text"].as_str().expect("a key"));

    let mut flood = FuturesUnordered::new();
    for _ in 0..FLOOD {
        let (api, key) = (app.api, world.provider.integrator.key().to_owned());
        flood.push(async move {
            let mut stream = connect(api, "127.0.0.1").await;
            begin_publish(&mut stream, &key, "").await;
            answer(stream).await
        });
    }
    for _ in HELD..FLOOD {
        let problem = refused(&flood.next().await.expect("an answer"), "http.account_share");
        assert_eq!(problem["value"], HELD);
        assert!(problem["detail"].as_str().expect("a text").contains("本账号"), "{problem}");
    }
    // What is left of the flood holds its share and no more: others are served, also of the same agency.
    other.publish(&code, &[observation(1)]).await.expect(200);
    world.consumer.editor.get("/api/v1/resources").await.expect(200);
    let flooder = world.provider.integrator.publish(&code, &[observation(2)]).await;
    assert_eq!((flooder.status, flooder.code().as_str()), (429, "too_many_at_once"));
    assert!(flooder.text.contains("requests of this account run at once"), "{}", flooder.text);

    drop(flood);
    while world.provider.integrator.publish(&code, &[observation(3)]).await.status != 200 {
        tokio::task::yield_now().await;
    }
    let own = world.provider.integrator.get(&format!("/api/v1/resources/{code}/records")).await.lines();
    assert_eq!(own.len(), 3, "one record of each caller that was answered, and the last line");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_does_not_hold_every_connection() {
    let settings = [
        ("CHANGTONG_HTTP__CONNECTIONS", "32"),
        ("CHANGTONG_HTTP__ADDRESS_SHARE", "50"),
        ("CHANGTONG_HTTP__HEADER_TIMEOUT", "10m"),
    ];
    let app = TestApp::start(Pair::Embedded, &settings).await.expect("the embedded engines are always there");
    let mut silent = Vec::new();
    for _ in 0..16 {
        silent.push(connect(app.api, "127.0.0.2").await);
    }
    for (language, said) in
        [("zh", "本地址同时占用的连接已达上限 16"), ("en", "16 connections of this address")]
    {
        let mut one_more = connect(app.api, "127.0.0.2").await;
        let ask = format!("GET /openapi.json HTTP/1.1\r\nHost: bus\r\nAccept-Language: {language}\r\n\r\n");
        one_more.write_all(ask.as_bytes()).await.expect("it is sent");
        let problem = refused(&answer(one_more).await, "http.address_share");
        assert!(problem["detail"].as_str().expect("a text").contains(said), "{problem}");
    }
    app.client(&app.authority).get("/api/v1/whoami").await.expect(200);
    drop(silent);
    loop {
        let mut again = connect(app.api, "127.0.0.2").await;
        again
            .write_all(b"GET /openapi.json HTTP/1.1\r\nHost: bus\r\nConnection: close\r\n\r\n")
            .await
            .expect("sent");
        if answer(again).await.starts_with("HTTP/1.1 200 ") {
            break;
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_proxy_the_last_address_counts() {
    let settings = [
        ("CHANGTONG_HTTP__BEHIND_PROXY", "true"),
        ("CHANGTONG_HTTP__TRUSTED_PROXIES", "127.0.0.1"),
        ("CHANGTONG_HTTP__CONNECTIONS", "64"),
        ("CHANGTONG_HTTP__ADDRESS_SHARE", "10"),
    ];
    let app = TestApp::start(Pair::Embedded, &settings).await.expect("the embedded engines are always there");
    let world = World::of(&app).await;
    world.entry(resource_file("unconditional")).await;
    let from = |address: usize| format!("X-Forwarded-For: 10.0.0.{address}, 192.0.2.7\r\n");
    let mut flood = FuturesUnordered::new();
    for number in 0..7 {
        let (api, key) = (app.api, world.provider.integrator.key().to_owned());
        // Each names another address as the first: only the last was written by the proxy.
        let forwarded = from(number);
        flood.push(async move {
            let mut stream = connect(api, "127.0.0.1").await;
            begin_publish(&mut stream, &key, &forwarded).await;
            answer(stream).await
        });
    }
    refused(&flood.next().await.expect("the seventh is answered"), "http.address_share");
    let other = world.provider.integrator.request("get", "/api/v1/whoami");
    let other = other.header("x-forwarded-for", "192.0.2.7, 192.0.2.8");
    crate::support::Reply::of(other).await.expect(200);
    drop(flood);
    app.stop().await;
}
