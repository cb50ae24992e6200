//! Two writers at once: one wins, the other learns it, nothing is given twice.

use changtong_catalog::conformance;
use changtong_catalog::error::Code;
use changtong_catalog::store::{LockClass, Store};

use super::fixture::{self, at};

async fn two_creators_of_one_alias(store: &Store) {
    let create = async |number: u128, code: &str| {
        let mut tx = store.begin().await?;
        tx.insert_agency(&fixture::agency(number, code, "same")).await?;
        tx.finish().await
    };
    let (one, two) = tokio::join!(create(1, "91370100MA3C00001X"), create(2, "91370100MA3C00002H"));
    let (won, lost) = if one.is_ok() { (one, two) } else { (two, one) };
    assert_eq!(won, Ok(()));
    assert_eq!(lost.unwrap_err().code, Code::Conflict);
}

async fn numbers_are_given_once(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let provider = fixture::member(&mut tx, 1, "91370100MA3C00001X", "one").await;
    tx.finish().await.unwrap();
    let tasks = (0..8).map(|_| {
        let (store, provider) = (store.clone(), provider.clone());
        tokio::spawn(async move {
            let mut tx = store.begin().await.unwrap();
            let draft = fixture::draft(&mut tx, &provider, "3070220601", "并发").await;
            tx.finish().await.unwrap();
            (draft.number.0, draft.code.sequence())
        })
    });
    let mut given = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        given.push(task.await.unwrap());
    }
    given.sort_unstable();
    assert_eq!(given, (1..=8).map(|number| (number, number)).collect::<Vec<_>>());
}

async fn one_text_gets_one_schema_id(store: &Store) {
    let register = async || {
        let mut tx = store.begin().await.unwrap();
        let schema = tx.register_schema("\"string\"", at(0)).await.unwrap();
        tx.finish().await.unwrap();
        schema.id
    };
    let (one, two) = tokio::join!(register(), register());
    assert_eq!(one, two);
}

/// The second to change a row sees what the first made of it.
async fn a_row_to_change_is_held(store: &Store) {
    let made = fixture::catalog(store).await;
    let change = async || {
        let mut tx = store.begin().await.unwrap();
        let mut grant = tx.grant_to_change(made.grant.id).await.unwrap().unwrap();
        grant.version += 1;
        tx.update_grant(&grant).await.unwrap();
        tx.finish().await.unwrap();
        grant.version
    };
    let (one, two) = tokio::join!(change(), change());
    assert_eq!((one.min(two), one.max(two)), (2, 3));
}

async fn an_exclusive_lock_waits_for_sharers(store: &Store) {
    let mut sharer = store.begin().await.unwrap();
    sharer.lock_shared(LockClass::Topic, 1).await.unwrap();
    let ender = {
        let store = store.clone();
        tokio::spawn(async move {
            let mut tx = store.begin().await.unwrap();
            tx.lock_exclusive(LockClass::Topic, 1).await.unwrap();
            tx.insert_agency(&fixture::agency(2, "91370100MA3C00002H", "second")).await.unwrap();
            tx.finish().await.unwrap();
        })
    };
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    assert!(!ender.is_finished());
    sharer.insert_agency(&fixture::agency(1, "91370100MA3C00001X", "first")).await.unwrap();
    sharer.finish().await.unwrap();
    ender.await.unwrap();
    assert_eq!(store.agencies(None, 10).await.unwrap().items.len(), 2);
}

conformance!(
    two_creators_of_one_alias,
    numbers_are_given_once,
    one_text_gets_one_schema_id,
    a_row_to_change_is_held,
    an_exclusive_lock_waits_for_sharers,
);
