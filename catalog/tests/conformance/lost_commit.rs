//! A COMMIT whose answer is lost: the store says that it does not know, never that nothing happened (PostgreSQL; SQLite
//! has no wire that could lose it).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use changtong_catalog::error::Code;
use changtong_catalog::ports::CommitError;
use changtong_catalog::store::{Store, StoreConfig, testing};

use super::fixture;

/// What the proxy does with a COMMIT.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    /// It arrives, its answer does not.
    AnswerLost,
    /// It never arrives.
    NotDelivered,
    /// The connection goes before the transaction's last statement.
    GoneBefore,
}

const COMMIT: &[u8] = b"COMMIT\0";

/// Stands between store and server; once armed, it cuts the connection at the next COMMIT as told.
async fn proxy(server: String, fate: Fate, armed: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&server).await.unwrap();
            tokio::spawn(pass(client, server, fate, armed.clone()));
        }
    });
    port
}

async fn pass(client: TcpStream, server: TcpStream, fate: Fate, armed: Arc<AtomicBool>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let back = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut buffer = vec![0; 65_536];
    while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
        let sent = &buffer[..read];
        let commits = sent.windows(COMMIT.len()).any(|window| window == COMMIT);
        if armed.load(Ordering::SeqCst) && (commits || fate == Fate::GoneBefore) {
            back.abort();
            let _ended = back.await;
            if fate == Fate::AnswerLost {
                to_server.write_all(sent).await.unwrap();
                // The server reads what was sent before it notices that nobody listens.
                to_server.shutdown().await.unwrap();
            }
            return;
        }
        to_server.write_all(sent).await.unwrap();
    }
    back.abort();
}

/// How a commit through the proxy ends, and whether its row stands once the server has let go of it.
async fn commit_with(fate: Fate) -> Option<(CommitError, bool)> {
    let fresh = testing::postgres().await?;
    let (user_and_server, database) = fresh.config.url.rsplit_once('/').unwrap();
    let (user, server) = user_and_server.rsplit_once('@').unwrap();
    let armed = Arc::new(AtomicBool::new(false));
    let port = proxy(server.to_owned(), fate, armed.clone()).await;
    let url = format!("{user}@127.0.0.1:{port}/{database}");
    let through = Store::open(&StoreConfig { url, ..fresh.config.clone() }).await.unwrap();

    let mut tx = through.begin().await.unwrap();
    tx.insert_agency(&fixture::agency(1, "91370100MA3C00001X", "one")).await.unwrap();
    armed.store(true, Ordering::SeqCst);
    let lost = tx.commit().await.unwrap_err();

    // Its unique alias can be taken only when the server has decided: this waits for it.
    let mut other = fresh.store.begin().await.unwrap();
    let taken = other.insert_agency(&fixture::agency(2, "91370100MA3C00002H", "one")).await;
    drop(other);
    let stands = taken.is_err_and(|refusal| refusal.code == Code::Conflict);
    fresh.done().await;
    Some((lost, stands))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_lost_leaves_the_outcome_open() {
    let Some((lost, stands)) = commit_with(Fate::AnswerLost).await else { return };
    assert!(
        matches!(&lost, CommitError::Unknown(refusal) if refusal.code == Code::OutcomeUnknown),
        "{lost:?}"
    );
    assert!(stands, "it was committed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_does_not_arrive_leaves_the_outcome_open_too() {
    let Some((lost, stands)) = commit_with(Fate::NotDelivered).await else { return };
    assert!(
        matches!(&lost, CommitError::Unknown(refusal) if refusal.code == Code::OutcomeUnknown),
        "{lost:?}"
    );
    assert!(!stands, "nobody but the server could tell it from the other");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_lost_before_commit_is_known_to_have_done_nothing() {
    let Some((lost, stands)) = commit_with(Fate::GoneBefore).await else { return };
    assert!(
        matches!(&lost, CommitError::NotSent(refusal) if refusal.code == Code::StoreUnavailable),
        "{lost:?}"
    );
    assert!(!stands);
}
