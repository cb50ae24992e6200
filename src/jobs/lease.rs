//! Holds the database for this server (protocol.md 10). A server whose lease is over lets no further byte out and ends.

use std::sync::Arc;

use changtong_catalog::clock::Clock as _;
use changtong_catalog::error::Code;
use changtong_catalog::store::{LEASE, RENEW};

use crate::app::App;

pub async fn hold(app: Arc<App>) {
    let mut ticks = tokio::time::interval(RENEW);
    loop {
        tokio::select! {
            // Held while the stop still lets answers finish; released behind it.
            () = app.done.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let before = app.clock.monotonic();
        let lease = *app.lease.lock();
        match app.store.renew_server(lease, app.clock.now()).await {
            Ok(renewed) => {
                *app.lease.lock() = renewed;
                app.alive.extend(before + LEASE);
            }
            Err(refusal) if refusal.code == Code::AnotherServerActive => {
                app.alive.lose();
                tracing::error!("another server has taken the database; this one ends");
                app.stop.cancel();
                return;
            }
            Err(refusal) => {
                tracing::warn!(code = %refusal.code, "the lease could not be renewed");
                if app.alive.check().is_err() {
                    tracing::error!("the lease has run out without the database answering; this server ends");
                    app.stop.cancel();
                    return;
                }
            }
        }
    }
}
