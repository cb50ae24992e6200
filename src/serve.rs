//! A server from its first byte to its last: listeners, jobs, and the stop that loses nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use changtong_catalog::clock::Clock as _;
use changtong_catalog::error::Code;
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::task::TaskTracker;

use crate::app::{App, StartError};
use crate::http;
use crate::http::listener::{ConnectionLimits, Crowd, Doors, Serving, serve};
use crate::http::slow::Slow;
use crate::jobs;

/// Why a server ended that nobody asked to stop.
#[derive(Debug, thiserror::Error)]
pub enum Fallen {
    #[error(
        "本服务器失去了数据库的租约,已停止供数并退出\nthis server lost its lease on the database: it let nothing more out and \
         ended"
    )]
    Lease,
    #[error(
        "后台任务 {0} 意外中断,本服务器已退出;请将日志交给开发者,重新启动即可继续\nthe background task {0} broke off, so this server \
         ended; report it with the log, a new start goes on"
    )]
    Task(&'static str),
}

impl Fallen {
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Lease => Code::AnotherServerActive,
            Self::Task(_) => Code::Internal,
        }
    }
}

/// A server whose listeners are open.
pub struct Server {
    pub app: Arc<App>,
    /// The address of the API, with the port the system chose if none was set.
    pub api: SocketAddr,
    /// The Schema Registry's.
    pub registry: SocketAddr,
    pub operations: SocketAddr,
    serving: [Serving; 3],
    jobs: TaskTracker,
}

impl Server {
    /// Opens the listeners and starts the jobs.
    pub async fn start(app: Arc<App>) -> Result<Self, StartError> {
        let api = bind(app.settings.http.listen)?;
        let registry = bind(app.settings.registry.listen)?;
        let operations = bind(app.settings.operations.listen)?;
        let (api_address, registry_address) = (address(&api)?, address(&registry)?);
        let operations_address = address(&operations)?;
        let limits = ConnectionLimits {
            connections: app.settings.http.connections,
            head_within: app.settings.http.header_timeout,
            head: 4 * app.settings.http.headers.0.max(app.settings.http.uri.0),
        };
        let few = ConnectionLimits { connections: 32, ..limits };
        let slow = Slow::new(app.settings.http.write_timeout, app.metrics.http.clone());
        let crowd = |turning_away| Crowd {
            shares: app.shares.clone(),
            proxies: app.settings.http.trusted_proxies.clone(),
            turning_away,
            metrics: app.metrics.http.clone(),
        };
        let doors = |router, limits, crowd, alive| Doors { router, limits, slow: slow.clone(), crowd, alive };
        let crowds = [http::turning_away(app.clone()), http::registry::turning_away(app.clone())].map(crowd);
        let [of_api, of_registry] = crowds.map(Some);
        let alive = Some(app.alive.clone());
        let serving = [
            serve(api, doors(http::router(app.clone()), limits, of_api, alive.clone())),
            serve(registry, doors(http::registry::router(app.clone()), limits, of_registry, alive)),
            serve(operations, doors(http::operations_router(app.clone()), few, None, None)),
        ];
        let jobs = jobs::start(&app);
        tracing::info!(
            api = %api_address, registry = %registry_address, operations = %operations_address, store = app.store.engine(),
            log = app.log.engine(), dev = app.settings.dev, "serving"
        );
        Ok(Self {
            app,
            api: api_address,
            registry: registry_address,
            operations: operations_address,
            serving,
            jobs,
        })
    }

    /// Serves until a signal, the loss of the lease or of a task that nothing goes on without, then stops.
    pub async fn run(self) -> Result<(), Fallen> {
        tokio::select! {
            () = asked_to_stop() => tracing::info!("stopping"),
            () = self.app.stop.cancelled() => {}
        }
        if self.app.alive.check().is_ok() {
            let app = self.app.clone();
            self.stop().await;
            return app.background.ended().map_or(Ok(()), |name| Err(Fallen::Task(name)));
        }
        // Nothing leaves any more, and the database may never answer again.
        if tokio::time::timeout(LOST, self.stop()).await.is_err() {
            tracing::warn!("what still waited for the database or the log is left as it is");
        }
        Err(Fallen::Lease)
    }

    /// Takes nothing new, lets what is in flight end (within `http.drain`), and gives the database back.
    pub async fn stop(self) {
        let Self { app, serving: [api, registry, operations], jobs, .. } = self;
        let deadline = app.settings.http.drain;
        app.stop.cancel();
        api.stop();
        registry.stop();
        app.gate.drain(deadline).await;
        if tokio::time::timeout(deadline, async { tokio::join!(api.ended(), registry.ended()) })
            .await
            .is_err()
        {
            tracing::warn!("connections were still open at the end of http.drain");
        }
        operations.stop();
        app.done.cancel();
        if tokio::time::timeout(LAST, jobs.wait()).await.is_err() {
            tracing::warn!(
                "what runs in the background has not ended in time; it counts as if the process had died"
            );
        }
        for (what, result) in [
            ("key uses", app.uses.write(&app.store).await),
            ("refusals", app.refusals.write(&app.store, app.clock.now(), &*app.ids).await),
        ] {
            if let Err(refusal) = result {
                tracing::warn!(what, code = %refusal.code, "could not be written at the end");
            }
        }
        app.log.close(Duration::from_secs(10)).await;
        let lease = *app.lease.lock();
        if app.alive.check().is_ok()
            && let Err(refusal) = app.store.release_server(lease, app.clock.now(), &*app.ids).await
        {
            tracing::warn!(code = %refusal.code, "the lease could not be released; it runs out by itself");
        }
        app.alive.lose();
        app.store.close().await;
        tracing::info!("stopped");
    }
}

/// How long what runs in the background may take to its end.
const LAST: Duration = Duration::from_secs(15);

/// How long a server that lost its lease waits for what it has begun.
const LOST: Duration = Duration::from_secs(5);

/// Connections that wait to be taken. Of more the system loses some on the way, and who made them waits for ever.
const WAITING: u32 = 4096;

pub(crate) fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // As after a restart, while connections of before are still remembered.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(WAITING)
    };
    listen().map_err(|error| StartError::Listen { address: address.to_string(), error })
}

pub(crate) fn address(listener: &TcpListener) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|error| StartError::Listen { address: "listener".to_owned(), error })
}

/// SIGTERM or SIGINT.
pub(crate) async fn asked_to_stop() {
    let term = signal(SignalKind::terminate());
    let int = signal(SignalKind::interrupt());
    match (term, int) {
        (Ok(mut term), Ok(mut int)) => {
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
        }
        (Err(error), _) | (_, Err(error)) => {
            tracing::error!(%error, "signals cannot be received; stopping now");
        }
    }
}
