//! The store gone between append and commit: a refusal that says so, and one true result for the retry.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::{TcpListener, TcpStream};

use super::deployment::{Deployment, once, reconcile};
use crate::support::Pair;

const BATCH: std::ops::Range<u32> = 100..400;

/// A TCP proxy before PostgreSQL that can cut every connection and refuse new ones.
struct Proxy {
    address: String,
    open: Arc<AtomicBool>,
    cut: Arc<tokio::sync::Notify>,
}

impl Proxy {
    async fn before(upstream: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address").to_string();
        let proxy = Self { address, open: Arc::new(AtomicBool::new(true)), cut: Arc::default() };
        let (open, cut) = (proxy.open.clone(), proxy.cut.clone());
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                if !open.load(Ordering::SeqCst) {
                    continue;
                }
                let (upstream, cut) = (upstream.clone(), cut.clone());
                tokio::spawn(async move {
                    let Ok(mut server) = TcpStream::connect(&upstream).await else { return };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                        () = cut.notified() => {}
                    }
                });
            }
        });
        proxy
    }

    fn close(&self) {
        self.open.store(false, Ordering::SeqCst);
        self.cut.notify_waiters();
    }

    fn reopen(&self) {
        self.open.store(true, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_goes_between_append_and_commit() {
    let Some(mut deployment) = Deployment::new(Pair::Production).await else { return };
    let url = deployment.database().expect("PostgreSQL").to_owned();
    let (user, place) = url.split_once('@').expect("a user");
    let (upstream, name) = place.split_once('/').expect("a database");
    let proxy = Proxy::before(upstream.to_owned()).await;
    deployment.set("CHANGTONG_DATABASE__URL", format!("{user}@{}/{name}", proxy.address));

    let server = deployment.start("node", None).await;
    let table = deployment.table(&server).await;
    server.kill().await;
    let server = deployment.start("node", Some("publish.appended=stop")).await;
    let publishing = table.publish_once(&server, "batch", BATCH);
    let losing = async {
        server.stands_still().await;
        proxy.close();
        server.signal("-CONT");
    };
    let (answer, ()) = tokio::join!(publishing, losing);
    let refusal = answer.expect_err("there is no store");
    assert!(matches!(refusal.code(), Some("store_unavailable" | "outcome_unknown")), "{refusal}");

    proxy.reopen();
    let receipt = table.publish(&server, "batch", BATCH).await.expect("the retry");
    assert_eq!(receipt["accepted"], 300);
    assert_eq!(table.visible(&server).await, once(&[BATCH]), "lost or doubled");
    server.kill().await;
    reconcile(&deployment, "node");
    deployment.done().await;
}
