//! Levels and modes: what counts where, and who sets it.

use changtong_catalog::account::Caller;
use changtong_catalog::actions;
use changtong_catalog::conformance;
use changtong_catalog::registry::{Config, Context, Mode, Subject, Wrong};
use changtong_catalog::store::Store;
use serde_json::json;

use super::{Desk, of, record, says};

async fn level(store: &Store, subject: &str) -> String {
    let config: Config = store.registry_config(&Subject::read(subject), true).await.unwrap();
    config.compatibility_level.unwrap()
}

async fn a_subjects_own_level_counts_before_its_contexts(store: &Store) {
    let desk = Desk::set(store).await;
    assert_eq!(level(store, "").await, "BACKWARD");
    let none = store.registry_config(&Subject::read("s"), false).await.unwrap_err();
    assert_eq!(
        says(&none),
        (40408, "Subject 's' does not have subject-level compatibility configured".to_owned())
    );
    let wrong = desk.configure(&desk.one, "s", json!({"compatibility": "SIDEWAYS"})).await.unwrap_err();
    assert_eq!(wrong, Wrong::InvalidLevel);
    let others = desk.configure(&desk.one, "", json!({"compatibility": "FULL"})).await.unwrap_err();
    assert_eq!(others.error_code(), 40301, "not for everybody");
    desk.configure(&desk.operator(), "", json!({"compatibility": "FULL"})).await.unwrap();
    desk.configure(&desk.operator(), ":.test:", json!({"compatibility": "FORWARD"})).await.unwrap();
    desk.configure(&desk.operator(), ":.__GLOBAL:", json!({"compatibility": "NONE"})).await.unwrap();
    desk.configure(&desk.one, "s", json!({"compatibility": "backward_transitive"})).await.unwrap();
    let expected = [("s", "BACKWARD_TRANSITIVE"), ("t", "FULL"), (":.test:s", "FORWARD"), (":.x:s", "NONE")];
    for (subject, word) in expected {
        assert_eq!(level(store, subject).await, word, "{subject}");
    }
    let foreign = desk.configure(&desk.other, "s", json!({"compatibility": "NONE"})).await.unwrap_err();
    assert_eq!(foreign.error_code(), 40301, "who first set it has it");

    let act = desk.stage.act(&desk.one, 33);
    let old = actions::delete_config(store, &act, &Subject::read("s")).await.unwrap();
    assert_eq!(old.compatibility_level.as_deref(), Some("BACKWARD_TRANSITIVE"));
    assert_eq!(
        actions::delete_config(store, &act, &Subject::read("s")).await.unwrap_err().error_code(),
        40401
    );
    assert_eq!(level(store, "s").await, "FULL");
    desk.configure(&desk.other, "s", json!({"normalize": true})).await.unwrap();
    desk.configure(&desk.other, "s", json!({"alias": "t", "normalize": null})).await.unwrap();
    let set = store.registry_config(&Subject::read("s"), false).await.unwrap();
    assert_eq!(set, Config { alias: Some("t".to_owned()), ..Config::default() });
    for _ in 0..2 {
        assert_eq!(store.registry_alias(&Subject::read("s")).await.unwrap(), Subject::read("t"));
    }
    desk.configure(&desk.other, "s", json!({"alias": null})).await.unwrap();
    assert_eq!(store.registry_alias(&Subject::read("s")).await.unwrap(), Subject::read("s"), "as it is now");
}

async fn mode(desk: &Desk<'_>, caller: &Caller, subject: &str, mode: Option<Mode>) -> Result<(), Wrong> {
    let act = desk.stage.act(caller, 33);
    actions::set_mode(desk.store, &act, &Subject::read(subject), mode, false).await
}

