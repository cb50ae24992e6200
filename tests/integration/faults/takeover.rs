//! A second server on the same database: refused with a clear word while the first lives; and a first one that was paused
//! past its lease sends nothing more, whatever the second has done meanwhile, and ends.

use std::time::Duration;

use changtong::client::Client;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::deployment::{Deployment, Process, once};
use crate::support::Pair;

const PUBLISHED: std::ops::Range<u32> = 0..10;

#[tokio::test]
async fn a_second_server_is_refused_in_both_languages() {
    let Some(deployment) = Deployment::new(Pair::Production).await else { return };
    let first = deployment.start("one", None).await;
    let table = deployment.table(&first).await;
    let mut second = deployment.spawn("two", None);
    assert_eq!(second.exit_code().await, 1, "{}", second.said());
    let said = second.said();
    assert!(said.contains("another_server_active"), "{said}");
    let node = deployment.node_id("one");
    let (zh, en) = (format!("正由节点 {node} 的服务器使用"), format!("the server of node {node} works with"));
    assert!(said.contains(&zh) && said.contains(&en), "who holds it: {said}");
    assert!(said.contains("its lease runs until 20"), "and until when: {said}");
    table.publish(&first, "batch", PUBLISHED).await.expect("the first goes on");
    assert_eq!(table.visible(&first).await, once(&[PUBLISHED]));
    first.kill().await;
    deployment.done().await;
}

/// More than the buffers between two processes hold.
const BATCHES: u32 = 12;
const BATCH: u32 = 10_000;

#[tokio::test]
async fn a_server_paused_past_its_lease_sends_no_further_byte() {
    let Some(deployment) = Deployment::new(Pair::Production).await else { return };
    let mut first = deployment.start("one", None).await;
    let table = deployment.table(&first).await;
    for batch in 0..BATCHES {
        let ids = batch * BATCH..(batch + 1) * BATCH;
        table.publish(&first, &format!("batch-{batch}"), ids).await.expect("a batch");
    }
    let reader = deployment.reader(&first, &table).await;
    // Under way: the reader has stopped reading, so the rest waits in buffers, the server's own among them.
    let mut answer = request(&first, &reader.path("max_bytes=67108864"), &reader.key).await;
    begins(&mut answer).await;
    arrived(&mut answer, 64 << 10).await;
    let consumer = Client::new(&first.url, &reader.key, "en").expect("a client");
    let subscribe = format!("/grants/{}/subscriptions", reader.grant);
    let made =
        consumer.post(&subscribe, &json!({ "name": "waiting", "from": "end" })).await.expect("a position");
    let path =
        format!("/api/v1/subscriptions/{}/records?wait=60s", made.body["id"].as_str().expect("its id"));
    let waiting = tokio::spawn(poll(first.url.clone(), path, reader.key.clone()));
    tokio::time::sleep(Duration::from_millis(300)).await;
    first.signal("-STOP");
    first.stands_still().await;
    // What the kernel holds of it arrives all the same.
    while arrived(&mut answer, 16 << 20).await > 0 {}

    let second = loop {
        let mut second = deployment.spawn("two", None);
        if second.serves().await {
            break second;
        }
        assert!(second.said().contains("another_server_active"), "{}", second.said());
    };
    let later = BATCHES * BATCH..BATCHES * BATCH + 10;
    table.publish(&second, "later", later).await.expect("what the waiting poll must not get");
    let left = table.revoke(&second, &reader.grant).await;
    assert!(left["last_left"][&reader.subscription].is_string(), "{left}");

    first.signal("-CONT");
    let mut rest = Vec::new();
    // A reset is as good an end as any.
    let _ = answer.read_to_end(&mut rest).await;
    assert_eq!(String::from_utf8_lossy(&rest), "", "it went on");
    let waited = waiting.await.expect("the waiting poll");
    assert!(!waited.contains("\"op\""), "no record: {waited}");
    assert_eq!(first.exit_code().await, 1, "{}", first.said());
    let said = first.said();
    assert!(said.contains("another_server_active: 本服务器失去了数据库的租约"), "{said}");
    second.kill().await;
    deployment.done().await;
}

/// A connection that takes little at once, and a request on it.
async fn request(server: &Process, path: &str, key: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(16 << 10).expect("a small buffer");
    let address = server.url.trim_start_matches("http://").parse().expect("an address");
    let mut stream = socket.connect(address).await.expect("a connection");
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("the request is sent");
    stream
}

/// However busy the machine is.
async fn begins(stream: &mut TcpStream) {
    let first = tokio::time::timeout(Duration::from_secs(30), stream.readable()).await;
    first.expect("no answer has begun").expect("a connection");
}

/// Bytes that arrive until so many have, or none does for a second.
async fn arrived(stream: &mut TcpStream, most: usize) -> usize {
    let (mut all, mut piece) = (0, vec![0; 64 << 10]);
    while all < most {
        match tokio::time::timeout(Duration::from_secs(1), stream.read(&mut piece)).await {
            Ok(Ok(read)) if read > 0 => all += read,
            _ => break,
        }
    }
    all
}

/// What a poll of another connection comes to, its failure included.
async fn poll(url: String, path: String, key: String) -> String {
    let sent = reqwest::Client::new().get(format!("{url}{path}")).bearer_auth(key).send().await;
    match sent {
        Ok(answer) => answer.text().await.unwrap_or_else(|error| error.to_string()),
        Err(error) => error.to_string(),
    }
}
