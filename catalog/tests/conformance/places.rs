//! Of the store's connections each asker holds no more than its places, and what many ask together holds one.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use changtong_catalog::conformance;
use changtong_catalog::ids::KeyId;
use changtong_catalog::ports::Directory as _;
use changtong_catalog::store::{Asker, Places, Store, asked_by, asked_now_by, carried};

use super::fixture;

/// An account's places, then its agency's.
struct Caller([Places; 2]);

impl Asker for Caller {
    fn places(&self) -> &[Places] {
        &self.0
    }
}

fn account(most: usize, agency: &Places) -> Arc<dyn Asker> {
    Arc::new(Caller([Places::new(most, "http.account_share"), agency.clone()]))
}

/// Whether it still waits after one look at it.
fn waits<T>(work: std::pin::Pin<&mut impl Future<Output = T>>) -> bool {
    work.poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

async fn nobody_holds_more_connections_than_its_places(store: &Store) {
    let (agency, other) = (Places::new(2, "http.agency_share"), Places::new(1, "http.agency_share"));
    let (first, second) = (account(1, &agency), account(2, &agency));
    let held = asked_by(first.clone(), store.read()).await.unwrap();
    // A further connection of any kind waits for the account's own place, not for one of its agency.
    let mut flood = pin!(asked_by(first.clone(), async { store.begin().await.map(drop) }));
    let mut spawned = pin!(asked_now_by(&first, || carried(store.read())));
    assert!(waits(flood.as_mut()) && waits(spawned.as_mut()));
    let beside = asked_by(second.clone(), store.read()).await.unwrap();
    // The agency holds both of its own: none is left for its second account, and everybody else has one.
    let mut third = pin!(asked_by(second, store.read()));
    assert!(waits(third.as_mut()));
    asked_by(account(1, &other), store.read()).await.unwrap();
    store.read().await.unwrap();
    drop(beside);
    drop(third.await.unwrap());
    drop(held);
    flood.await.unwrap();
    spawned.await.unwrap();
}

async fn who_waits_in_vain_is_told_which_share_is_full(store: &Store) {
    let caller = account(1, &Places::new(3, "http.agency_share"));
    let _held = asked_by(caller.clone(), store.read()).await.unwrap();
    let refusal = asked_by(caller, store.read()).await.unwrap_err();
    assert_eq!(refusal.code, changtong_catalog::error::Code::StoreUnavailable);
    assert_eq!((&refusal.extra["limit"], &refusal.extra["value"]), (&"http.account_share".into(), &1.into()));
    assert!(refusal.code.retryable() && refusal.retry_after.is_some());
}

async fn keys_are_asked_for_in_company_whoever_asks(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let known = fixture::member(&mut tx, 1, "91370100MA3C00001X", "one").await;
    tx.finish().await.unwrap();
    // Whoever asks for all is not held up by its own places: others wait for its answer.
    let full = Places::new(1, "http.agency_share");
    let caller = account(1, &full);
    let _held = asked_by(caller.clone(), store.read()).await.unwrap();
    let ids = (0..600).map(|number| KeyId(format!("none{number}\0")));
    let ids: Vec<KeyId> = ids.chain((0..600).map(|number| KeyId(format!("none{number}")))).collect();
    let asked: Vec<_> = ids
        .into_iter()
        .chain([known.key.clone()])
        .map(|id| {
            let (store, caller) = (store.clone(), caller.clone());
            tokio::spawn(asked_by(caller, async move { (store.key(&id).await.unwrap(), id) }))
        })
        .collect();
    for answer in asked {
        let (found, id) = answer.await.unwrap();
        assert_eq!(found.map(|record| record.id), Some(id).filter(|id| *id == known.key));
    }
}

conformance!(
    nobody_holds_more_connections_than_its_places,
    who_waits_in_vain_is_told_which_share_is_full,
    keys_are_asked_for_in_company_whoever_asks,
);
