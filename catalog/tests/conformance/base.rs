//! Opening, store time, migrations.

use changtong_catalog::conformance;
use changtong_catalog::store::{Store, testing};

async fn store_time_passes(store: &Store) {
    let (one, two) = (store.now().await.unwrap(), store.now().await.unwrap());
    assert!(one <= two);
    assert_eq!(one.timestamp_subsec_nanos() % 1000, 0);
}

conformance!(store_time_passes);

async fn opens_twice(fresh: testing::Fresh) {
    // Two servers that start at once on one database take turns with the migrations.
    let (one, two) = tokio::join!(Store::open(&fresh.config), Store::open(&fresh.config));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.engine(), fresh.store.engine());
    one.close().await;
    two.close().await;
    fresh.done().await;
}

#[tokio::test]
async fn a_store_of_today_opens_again_in_sqlite() {
    opens_twice(testing::sqlite().await).await;
}

#[tokio::test]
async fn a_store_of_today_opens_again_in_postgres() {
    if let Some(fresh) = testing::postgres().await {
        opens_twice(fresh).await;
    }
}
