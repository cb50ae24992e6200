//! A road to the server on which things happen: a proxy of one request a connection that does what it was told to with
//! the next request of a kind, and passes every other on.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub enum Turn {
    /// 503, which passes; the server hears nothing.
    Refuse,
    /// 429, with the second after which to come back.
    SlowDown,
    /// The server does what is asked, and nobody hears of it.
    LoseAnswer,
    /// 410 of that code, with a cursor to begin anew at.
    Gone(&'static str, String),
}

type Script = Arc<Mutex<VecDeque<(&'static str, Turn)>>>;

pub struct Road {
    address: SocketAddr,
    script: Script,
}

impl Road {
    pub async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let road = Self { address: listener.local_addr().expect("its address"), script: Script::default() };
        let script = road.script.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(travel(client, server, script.clone()));
            }
        });
        road
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next request whose first line holds that text meets this.
    pub fn expect(&self, request: &'static str, turn: Turn) {
        self.script.lock().expect("the script").push_back((request, turn));
    }

    /// What did not happen yet.
    pub fn left(&self) -> usize {
        self.script.lock().expect("the script").len()
    }
}

async fn travel(mut client: TcpStream, server: SocketAddr, script: Script) -> Option<()> {
    let mut request = Vec::new();
    let head = loop {
        if let Some(at) = request.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if client.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
    };
    let first = String::from_utf8_lossy(&request[..head]).lines().next().unwrap_or_default().to_owned();
    match next(&script, &first) {
        Some(Turn::Refuse) => {
            let problem = "{\"code\":\"store_unavailable\",\"status\":503,\"retryable\":true}";
            answer(&mut client, "503 Service Unavailable\r\nRetry-After: 1", problem).await
        }
        Some(Turn::SlowDown) => {
            let problem = "{\"code\":\"rate_limited\",\"status\":429,\"retryable\":true}";
            answer(&mut client, "429 Too Many Requests\r\nRetry-After: 1", problem).await
        }
        Some(Turn::Gone(code, next)) => {
            let problem =
                format!("{{\"code\":\"{code}\",\"status\":410,\"retryable\":false,\"next\":\"{next}\"}}");
            answer(&mut client, "410 Gone", &problem).await
        }
        turn => {
            let mut upstream = TcpStream::connect(server).await.ok()?;
            // One request a connection: the next one is met here again.
            upstream.write_all(&request[..head]).await.ok()?;
            upstream.write_all(b"\r\nConnection: close").await.ok()?;
            upstream.write_all(&request[head..]).await.ok()?;
            if turn.is_none() {
                tokio::io::copy_bidirectional(&mut client, &mut upstream).await.ok()?;
                return Some(());
            }
            let (mut from_client, _) = client.split();
            let (mut from_server, mut to_server) = upstream.split();
            let mut byte = [0];
            tokio::select! {
                _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
                // It was answered, so it was done.
                _ = from_server.read(&mut byte) => {}
            }
            None
        }
    }
}

fn next(script: &Script, first: &str) -> Option<Turn> {
    let mut script = script.lock().expect("the script");
    let at = script.front().filter(|(request, _)| first.contains(request));
    at?;
    script.pop_front().map(|(_, turn)| turn)
}

async fn answer(client: &mut TcpStream, status: &str, body: &str) -> Option<()> {
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/problem+json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    );
    // A body that is still on its way must not meet a closed connection: the answer would be lost with it.
    client.write_all(text.as_bytes()).await.ok()?;
    client.shutdown().await.ok()?;
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.ok()?;
    Some(())
}
