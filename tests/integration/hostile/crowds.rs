//! Who a caller truly is (case 7) and floods of one caller (case 24): each costs its sender an error with a name and a
//! time to come back, and leaves others their room among connections, requests, bytes and the store's connections.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Once;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::scene;
use crate::support::{Client, Others, Pair, RESOURCE, Reply, TestApp, World, resource_file};

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
    const WAVES: usize = CONNECTIONS / HELD;
    let settings = [
        ("CHANGTONG_HTTP__CONNECTIONS", "128"),
        ("CHANGTONG_HTTP__ADDRESS_SHARE", "100"),
        ("CHANGTONG_HTTP__ACCOUNT_SHARE", "25"),
        ("CHANGTONG_LIMITS__IN_FLIGHT", "512MiB"),
    ];
    let app = TestApp::start(Pair::Embedded, &settings).await.expect("the embedded engines are always there");
    let world = World::of(&app).await;
    let code = world.entry(resource_file("unconditional")).await;
    let others = Others::beside(&world.authority).await;
    let other = json!({ "name": "other", "roles": ["integrator"] });
    let other = world.authority.post("/api/v1/agencies/meteorology/accounts", other).await.expect(201);
    let keys = format!("/api/v1/accounts/{}/keys", other["id"].as_str().expect("an id"));
    let key = world.authority.post(&keys, json!({ "roles": ["integrator"] })).await.expect(201);
    let other = app.client(key["text"].as_str().expect("a key"));

    let begun = || {
        let (api, key) = (app.api, world.provider.integrator.key().to_owned());
        async move {
            let mut stream = connect(api, "127.0.0.1").await;
            begin_publish(&mut stream, &key, "").await;
            answer(stream).await
        }
    };
    let mut flood = FuturesUnordered::from_iter((0..HELD).map(|_| begun()));
    // In waves: those of one that are not answered yet are not to fill the share of their address.
    for _ in 0..WAVES {
        flood.extend((0..HELD).map(|_| begun()));
        for _ in 0..HELD {
            let problem = refused(&flood.next().await.expect("an answer"), "http.account_share");
            assert_eq!(problem["value"], HELD);
            assert!(problem["detail"].as_str().expect("a text").contains("本账号"), "{problem}");
        }
    }
    // What is left of the flood holds its share and no more: others are served, also of the same agency.
    other.publish(&code, &[observation(1)]).await.expect(200);
    world.consumer.editor.get("/api/v1/resources").await.expect(200);
    others.are_served().await;
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

/// On PostgreSQL alone, as nothing makes a reader of SQLite's file wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_the_database_keeps_waiting_leave_others_its_connections() {
    const HELD: i64 = 8;
    let settings = [
        ("CHANGTONG_DATABASE__CONNECTIONS", "16"),
        ("CHANGTONG_HTTP__ACCOUNT_SHARE", "50"),
        ("CHANGTONG_LIMITS__ACCOUNT_REQUESTS_PER_SECOND", ""),
        ("CHANGTONG_LIMITS__AGENCY_REQUESTS_PER_SECOND", ""),
    ];
    let Some(app) = TestApp::start(Pair::Production, &settings).await else { return };
    let world = World::of(&app).await;
    let others = Others::beside(&world.authority).await;
    // Only what the flood asks for is kept waiting.
    let mut database = PgConnection::connect(&app.store.url).await.expect("the database");
    let mut held = database.begin().await.expect("a transaction");
    sqlx::query("LOCK TABLE connector").execute(&mut *held).await.expect("the lock");
    let ask = |number: usize| {
        let language = if number.is_multiple_of(2) { "en" } else { "zh" };
        let asked = world.provider.integrator.request_in(language, "get", "/api/v1/connectors");
        tokio::spawn(Reply::of(asked))
    };
    let flood: Vec<_> = (0..64).map(ask).collect();
    const WAITING: &str = "SELECT count(*) FROM pg_stat_activity \
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while sqlx::query_scalar::<_, i64>(WAITING).fetch_one(&mut *held).await.expect("a number") < HELD {
        tokio::task::yield_now().await;
    }
    for _ in 0..20 {
        world.consumer.editor.get("/api/v1/resources").await.expect(200);
    }
    others.are_served().await;
    let mut shares = 0;
    for reply in flood {
        let reply = reply.await.expect("an answer");
        let problem = scene::refused(&reply, 503, "store_unavailable");
        if problem["limit"] == "http.account_share" {
            assert_eq!(problem["value"], HELD);
            shares += 1;
        }
    }
    assert!(shares > 0, "who waited for a place of its account is told so");
    held.rollback().await.expect("the lock is given up");
    world.provider.integrator.get("/api/v1/connectors").await.expect(200);
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
    let others = Others::beside(&app.client(&app.authority)).await;
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
    others.are_served().await;
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

