//! The real application on ephemeral ports, on both pairs of engines, and what tests ask of it.

mod access_table;
mod app;
pub mod certificates;
mod checks;
mod client;
mod cursor;
mod events;
mod others;
mod road;
mod tls;
mod world;

pub use access_table::{AccessTable, BAD_KEY, Row};
pub use app::{Pair, TestApp, engine, kafka, prefix, production};
pub use client::{Client, Reply};
pub use cursor::{offsets_of, place_of};
pub use events::{Event, Events};
pub use others::Others;
pub use road::{Road, Turn};
pub use tls::TlsProxy;
pub use world::{RESOURCE, Shared, World, credit_code, number, request_file, resource_file};

/// Stamps each `async fn case(app: &TestApp)` as a test on both pairs of engines.
macro_rules! on_both_pairs {
    ($($case:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::support::run($crate::support::Pair::Embedded, super::$case).await;
            })*
        }
        mod production {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::support::run($crate::support::Pair::Production, super::$case).await;
            })*
        }
    };
}
pub(crate) use on_both_pairs;

/// Runs a case on a fresh application, then checks that events and visible records agree.
pub async fn run(pair: Pair, case: impl AsyncFn(&TestApp)) {
    if let Some(app) = TestApp::start(pair, &[]).await {
        case(&app).await;
        app.stop().await;
    }
}

/// Until it comes to that; what was seen last is told when it does not.
pub async fn wait(check: impl AsyncFn() -> Result<(), String>) {
    let mut seen = String::new();
    for _ in 0..600 {
        match check().await {
            Ok(()) => return,
            Err(other) => seen = other,
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("it did not come to that: {seen}");
}
