//! The audit log: recording, finding, paging, partitions.

use changtong_catalog::audit::{
    Actor, Event, EventCode, Projection, ServerStarted, TopicWanted, leaf_sha256,
};
use changtong_catalog::clock::{Ids, SeededIds, Time};
use changtong_catalog::conformance;
use changtong_catalog::ids::{EventId, Generation, ResourceNumber, TopicName};
use changtong_catalog::store::{EventFilter, Store};
use chrono::{Duration, NaiveDate};

fn noon() -> Time {
    "2026-03-01T12:00:00.123456Z".parse().unwrap()
}

fn wanted(ids: &SeededIds, at: Time, number: i64) -> Event {
    let (resource, generation) = (ResourceNumber(number), Generation(1));
    let topic = TopicName::records("", resource, generation);
    let what = TopicWanted { resource, generation, topic, partitions: 3 };
    Event::new(EventId(ids.uuid(at)), at, Actor::Server, what)
}

async fn an_event_is_stored_as_its_bytes(store: &Store) {
    let event = wanted(&SeededIds::new(1), noon(), 7);
    let mut tx = store.begin().await.unwrap();
    let stored = tx.record(&event).await.unwrap();
    tx.finish().await.unwrap();

    let encoded = event.encode().unwrap();
    assert_eq!(stored.id, event.id);
    assert_eq!(stored.leaf_sha256, leaf_sha256(&encoded.body));
    let found = store.read().await.unwrap().events(&EventFilter::default(), None, 10).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].body, encoded.body);
    assert_eq!((found[0].day, found[0].id, found[0].at), (encoded.day, encoded.id, encoded.at));
    let read = Projection::read(&found[0].body).unwrap();
    assert_eq!((read.code, read.resource), (found[0].code.clone(), found[0].resource));
}

async fn an_event_goes_with_its_transaction(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    tx.record(&wanted(&SeededIds::new(1), noon(), 7)).await.unwrap();
    drop(tx);
    let found = store.read().await.unwrap().events(&EventFilter::default(), None, 10).await.unwrap();
    assert_eq!(found, []);
}

async fn events_are_found_by_what_they_say(store: &Store) {
    let ids = SeededIds::new(1);
    let later = noon() + Duration::days(2);
    let started =
        ServerStarted { node: ids.uuid(noon()), epoch: 1, build: changtong_catalog::audit::Build("0.1.0") };
    let events = [
        wanted(&ids, noon(), 7),
        wanted(&ids, noon(), 8),
        Event::new(EventId(ids.uuid(later)), later, Actor::Server, started),
        wanted(&ids, later, 8),
    ];
    let mut tx = store.begin().await.unwrap();
    tx.record_all(&events).await.unwrap();
    tx.finish().await.unwrap();

    let mut session = store.read().await.unwrap();
    let mut count = async |filter: EventFilter| session.events(&filter, None, 10).await.unwrap().len();
    assert_eq!(count(EventFilter::default()).await, 4);
    assert_eq!(count(EventFilter { resource: Some(ResourceNumber(8)), ..Default::default() }).await, 2);
    assert_eq!(count(EventFilter { code: Some(EventCode::ServerStarted), ..Default::default() }).await, 1);
    assert_eq!(count(EventFilter { from: Some(later), ..Default::default() }).await, 2);
    assert_eq!(count(EventFilter { to: Some(later), ..Default::default() }).await, 2);
    let both = EventFilter {
        from: Some(later),
        code: Some(EventCode::TopicWanted),
        resource: Some(ResourceNumber(7)),
        ..Default::default()
    };
    assert_eq!(count(both).await, 0);
}

async fn pages_hold_every_event_once_in_order(store: &Store) {
    let ids = SeededIds::new(3);
    let events: Vec<Event> = (0..25).map(|n| wanted(&ids, noon() + Duration::hours(n * 5), n)).collect();
    let mut tx = store.begin().await.unwrap();
    tx.record_all(&events).await.unwrap();
    tx.finish().await.unwrap();

    let mut session = store.read().await.unwrap();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = session.events(&EventFilter::default(), after, 7).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.place());
        seen.extend(page.iter().map(|event| event.id));
    }
    assert_eq!(seen, events.iter().map(|event| event.id).collect::<Vec<_>>());
}

async fn days_are_made_ahead_and_again(store: &Store) {
    let day = |text: &str| text.parse::<NaiveDate>().unwrap();
    let ids = SeededIds::new(1);
    let mut tx = store.begin().await.unwrap();
    tx.record(&wanted(&ids, noon(), 1)).await.unwrap();
    tx.finish().await.unwrap();
    // The first day already has an event where days without a partition go.
    store.make_audit_days(day("2026-03-01"), 3).await.unwrap();
    store.make_audit_days(day("2026-03-02"), 3).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    for days in 0..5 {
        tx.record(&wanted(&ids, noon() + Duration::days(days), 2)).await.unwrap();
    }
    tx.finish().await.unwrap();
    let found = store.read().await.unwrap().events(&EventFilter::default(), None, 10).await.unwrap();
    assert_eq!(found.len(), 6);
}

conformance!(
    an_event_is_stored_as_its_bytes,
    an_event_goes_with_its_transaction,
    events_are_found_by_what_they_say,
    pages_hold_every_event_once_in_order,
    days_are_made_ahead_and_again,
);
