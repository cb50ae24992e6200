//! A connection carries nothing more once the lease is over, not even a refusal (protocol.md 10): what it was handed before
//! rests on what another server may have changed.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Client, Reply, TestApp, World, on_both_pairs, request_file, resource_file};

on_both_pairs!(every_connection_is_held_to_the_lease);

/// A lease that is renewed between its loss and a request is lost again: so often at most.
const TRIES: usize = 5;

async fn send(stream: &mut TcpStream, app: &TestApp, key: &str, request: &str, body: &str) {
    let head = format!(
        "{request} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        app.api,
        body.len()
    );
    stream.write_all(head.as_bytes()).await.expect("the request is sent");
}

/// One answer on a connection that goes on; `None` if it ended instead.
async fn answer(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.expect("its length") {
                return Some(text);
            }
        }
        match stream.read_buf(&mut bytes).await {
            Ok(read) if read > 0 => {}
            _ => return None,
        }
    }
}

/// Whether the connection on which this was answered still answers once the lease is lost.
async fn goes_on(app: &TestApp, caller: &Client, request: &str, body: &str) -> bool {
    for _ in 0..TRIES {
        let mut stream = TcpStream::connect(app.api).await.expect("a connection");
        let key = caller.key();
        send(&mut stream, app, key, request, body).await;
        let shown = answer(&mut stream).await.expect("an answer");
        assert!(shown.starts_with("HTTP/1.1 200"), "{request}: {shown}");
        app.app().alive.lose();
        send(&mut stream, app, key, "GET /api/v1/whoami", "").await;
        let next = answer(&mut stream).await;
        while app.app().alive.check().is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        match next {
            None => return false,
            // A refusal would be a byte too many.
            Some(refused) if refused.contains("another_server_active") => return true,
            // Renewed meanwhile: it tells nothing.
            Some(_) => {}
        }
    }
    panic!("{request}: the lease was never lost")
}

async fn every_connection_is_held_to_the_lease(app: &TestApp) {
    let world = World::of(app).await;
    let code = world.entry(resource_file("conditional")).await;
    let path = format!("/api/v1/resources/{code}/records");
    let body = "{\"station\":\"S1\",\"hour\":\"late\"}\n{\"station\":\"S1\",\"hour\":1}\n";
    let publish = world.provider.integrator.request("post", &format!("{path}?on_invalid=quarantine"));
    Reply::of(publish.header("content-type", "application/x-ndjson").body(body)).await.expect(200);
    let list = format!("/api/v1/quarantine?resource={code}");
    let aside = world.provider.integrator.get(&list).await.expect(200);
    let aside = aside["items"][0]["id"].as_str().unwrap_or_else(|| panic!("{aside}"));
    let (request, _) = world.request(request_file(&code, &["station", "hour"], None)).await;

    let (integrator, reviewer) = (&world.provider.integrator, &world.provider.reviewer);
    for (caller, request, body) in [
        (integrator, format!("GET {list}"), ""),
        (integrator, format!("GET {path}"), ""),
        (integrator, format!("GET /api/v1/quarantine/{aside}"), ""),
        (reviewer, format!("POST /api/v1/requests/{request}/disclosure"), "{}"),
    ] {
        assert!(!goes_on(app, caller, &request, body).await, "{request}");
    }
}
