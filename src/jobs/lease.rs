//! Holds the database for this server (protocol.md 10). A server whose lease is over lets no further byte out and ends.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use changtong_catalog::clock::Clock as _;
use changtong_catalog::error::Code;
use changtong_catalog::store::{LEASE, Lease, RENEW, Store};
use changtong_connectors::gate::Alive;
use parking_lot::Mutex;

use crate::app::App;
use crate::clock::StoreClock;

/// Renews while a start takes its time. What fails is tried again; a lease that runs out ends the start by itself.
pub async fn keep(
    store: &Store,
    clock: &StoreClock,
    alive: &Alive,
    lease: &Mutex<Lease>,
    every: Duration,
) -> Infallible {
    loop {
        tokio::time::sleep(every).await;
        let before = clock.monotonic();
        let held = *lease.lock();
        if let Ok(renewed) = store.renew_server(held, clock.now()).await {
            *lease.lock() = renewed;
            alive.extend(before + LEASE);
        }
    }
}

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

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use changtong_catalog::audit::Build;
    use changtong_catalog::clock::SeededIds;
    use changtong_catalog::store::testing::sqlite;
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn a_long_start_keeps_its_lease() {
        let fresh = sqlite().await;
        let clock = Arc::new(StoreClock::start(fresh.store.now().await.unwrap(), Instant::now()));
        let alive = Alive::new(clock.clone());
        let (node, ids) = (Uuid::from_u128(1), SeededIds::new(1));
        let taken = fresh.store.take_server(node, Build("test"), clock.now(), &ids).await.unwrap();
        let lease = Mutex::new(taken);
        let starting = async {
            while lease.lock().until == taken.until {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = starting => {}
            never = keep(&fresh.store, &clock, &alive, &lease, Duration::from_millis(5)) => match never {},
        }
        alive.check().unwrap();
        fresh.done().await;
    }
}
