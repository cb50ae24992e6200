//! Accepts connections and speaks HTTP/1.1 on them: a bounded number at once, a bounded time for a head, and on shutdown
//! each finishes the answer it is in.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
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

/// What connections may cost.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    pub connections: usize,
    pub head_within: Duration,
    /// The largest head that hyper reads; the frame refuses smaller ones by name.
    pub head: usize,
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

/// Serves the router on the listener in the background.
#[must_use]
pub fn serve(listener: TcpListener, router: Router, limits: ConnectionLimits) -> Serving {
    let serving = Serving { stop: CancellationToken::new(), tasks: TaskTracker::new() };
    let (stop, tasks) = (serving.stop.clone(), serving.tasks.clone());
    serving.tasks.spawn(async move {
        accept(listener, router, limits, &stop, &tasks).await;
        tasks.close();
    });
    serving
}

async fn accept(
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) {
    let builder = Arc::new(builder(limits));
    let free = Arc::new(Semaphore::new(limits.connections));
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
            Ok((stream, _)) => {
                let (builder, router, stop) = (builder.clone(), router.clone(), stop.clone());
                tasks.spawn(async move {
                    connection(stream, &builder, router, &stop).await;
                    drop(permit);
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

async fn connection(stream: TcpStream, builder: &Builder, router: Router, stop: &CancellationToken) {
    let Ok(peer) = stream.peer_addr() else { return };
    // Small answers should not wait for company.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
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