async fn nothing_changes_where_reading_is_all(store: &Store) {
    let desk = Desk::set(store).await;
    desk.register("s", &record(&["a"])).await;
    let none = store.registry_mode(&Subject::read("s"), false).await.unwrap_err();
    assert_eq!(says(&none), (40409, "Subject 's' does not have subject-level mode configured".to_owned()));
    mode(&desk, &desk.one, "s", Some(Mode::ReadOnly)).await.unwrap();
    let refused = desk.refused("s", &of(&record(&["a", "b?"]))).await;
    assert_eq!(says(&refused), (42205, "Subject s in context  is in read-only mode".to_owned()));
    assert_eq!(desk.delete("s", false).await.unwrap_err().error_code(), 42205);
    assert_eq!(
        desk.configure(&desk.one, "s", json!({"normalize": true})).await.unwrap_err().error_code(),
        42205
    );
    desk.register("t", &record(&["a"])).await;
    let act = desk.stage.act(&desk.one, 34);
    let old = actions::delete_mode(store, &act, &Subject::read("s"), false).await.unwrap();
    assert_eq!(old, Some(Mode::ReadOnly));
    assert_eq!(desk.register("s", &record(&["a", "b?"])).await.version, 2);

    assert_eq!(mode(&desk, &desk.one, "", Some(Mode::ReadOnly)).await.unwrap_err().error_code(), 40301);
    mode(&desk, &desk.operator(), "", Some(Mode::ReadOnly)).await.unwrap();
    assert_eq!(desk.refused("t", &of("\"int\"")).await.error_code(), 42205, "of everything");
    mode(&desk, &desk.one, "t", Some(Mode::ReadWrite)).await.unwrap();
    assert_eq!(desk.register("t", &record(&["a", "c?"])).await.version, 2, "its own counts first");
    let forward = mode(&desk, &desk.operator(), "", Some(Mode::Forward)).await.unwrap_err();
    assert_eq!(says(&forward), (42204, "Forward mode only supported on global level".to_owned()));
    let operator = desk.operator();
    let act = desk.stage.act(&operator, 35);
    let old = actions::delete_mode(store, &act, &Subject::read(""), true).await;
    assert_eq!(old, Ok(Some(Mode::ReadOnly)));
    assert_eq!(store.registry_mode(&Subject::read("t"), true).await, Ok(Mode::ReadWrite));
    assert_eq!(store.registry_mode(&Subject::read("t"), false).await.unwrap_err().error_code(), 40409);
    assert_eq!(desk.stage.events_from(35).await, ["registry.mode", "registry.mode"]);
}

async fn read_only_over_all_counts_before_a_subjects_own_mode(store: &Store) {
    let desk = Desk::set(store).await;
    desk.register("s", "\"int\"").await;
    mode(&desk, &desk.one, "s", Some(Mode::ReadWrite)).await.unwrap();
    mode(&desk, &desk.operator(), "", Some(Mode::ReadOnlyOverride)).await.unwrap();
    let refused = desk.refused("s", &of("\"long\"")).await;
    assert_eq!(says(&refused), (42205, "Subject s in context  is in read-only mode".to_owned()));
    assert_eq!(desk.refused(":.test:s", &of("\"long\"")).await.error_code(), 42205, "in all contexts");
    mode(&desk, &desk.operator(), "", None).await.unwrap();
    assert_eq!(desk.register("s", "\"long\"").await.version, 2);
}

async fn what_is_always_there_is_not_deleted(store: &Store) {
    let desk = Desk::set(store).await;
    desk.configure(&desk.operator(), "", json!({"compatibility": "FULL"})).await.unwrap();
    desk.configure(&desk.operator(), ":.__GLOBAL:", json!({"compatibility": "NONE"})).await.unwrap();
    let act = desk.stage.act(&desk.authority, 33);
    for context in [Context::default(), Context::global()] {
        let wrong = actions::delete_context(store, &act, &context).await.unwrap_err();
        assert_eq!(wrong.error_code(), 42205, "{wrong}");
    }
    assert_eq!((level(store, "s").await, level(store, ":.x:s").await), ("FULL".to_owned(), "NONE".to_owned()));
}

conformance!(
    a_subjects_own_level_counts_before_its_contexts,
    nothing_changes_where_reading_is_all,
    read_only_over_all_counts_before_a_subjects_own_mode,
    what_is_always_there_is_not_deleted,
);
