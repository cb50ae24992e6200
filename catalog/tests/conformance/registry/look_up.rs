//! Looking up what is registered.

use changtong_catalog::actions;
use changtong_catalog::conformance;
use changtong_catalog::registry::{Candidate, Metadata, Subject, VERSION_PROPERTY, VersionId, Wrong};
use changtong_catalog::store::Store;
use serde_json::json;

use super::{Desk, of, record, says};

async fn what_is_registered_is_found_and_nothing_else(store: &Store) {
    let desk = Desk::set(store).await;
    let none = desk.look_up("s", &of(&record(&["a"]))).await.unwrap_err();
    assert_eq!(says(&none), (40401, "Subject 's' not found.".to_owned()));
    desk.register("s", &record(&["a"])).await;
    desk.register("s", &record(&["a", "b?"])).await;
    assert_eq!(desk.look_up("s", &of(&record(&["a"]))).await.unwrap().version, 1);
    let other = desk.look_up("s", &of(&record(&["c"]))).await.unwrap_err();
    assert_eq!(says(&other), (40403, "Schema not found".to_owned()));
    assert_eq!(desk.look_up("s", &of("{")).await.unwrap_err().error_code(), 42201);
    desk.delete_version("s", 1, false).await.unwrap();
    assert_eq!(desk.look_up("s", &of(&record(&["a"]))).await, Err(Wrong::SchemaNotFound(None)));
    let subject = Subject::read("s");
    let candidate = of(&record(&["a"]));
    let hidden = actions::look_up_schema(store, &desk.one, &subject, &candidate, false, true).await;
    assert!(hidden.unwrap().deleted);
    let foreign = actions::look_up_schema(store, &desk.other, &subject, &candidate, false, true).await;
    assert_eq!(foreign.unwrap_err().error_code(), 40401);
}

async fn normalised_texts_find_each_other(store: &Store) {
    let desk = Desk::set(store).await;
    let short =
        r#"{"type":"record","name":"R","namespace":"t","fields":[{"name":"a","type":{"type":"string"}}]}"#;
    let long = r#"{"fields":[{"type":"string","name":"a","order":"ascending"}],"name":"t.R","type":"record","aliases":[]}"#;
    desk.configure(&desk.one, "s", json!({"normalize": true})).await.unwrap();
    let first = desk.register("s", short).await;
    assert_eq!(desk.register("s", long).await.version, first.version);
    assert_eq!(desk.look_up("s", &of(long)).await.unwrap().id, first.id);
}

async fn a_client_may_number_its_versions(store: &Store) {
    let desk = Desk::set(store).await;
    let numbered = async |version: Option<i32>, number: Option<&str>| {
        let properties = number.map(|number| (VERSION_PROPERTY.to_owned(), number.to_owned()));
        let metadata =
            number.map(|_| Metadata { properties: properties.into_iter().collect(), ..Metadata::default() });
        let candidate = Candidate { version, metadata, ..of("\"int\"") };
        desk.try_register(&desk.one, "s", &candidate).await.map(|one| one.version)
    };
    assert_eq!(numbered(None, None).await, Ok(1));
    assert_eq!(numbered(Some(-1), None).await, Ok(1), "the latest, whichever that is");
    assert_eq!(numbered(Some(2), None).await, Ok(2), "another content by its number alone");
    let latest =
        store.registry_version(&desk.one, &Subject::read("s"), VersionId::Latest, false).await.unwrap();
    let number = latest.content.beside.metadata.as_ref().map(|m| m.properties[VERSION_PROPERTY].clone());
    assert_eq!((latest.version, number.as_deref()), (2, Some("2")));
    assert_eq!(numbered(Some(-1), None).await, Ok(2));
    assert_eq!(numbered(None, None).await, Ok(1), "as it was sent first");
    assert_eq!(numbered(Some(2), None).await.unwrap_err().error_code(), 42201, "there is one already");
    assert_eq!(numbered(Some(3), None).await, Ok(3));
    assert_eq!(numbered(None, Some("2")).await, Ok(2), "the number may be said among the metadata");
    assert_eq!(numbered(None, Some("0")).await, Ok(4), "one that none has is a new version");
    desk.register("s", "\"long\"").await;
    assert_eq!(numbered(Some(-1), None).await.map_err(|wrong| wrong.error_code()), Err(409));
}

conformance!(
    what_is_registered_is_found_and_nothing_else,
    normalised_texts_find_each_other,
    a_client_may_number_its_versions,
);
