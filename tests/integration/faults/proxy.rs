//! A TCP proxy before an engine that can cut every connection, or fall silent as a machine that is overloaded does.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Open,
    /// Connections are taken and kept, nothing passes.
    Silent,
    /// What is asked passes, no answer does.
    Mute,
    /// Connections are cut, new ones too.
    Closed,
}

pub struct Proxy {
    pub address: String,
    mode: Arc<watch::Sender<Mode>>,
    /// Something was sent while it is silent.
    holds: Arc<watch::Sender<bool>>,
}

impl Proxy {
    pub async fn before(upstream: String) -> Self {
        Self::at("127.0.0.1:0", upstream).await
    }

    /// At an address that whoever calls knows from before.
    pub async fn at(address: &str, upstream: String) -> Self {
        let listener = TcpListener::bind(address).await.expect("a port");
        let address = listener.local_addr().expect("its address").to_string();
        let mode = Arc::new(watch::channel(Mode::Open).0);
        let holds = Arc::new(watch::channel(false).0);
        let (seen, held) = (mode.clone(), holds.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let mut mode = seen.subscribe();
                if *mode.borrow_and_update() == Mode::Closed {
                    continue;
                }
                let (upstream, held) = (upstream.clone(), held.clone());
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(&upstream).await else { return };
                    let (from_client, to_client) = client.into_split();
                    let (from_server, to_server) = server.into_split();
                    let mut cut = mode.clone();
                    tokio::select! {
                        () = pass(from_client, to_server, mode.clone(), &[Mode::Silent], &held) => {}
                        () = pass(from_server, to_client, mode, &[Mode::Silent, Mode::Mute], &held) => {}
                        _ = cut.wait_for(|mode| *mode == Mode::Closed) => {}
                    }
                });
            }
        });
        Self { address, mode, holds }
    }

    /// The same address of a PostgreSQL, by way of a proxy.
    pub async fn before_database(url: &str) -> (Self, String) {
        let (user, place) = url.split_once('@').expect("a user");
        let (upstream, name) = place.split_once('/').expect("a database");
        let proxy = Self::before(upstream.to_owned()).await;
        let url = format!("{user}@{}/{name}", proxy.address);
        (proxy, url)
    }

    pub fn close(&self) {
        self.mode.send_replace(Mode::Closed);
    }

    pub fn fall_silent(&self) {
        self.holds.send_replace(false);
        self.mode.send_replace(Mode::Silent);
    }

    /// Answers are held back; what is closed then loses them.
    pub fn fall_mute(&self) {
        self.holds.send_replace(false);
        self.mode.send_replace(Mode::Mute);
    }

    /// Waits until somebody has sent what the silence holds back.
    pub async fn holds_something(&self) {
        self.holds.subscribe().wait_for(|holds| *holds).await.expect("it is there as long as this");
    }

    pub fn reopen(&self) {
        self.mode.send_replace(Mode::Open);
    }
}

/// Passes bytes on, but none while it is held back.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut mode: watch::Receiver<Mode>,
    held_back: &[Mode],
    holds: &watch::Sender<bool>,
) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if held_back.contains(&mode.borrow()) {
            holds.send_replace(true);
        }
        if mode.wait_for(|mode| !held_back.contains(mode)).await.is_err() {
            return;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
