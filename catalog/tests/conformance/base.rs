//! Opening, store time, migrations.

use changtong_catalog::conformance;
use changtong_catalog::error::Code;
use changtong_catalog::store::{Store, StoreConfig, testing};

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

async fn refused(url: &str) -> changtong_catalog::error::Refusal {
    let config = StoreConfig { url: url.to_owned(), password: None, connections: 2 };
    match Store::open(&config).await {
        Ok(_) => panic!("{url} opened"),
        Err(refusal) => refusal,
    }
}

#[tokio::test]
async fn what_cannot_be_opened_says_where_and_why() {
    let no_folder = refused("sqlite:/nowhere/at/all/store.db").await;
    assert_eq!(no_folder.code, Code::StoreUnavailable);
    assert!(no_folder.text.en.contains("/nowhere/at/all/store.db"), "{no_folder}");
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = refused(&format!("postgres://changtong@127.0.0.1:{port}/changtong")).await;
    assert_eq!(nobody.code, Code::StoreUnavailable);
    assert!(nobody.text.en.contains(&port.to_string()), "{nobody}");
    assert_eq!(refused("mysql://x").await.code, Code::Invalid);
}
