//! Accepts connections and speaks HTTP/1.1 on them: a bounded number at once and of each address, a bounded time for a
//! head, and on shutdown each finishes the answer it is in.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use changtong_catalog::error::Refusal;
use changtong_connectors::gate::Alive;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::frame::Peer;
use super::leaving::Guarded;
use super::shares::{Share, Shares};
use super::slow::Slow;
use crate::telemetry::HttpMetrics;

/// Connections that are told at once that their address has too many; more than these are closed without a word.
const TURNED_AWAY: usize = 32;
/// How long the head of such a connection may take.
const TURNED_AWAY_WITHIN: Duration = Duration::from_secs(1);

/// What connections may cost.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    pub connections: usize,
    pub head_within: Duration,
    /// The largest head that hyper reads; the frame refuses smaller ones by name.
    pub head: usize,
}

/// What is served, and to whom.
pub struct Doors {
    pub router: Router,
    pub limits: ConnectionLimits,
    pub slow: Slow,
    /// Whose share each address holds; `None` where callers are the operator's own.
    pub crowd: Option<Crowd>,
    /// Whose lease must stand for a byte to leave; `None` where a server that lost it is asked how it is.
    pub alive: Option<Alive>,
}

/// No address holds more than its share of the connections.
pub struct Crowd {
    pub shares: Shares,
    /// Whose connections are those of many.
    pub proxies: Vec<IpAddr>,
    /// What an address beyond its share is answered.
    pub turning_away: Router,
    /// Where it is counted what became of connections.
    pub metrics: HttpMetrics,
}

impl Crowd {
    /// What a connection of that address holds; an error where it has its share already.
    fn admit(&self, address: IpAddr) -> Result<Option<Share>, Refusal> {
        if self.proxies.contains(&address) {
            return Ok(None);
        }
        self.shares.of_address(address).map(Some)
    }

    fn count(&self, outcome: &str) {
        self.metrics.connections.with_label_values(&[outcome]).inc();
    }
}

/// A listener that runs until it is stopped.
#[derive(Debug)]
pub struct Serving {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Serving {
    /// No further connection is taken; those that are open end with the answer they are in.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits until every connection has ended.
    pub async fn ended(&self) {
        self.tasks.wait().await;
    }
}

/// Serves on the listener in the background.
#[must_use]
pub fn serve(listener: TcpListener, doors: Doors) -> Serving {
    let serving = Serving { stop: CancellationToken::new(), tasks: TaskTracker::new() };
    let (stop, tasks) = (serving.stop.clone(), serving.tasks.clone());
    serving.tasks.spawn(async move {
        accept(listener, doors, &stop, &tasks).await;
        tasks.close();
    });
    serving
}

async fn accept(listener: TcpListener, doors: Doors, stop: &CancellationToken, tasks: &TaskTracker) {
    let Doors { router, limits, slow, crowd, alive } = doors;
    let patient = Arc::new(builder(limits));
    let short = Arc::new(builder(ConnectionLimits { head_within: TURNED_AWAY_WITHIN, ..limits }));
    let free = Arc::new(Semaphore::new(limits.connections));
    let turned_away = Arc::new(Semaphore::new(TURNED_AWAY));
    loop {
        let next = async {
            let permit = free.clone().acquire_owned().await.ok()?;
            Some((permit, listener.accept().await))
        };
        let (permit, accepted) = tokio::select! {
            () = stop.cancelled() => return,
            next = next => match next {
                Some(next) => next,
                None => return,
            },
        };
        match accepted {
            Ok((stream, peer)) => {
                let (held, builder, router) = match &crowd {
                    None => ((permit, None), patient.clone(), router.clone()),
                    Some(crowd) => match (crowd.admit(peer.ip()), turned_away.clone().try_acquire_owned()) {
                        (Ok(share), _) => {
                            crowd.count("served");
                            ((permit, share), patient.clone(), router.clone())
                        }
                        (Err(_), Ok(turn)) => {
                            crowd.count("turned_away");
                            ((turn, None), short.clone(), crowd.turning_away.clone())
                        }
                        (Err(_), Err(_)) => {
                            crowd.count("closed");
                            continue;
                        }
                    },
                };
                let stop = stop.clone();
                let (slow, alive) = (slow.clone(), alive.clone());
                tasks.spawn(async move {
                    connection((stream, peer), &builder, router, slow, alive, &stop).await;
                    drop(held);
                });
            }
            // Out of file descriptors, mostly: without a pause this would spin.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// HTTP/1.1 alone: a connection that could still become either version may stay silent without a limit.
fn builder(limits: ConnectionLimits) -> Builder {
    let mut builder = Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_within)
        .max_buf_size(limits.head.max(64 << 10));
    builder
}

async fn connection(
    (stream, peer): (TcpStream, SocketAddr),
    builder: &Builder,
    router: Router,
    slow: Slow,
    alive: Option<Alive>,
    stop: &CancellationToken,
) {
    // Small answers should not wait for company.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let stream = Guarded::new(slow.watch(stream, peer), alive);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer.ip()));
        router.clone().oneshot(request)
    });
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // A reader that went, or a delivery that was ended: both are counted where they are known.
        tracing::debug!(%error, "a connection ended");
    }
}
