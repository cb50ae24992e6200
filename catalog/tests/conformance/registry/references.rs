//! Schemas that refer to others.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use changtong_catalog::actions;
use changtong_catalog::conformance;
use changtong_catalog::registry::{Context, Subject, VersionId};
use changtong_catalog::store::{LockClass, Store};

use super::{Desk, of, referring, says};

const CITY: &str =
    r#"{"type":"record","name":"City","namespace":"t","fields":[{"name":"n","type":"string"}]}"#;
const PLACE: &str =
    r#"{"type":"record","name":"Place","namespace":"t","fields":[{"name":"city","type":"City"}]}"#;
const TRIP: &str = r#"{"type":"record","name":"Trip","namespace":"t","fields":[{"name":"to","type":"Place"},{"name":"from","type":"Place"}]}"#;

async fn references_are_found_kept_and_written_out(store: &Store) {
    let desk = Desk::set(store).await;
    let city = desk.register("city", CITY).await;
    let place = referring(PLACE, &[("t.City", "city", -1)]);
    let place = desk.try_register(&desk.one, "place", &place).await.unwrap();
    assert_eq!(place.content.beside.references[0].version, 1, "the latest is a number once it is kept");
    assert_eq!(place.content.text, PLACE, "references stay names");
    let trip =
        desk.try_register(&desk.one, "trip", &referring(TRIP, &[("t.Place", "place", 1)])).await.unwrap();
    let resolved =
        actions::resolve_schema(store, &desk.one, &Context::default(), &trip.content).await.unwrap();
    assert!(resolved.contains(r#""name":"City""#) && resolved.contains(r#""name":"Place""#), "{resolved}");
    let by = async |subject: &str| {
        let subject = Subject::read(subject);
        store.registry_referenced_by(&desk.one, &subject, VersionId::Latest, false).await.unwrap()
    };
    assert_eq!(by("city").await, [place.id]);
    assert_eq!(by("place").await, [trip.id]);
    assert_eq!(by("trip").await, []);
    // Sent with everything written out it is the same.
    let whole = desk.look_up("trip", &of(&resolved)).await.unwrap();
    assert_eq!((whole.version, whole.id), (1, trip.id));
    assert_eq!(desk.register("trip", &resolved).await.id, trip.id);
    assert_eq!(desk.register("elsewhere", &resolved).await.id.0, 4, "under another subject its text counts");
    assert_eq!(city.id.0, 1);
}

async fn what_is_referred_to_is_not_deleted(store: &Store) {
    let desk = Desk::set(store).await;
    desk.register("city", CITY).await;
    desk.try_register(&desk.one, "place", &referring(PLACE, &[("t.City", "city", 1)])).await.unwrap();
    let held = desk.delete("city", false).await.unwrap_err();
    let text = "One or more references exist to the schema {magic=1,keytype=SCHEMA,subject=city,version=1}.";
    assert_eq!(says(&held), (42206, text.to_owned()));
    assert_eq!(desk.delete_version("city", 1, false).await.unwrap_err().error_code(), 42206);
    desk.delete("place", false).await.unwrap();
    assert_eq!(desk.delete("city", false).await, Ok(vec![1]), "hidden ones do not hold it");
    assert_eq!(desk.delete("city", true).await.unwrap_err().error_code(), 42206, "until they are taken away");
    desk.delete("place", true).await.unwrap();
    assert_eq!(desk.delete("city", true).await, Ok(vec![1]));
}

async fn a_reference_leads_somewhere_the_caller_sees(store: &Store) {
    let desk = Desk::set(store).await;
    let refused = desk.refused("place", &referring(PLACE, &[("t.City", "city", 1)])).await;
    let text = "Invalid schema, details: No schema reference found for subject \"city\" and version 1";
    assert_eq!(says(&refused), (42201, text.to_owned()));
    desk.register("city", CITY).await;
    let candidate = referring(PLACE, &[("t.City", "city", 1)]);
    let foreign = desk.try_register(&desk.other, "theirs", &candidate).await.unwrap_err();
    assert_eq!(says(&foreign), (42201, text.to_owned()), "as if it were not there");
    desk.delete("city", false).await.unwrap();
    assert_eq!(
        desk.refused("place", &candidate).await.error_code(),
        42201,
        "nothing new refers to a hidden one"
    );
}

async fn references_are_bounded_and_say_which_context_they_mean(store: &Store) {
    let desk = Desk::set(store).await;
    desk.register("city", CITY).await;
    let many = vec![("t.City", "city", 1); 101];
    assert_eq!(desk.refused("place", &referring(PLACE, &many)).await.error_code(), 42209);
    let place = desk.try_register(&desk.one, "place", &referring(PLACE, &many[..100])).await.unwrap();
    assert_eq!(place.content.beside.references.len(), 100);
    // The default context has a name too.
    let there = referring(PLACE, &[("t.City", ":.:city", 1)]);
    let there = desk.try_register(&desk.one, ":.test:place", &there).await.unwrap();
    assert_eq!(desk.look_up(":.test:place", &referring(PLACE, &[("t.City", ":.:city", 1)])).await, Ok(there));
    assert_eq!(
        desk.refused(":.test:p", &referring(PLACE, &[("t.City", "city", 1)])).await.error_code(),
        42201
    );
}

async fn what_is_referred_to_is_held_until_it_is_written(store: &Store) {
    let desk = Desk::set(store).await;
    desk.register(":.lib:city", CITY).await;
    let mut held = store.begin().await.unwrap();
    held.lock_exclusive(LockClass::Registry, ".lib").await.unwrap();
    let done = AtomicBool::new(false);
    let place = referring(PLACE, &[("t.City", ":.lib:city", 1)]);
    let register = async {
        let registered = desk.try_register(&desk.one, "place", &place).await;
        done.store(true, Ordering::SeqCst);
        registered
    };
    let other = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let early = done.load(Ordering::SeqCst);
        held.finish().await.unwrap();
        early
    };
    let (registered, early) = tokio::join!(register, other);
    assert!(!early, "whoever changes the other context is waited for");
    registered.unwrap();
    assert_eq!(desk.delete(":.lib:city", false).await.unwrap_err().error_code(), 42206);
}

conformance!(
    what_is_referred_to_is_held_until_it_is_written,
    references_are_bounded_and_say_which_context_they_mean,
    references_are_found_kept_and_written_out,
    what_is_referred_to_is_not_deleted,
    a_reference_leads_somewhere_the_caller_sees,
);
