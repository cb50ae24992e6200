//! Opening, transactions, locks, store time, migrations.

use changtong_catalog::conformance;
use changtong_catalog::store::{LockClass, Store};

async fn opens(store: &Store) {
    store.now().await.unwrap();
    let mut tx = store.begin().await.unwrap();
    tx.lock_shared(LockClass::Grant, 7).await.unwrap();
    tx.lock_exclusive(LockClass::Topic, 7).await.unwrap();
    tx.finish().await.unwrap();
}

conformance!(opens);
