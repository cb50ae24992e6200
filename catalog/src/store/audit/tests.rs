//! What the tables themselves refuse.

use sqlx::query;

use crate::audit::{Actor, Event, TopicWanted};
use crate::clock::{Ids, SeededIds};
use crate::conformance;
use crate::ids::{EventId, Generation, ResourceNumber, TopicName};
use crate::store::Store;
use crate::store::dispatch::rows;

async fn a_stored_event_is_never_changed(store: &Store) {
    let at = "2026-03-01T12:00:00Z".parse().unwrap();
    let (resource, generation) = (ResourceNumber(1), Generation(1));
    let topic = TopicName::records("", resource, generation);
    let what = TopicWanted { resource, generation, topic, partitions: 3 };
    let event = Event::new(EventId(SeededIds::new(1).uuid(at)), at, Actor::Server, what);
    store.make_audit_days(event.day(), 1).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    tx.record(&event).await.unwrap();
    tx.finish().await.unwrap();

    const CHANGES: [&str; 2] = ["UPDATE audit_event SET body = body", "DELETE FROM audit_event"];
    for change in CHANGES {
        let mut tx = store.begin().await.unwrap();
        assert!(rows!(tx, |conn| query(change).execute(conn)).is_err(), "{change}");
    }
    let left = store.read().await.unwrap().events(&Default::default(), None, 10).await.unwrap();
    assert_eq!(left.len(), 1);
}

conformance!(a_stored_event_is_never_changed);
