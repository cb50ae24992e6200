//! Every kind of disagreement is found, and only that.

use chrono::{DateTime, NaiveDate};
use sqlx::query;
use uuid::Uuid;

use super::{FirstKept, Mismatch};
use crate::audit::{Actor, Batch, DeliverOpened, Digest, Event, GrantResumed, Published, What};
use crate::clock::Time;
use crate::conformance;
use crate::ids::{
    AccountId, AgencyId, BatchId, EventId, Generation, GrantId, KeyId, ResourceNumber, SchemaId,
    SubscriptionId, WindowId,
};
use crate::store::dispatch::rows;
use crate::store::visibility::NewRun;
use crate::store::windows::{NewWindow, OpenWindow};
use crate::store::{Store, Tx};
use crate::visibility::{Run, Verdict};

const RESOURCE: ResourceNumber = ResourceNumber(7);
const GENERATION: Generation = Generation(1);

fn at() -> Time {
    DateTime::from_timestamp(1_772_352_000, 0).unwrap()
}

fn event(id: u128, what: impl Into<What>) -> Event {
    Event::new(EventId(Uuid::from_u128(id)), at(), Actor::Server, what)
}

fn published(first: i64, last: i64) -> Published {
    let batch = Batch {
        id: BatchId(Uuid::from_u128(1)),
        runs: vec![Run { partition: 0, first, last }],
        n: last - first + 1,
    };
    Published {
        resource: RESOURCE,
        generation: GENERATION,
        schema: SchemaId(1),
        fingerprint: Digest::of(b""),
        batches: vec![batch],
        policy: 1,
    }
}

async fn write(store: &Store, runs: &[(i64, i64, Verdict)], events: &[Event]) {
    let mut tx = store.begin().await.unwrap();
    tx.first_marks((RESOURCE, GENERATION), 1).await.unwrap();
    let new = |(first, last, verdict): &(i64, i64, Verdict)| -> NewRun {
        ((RESOURCE, GENERATION), Run { partition: 0, first: *first, last: *last }, *verdict)
    };
    tx.insert_runs(&runs.iter().map(new).collect::<Vec<_>>()).await.unwrap();
    tx.record_all(events).await.unwrap();
    tx.finish().await.unwrap();
}

async fn found(store: &Store) -> Vec<(Mismatch, String)> {
    let reconciled = store.reconcile(&FirstKept::new()).await.unwrap();
    reconciled.differences.into_iter().map(|it| (it.mismatch, it.detail)).collect()
}

async fn agreement_is_no_difference(store: &Store) {
    let runs = [(0, 9, Verdict::Committed), (10, 12, Verdict::Dead), (20, 29, Verdict::Committed)];
    write(store, &runs, &[event(1, published(0, 9)), event(2, published(20, 29))]).await;
    let reconciled = store.reconcile(&FirstKept::new()).await.unwrap();
    assert_eq!((reconciled.differences.len(), reconciled.events, reconciled.visible), (0, 2, 20));
}

async fn offsets_are_compared_both_ways(store: &Store) {
    let runs = [(0, 9, Verdict::Committed), (10, 12, Verdict::Dead)];
    write(store, &runs, &[event(1, published(5, 11)), event(2, published(7, 8))]).await;
    let expected = [
        (Mismatch::VisibleWithoutEvent, "1.0.0-4".to_owned()),
        (Mismatch::EventWithoutVisible, "1.0.10-11".to_owned()),
        (Mismatch::PublishedTwice, "1.0.7-8".to_owned()),
    ];
    assert_eq!(found(store).await, expected);
    // Below the first kept record nothing is compared.
    let kept = [((RESOURCE, GENERATION), vec![20])].into();
    assert_eq!(store.reconcile(&kept).await.unwrap().differences, []);
}

async fn insert_window(tx: &mut Tx, id: u128) {
    let row = OpenWindow {
        id: WindowId(Uuid::from_u128(id)),
        subscription: SubscriptionId(Uuid::from_u128(2)),
        grant_id: GrantId(Uuid::from_u128(3)),
        resource: RESOURCE,
        generation: GENERATION,
        agency: AgencyId(Uuid::from_u128(4)),
        account: AccountId(Uuid::from_u128(5)),
        key_id: KeyId("key".to_owned()),
        most: 10,
        day: NaiveDate::default(),
    };
    tx.insert_windows(&[NewWindow { row, from: &[0] }], 1, at()).await.unwrap();
}

async fn windows_are_compared_both_ways(store: &Store) {
    let opened = |window: u128| DeliverOpened {
        window: WindowId(Uuid::from_u128(window)),
        grant: GrantId(Uuid::from_u128(3)),
        version: 1,
        resource: RESOURCE,
        generation: GENERATION,
        subscription: SubscriptionId(Uuid::from_u128(2)),
        purpose: "audit".parse().unwrap(),
        from: vec![0],
        most: 10,
        until: at(),
        policy: 1,
    };
    let mut tx = store.begin().await.unwrap();
    insert_window(&mut tx, 11).await;
    insert_window(&mut tx, 12).await;
    tx.record_all(&[event(1, opened(11)), event(2, opened(13))]).await.unwrap();
    tx.finish().await.unwrap();
    let reconciled = store.reconcile(&FirstKept::new()).await.unwrap();
    let found: Vec<_> = reconciled.differences.into_iter().map(|it| (it.mismatch, it.object)).collect();
    let expected = [
        (Mismatch::OpenedWithoutEnd, Uuid::from_u128(13).to_string()),
        (Mismatch::WindowWithoutOpening, Uuid::from_u128(12).to_string()),
    ];
    assert_eq!(found, expected);
}

async fn versions_and_columns_are_compared(store: &Store) {
    let resumed = GrantResumed { grant: GrantId(Uuid::from_u128(3)), version: 2, resource: RESOURCE };
    write(store, &[], &[event(1, resumed.clone()), event(2, resumed)]).await;
    let encoded = event(3, published(0, 0)).encode().unwrap();
    const FORGED: &str =
        "INSERT INTO audit_event (day, id, at, code, body) VALUES ($1, $2, $3, 'settled', $4)";
    let mut tx = store.begin().await.unwrap();
    let written = rows!(tx, |conn| query(FORGED)
        .bind(encoded.day)
        .bind(encoded.id)
        .bind(encoded.at)
        .bind(encoded.body.as_slice())
        .execute(conn));
    assert_eq!(written, Ok(1));
    tx.finish().await.unwrap();
    let found: Vec<Mismatch> = found(store).await.into_iter().map(|(mismatch, _)| mismatch).collect();
    let twice_and_nowhere = [Mismatch::EventWithoutVersion, Mismatch::EventWithoutVersion];
    assert_eq!(found[0], Mismatch::EventWithoutVisible);
    assert_eq!(found[1..3], twice_and_nowhere);
    assert_eq!(found[3..], [Mismatch::ColumnsDiffer]);
}

conformance!(
    agreement_is_no_difference,
    offsets_are_compared_both_ways,
    windows_are_compared_both_ways,
    versions_and_columns_are_compared,
);