thread_local! {
    /// What is logged on a thread that asked for it.
    static LINES: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

struct Lines;

impl Lines {
    /// Has this thread's lines kept. A subscriber of one thread alone would not do: which events are wanted at all is
    /// remembered for the whole process.
    fn keep() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            let lines = tracing_subscriber::fmt().with_ansi(false).with_max_level(tracing::Level::INFO);
            let lines = lines.with_writer(|| Lines).finish();
            tracing::subscriber::set_global_default(lines).expect("nothing else logs in this process");
        });
        LINES.set(Some(Vec::new()));
    }

    /// The line of the request with that id.
    fn of(request: &str) -> String {
        let said =
            LINES.with_borrow(|lines| String::from_utf8_lossy(lines.as_deref().expect("kept")).into_owned());
        let line = said.lines().find(|line| line.contains(request));
        line.unwrap_or_else(|| panic!("{request} is not logged: {said}")).to_owned()
    }
}

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LINES.with_borrow_mut(|lines| lines.iter_mut().for_each(|lines| lines.extend_from_slice(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// All of the application runs on this thread, so that what it logs as a server does by default is seen here alone.
#[tokio::test]
async fn behind_a_proxy_the_last_address_counts_and_is_logged() {
    Lines::keep();
    let settings = [
        ("CHANGTONG_HTTP__BEHIND_PROXY", "true"),
        ("CHANGTONG_HTTP__TRUSTED_PROXIES", "127.0.0.1"),
        ("CHANGTONG_HTTP__CONNECTIONS", "64"),
        ("CHANGTONG_HTTP__ADDRESS_SHARE", "10"),
    ];
    let app = TestApp::start(Pair::Embedded, &settings).await.expect("the embedded engines are always there");
    let world = World::of(&app).await;
    world.entry(resource_file("unconditional")).await;
    let others = Others::beside(&world.authority.at("127.0.0.3")).await;
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
    let problem = refused(&flood.next().await.expect("the seventh is answered"), "http.address_share");
    let said = Lines::of(problem["instance"].as_str().expect("an id"));
    assert!(
        said.contains(" INFO ") && said.contains("from=\"192.0.2.7\"") && !said.contains("10.0.0."),
        "{said}"
    );

    // What the proxy says is believed, of nobody else: the same words from another machine are its own.
    let account = format!("account=\"{}\"", world.provider.integrator_account);
    let proxy = &world.provider.integrator;
    let elsewhere = proxy.at("127.0.0.2");
    let claims: [(&Client, &[&str], &str); 7] = [
        (proxy, &["192.0.2.7, 192.0.2.8"], "192.0.2.8"),
        (&elsewhere, &["192.0.2.7, 192.0.2.8"], "127.0.0.2"),
        // Of several lines the last is the proxy's; what is no address in it is nobody's, and names nobody else.
        (proxy, &["192.0.2.7", "192.0.2.9"], "192.0.2.9"),
        (proxy, &["192.0.2.7", "2001:db8::5"], "2001:db8::5"),
        (proxy, &["192.0.2.7, unknown"], "127.0.0.1"),
        (proxy, &["192.0.2.7,"], "127.0.0.1"),
        (proxy, &["192.0.2.7:80"], "127.0.0.1"),
    ];
    for (caller, claims, truly) in claims {
        let mut request = caller.request("get", "/api/v1/whoami");
        for claim in claims {
            request = request.header("x-forwarded-for", *claim);
        }
        let reply = Reply::of(request).await;
        assert_eq!(reply.status, 200);
        let said = Lines::of(reply.headers["x-request-id"].to_str().expect("an id"));
        let peer = format!("from=\"{truly}\"");
        assert!(
            said.contains(" INFO ") && said.contains(&peer) && said.contains(&account),
            "{claims:?}: {said}"
        );
        assert_eq!(said.matches("192.0.2").count(), usize::from(truly.contains("192")), "{claims:?}: {said}");
    }
    // While that address is beyond its share nobody else is.
    others.are_served().await;
    // Events hold who it was, never from where.
    drop(flood);
    let events = world.auditor.get("/api/v1/audit/events").await.text;
    assert!(!events.contains("192.0.2.") && !events.contains("127.0.0."), "{events}");
    app.stop().await;
}
