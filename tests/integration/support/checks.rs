//! What an application must not leave behind: open windows, events that disagree with what is stored.

use std::sync::Arc;

use changtong::clock::SystemIds;
use changtong_catalog::clock::{Clock, ManualClock};
use changtong_catalog::ports::Ledger as _;
use changtong_catalog::store::{Store, StoreLedger};

/// Everything that is wrong, in words.
pub async fn complaints(store: &Store) -> Vec<String> {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(store.now().await.expect("the time")));
    // Every window is older than the last of all epochs.
    let ledger = StoreLedger::new(store.clone(), clock, Arc::new(SystemIds), i64::MAX);
    let open = ledger.left_open().await.expect("open windows");
    let mut found: Vec<String> =
        open.iter().map(|left| format!("window {} was left open", left.window)).collect();
    let reconciled = store.reconcile(&Default::default()).await.expect("a comparison");
    let differs = reconciled.differences.iter();
    found.extend(differs.map(|d| format!("{}: {}: {}", d.mismatch, d.object, d.detail)));
    found
}
