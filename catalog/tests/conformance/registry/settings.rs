//! Levels and modes: what counts where, and who sets it.

use changtong_catalog::account::Caller;
use changtong_catalog::actions::{self, Against};
use changtong_catalog::conformance;
use changtong_catalog::registry::{Candidate, Config, Context, Deleted, Mode, Subject, Wrong};
use changtong_catalog::store::Store;
use serde_json::json;

use super::{Desk, of, record, says};

async fn level(desk: &Desk<'_>, subject: &str) -> String {
    let subject = Subject::read(subject);
    let config: Config = desk.store.registry_config(&desk.authority, &subject, true).await.unwrap();
    config.compatibility_level.unwrap()
}

async fn a_subjects_own_level_counts_before_its_contexts(store: &Store) {
    let desk = Desk::set(store).await;
    assert_eq!(level(&desk, "").await, "BACKWARD");
    let none = store.registry_config(&desk.one, &Subject::read("s"), false).await.unwrap_err();
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
        assert_eq!(level(&desk, subject).await, word, "{subject}");
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
    assert_eq!(level(&desk, "s").await, "FULL");
    desk.configure(&desk.other, "s", json!({"normalize": true})).await.unwrap();
    desk.configure(&desk.other, "s", json!({"alias": "t", "normalize": null})).await.unwrap();
    let set = store.registry_config(&desk.other, &Subject::read("s"), false).await.unwrap();
    assert_eq!(set, Config { alias: Some("t".to_owned()), ..Config::default() });
    let alias = async || store.registry_alias(&desk.other, &Subject::read("s")).await.unwrap();
    for _ in 0..2 {
        assert_eq!(alias().await, Subject::read("t"));
    }
    let unseen = store.registry_alias(&desk.one, &Subject::read("s")).await.unwrap();
    assert_eq!(unseen, Subject::read("s"), "what is remembered is not told to others either");
    desk.configure(&desk.other, "s", json!({"alias": null})).await.unwrap();
    assert_eq!(alias().await, Subject::read("s"), "as it is now");
}

async fn mode(desk: &Desk<'_>, caller: &Caller, subject: &str, mode: Option<Mode>) -> Result<(), Wrong> {
    let act = desk.stage.act(caller, 33);
    actions::set_mode(desk.store, &act, &Subject::read(subject), mode, false).await
}

async fn nothing_changes_where_reading_is_all(store: &Store) {
    let desk = Desk::set(store).await;
    desk.register("s", &record(&["a"])).await;
    let none = store.registry_mode(&desk.one, &Subject::read("s"), false).await.unwrap_err();
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
    assert_eq!(store.registry_mode(&desk.one, &Subject::read("t"), true).await, Ok(Mode::ReadWrite));
    assert_eq!(
        store.registry_mode(&desk.one, &Subject::read("t"), false).await.unwrap_err().error_code(),
        40409
    );
    assert_eq!(desk.stage.events_from(35).await, ["registry.mode", "registry.mode"]);
}

/// Where nothing new may come, what is there is answered: whoever starts meanwhile asks for it once more.
async fn what_is_known_has_its_id_whatever_the_mode(store: &Store) {
    let desk = Desk::set(store).await;
    let (text, later) = (record(&["a"]), record(&["a", "b?"]));
    let known = desk.register("s", &text).await;
    let hidden = desk.register("s", &later).await;
    desk.delete_version("s", hidden.version, false).await.unwrap();
    let turned = [r#"{"type":"string","x":1,"y":2}"#, r#"{"type":"string","y":2,"x":1}"#];
    let plain = desk.register("t", turned[0]).await;
    let operator = desk.operator();
    let set = async |at: &str, mode| {
        let act = desk.stage.act(&operator, 33);
        actions::set_mode(store, &act, &Subject::read(at), mode, true).await.unwrap();
    };
    let register = async |candidate: &Candidate| desk.try_register(&desk.one, "s", candidate).await;
    let numbered = |id: i32, version: i32| Candidate { id: Some(id), version: Some(version), ..of(&text) };
    let own = Candidate { id: Some(known.id.0), ..of(&text) };
    assert_eq!(register(&own).await.as_ref(), Ok(&known), "its own id is no import");
    for (at, mode) in [
        ("", Mode::ReadOnly),
        ("", Mode::ReadOnlyOverride),
        ("", Mode::Import),
        (":.__GLOBAL:", Mode::Forward),
    ] {
        set(at, Some(mode)).await;
        assert_eq!(register(&of(&text)).await.as_ref(), Ok(&known), "{mode:?}");
        assert_eq!(register(&own).await.as_ref(), Ok(&known), "{mode:?}");
        assert_eq!(register(&numbered(known.id.0, 1)).await.as_ref(), Ok(&known), "{mode:?}");
        assert_eq!(desk.try_register(&desk.one, "t", &of(turned[1])).await.as_ref(), Ok(&plain), "{mode:?}");
        for new in [later.clone(), record(&["a", "c?"]), "\"int\"".to_owned()] {
            assert_eq!(register(&of(&new)).await.unwrap_err().error_code(), 42205, "{mode:?}: {new}");
        }
        assert_eq!(register(&of("{")).await.unwrap_err().error_code(), 42201, "{mode:?}: no schema at all");
        let version = Candidate { version: Some(1), ..of(&text) };
        assert_eq!(register(&version).await.unwrap_err().error_code(), 42205, "{mode:?}: a version is new");
        let wrong = if mode.imports() { 42207 } else { 42205 };
        assert_eq!(register(&numbered(900, 1)).await.unwrap_err().error_code(), wrong, "{mode:?}");
        let elsewhere = desk.try_register(&desk.one, "u", &of(&text)).await.unwrap_err();
        assert_eq!(elsewhere.error_code(), 42205, "{mode:?}: of another subject");
        let foreign = desk.try_register(&desk.other, "s", &of(&text)).await.unwrap_err();
        assert_eq!(foreign.error_code(), 40301, "{mode:?}: nor for who may not");
        set(at, None).await;
    }
    assert_eq!(store.registry_versions(&desk.one, &Subject::read("s"), Deleted::With).await, Ok(vec![1, 2]));
}

/// One content may have been imported as several versions.
async fn what_stands_twice_is_found_by_its_numbers(store: &Store) {
    let desk = Desk::set(store).await;
    let set = async |mode_of_s| mode(&desk, &desk.authority, "s", Some(mode_of_s)).await.unwrap();
    let register = async |id: Option<i32>, version: Option<i32>| {
        let candidate = Candidate { id, version, ..of("\"int\"") };
        let registered = desk.try_register(&desk.authority, "s", &candidate).await;
        registered.map(|one| (one.id.0, one.version)).map_err(|wrong| wrong.error_code())
    };
    set(Mode::Import).await;
    for version in [1, 5] {
        assert_eq!(register(Some(7), Some(version)).await, Ok((7, version)));
    }
    for mode_of_s in [Mode::Import, Mode::ReadOnly, Mode::ReadWrite] {
        if mode_of_s != Mode::Import {
            set(mode_of_s).await;
        }
        for version in [1, 5] {
            assert_eq!(register(Some(7), Some(version)).await, Ok((7, version)), "{mode_of_s:?}");
        }
        assert_eq!(register(Some(7), None).await, Ok((7, 5)), "{mode_of_s:?}");
        if mode_of_s != Mode::Import {
            assert_eq!(register(None, None).await, Ok((7, 5)), "{mode_of_s:?}");
            assert_eq!(register(Some(7), Some(3)).await, Err(42205), "{mode_of_s:?}");
            assert_eq!(register(Some(8), Some(1)).await, Err(42205), "{mode_of_s:?}");
        }
    }
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
    assert_eq!(
        (level(&desk, "s").await, level(&desk, ":.x:s").await),
        ("FULL".to_owned(), "NONE".to_owned())
    );
}

async fn settings_are_shown_to_whoever_sees_the_subject(store: &Store) {
    let desk = Desk::set(store).await;
    let subject = Subject::read("s");
    desk.configure(&desk.one, "s", json!({"compatibility": "FULL", "alias": "t"})).await.unwrap();
    mode(&desk, &desk.one, "s", Some(Mode::ReadOnly)).await.unwrap();
    for in_scope in [false, true] {
        let config = store.registry_config(&desk.one, &subject, in_scope).await.unwrap();
        assert_eq!(config.compatibility_level.as_deref(), Some("FULL"));
        assert_eq!(store.registry_mode(&desk.one, &subject, in_scope).await, Ok(Mode::ReadOnly));
    }
    assert_eq!(store.registry_config(&desk.other, &subject, false).await.unwrap_err().error_code(), 40408);
    assert_eq!(store.registry_mode(&desk.other, &subject, false).await.unwrap_err().error_code(), 40409);
    let config = store.registry_config(&desk.other, &subject, true).await.unwrap();
    assert_eq!(config.compatibility_level.as_deref(), Some("BACKWARD"), "as if it were not there");
    assert_eq!(store.registry_mode(&desk.other, &subject, true).await, Ok(Mode::ReadWrite));
    assert_eq!(store.registry_alias(&desk.other, &subject).await, Ok(subject.clone()));
}

async fn what_stands_beside_a_text_is_bounded(store: &Store) {
    let desk = Desk::set(store).await;
    let properties = |bytes: usize| json!({"properties": {"x": "y".repeat(bytes)}});
    let wrong = desk.configure(&desk.one, "s", json!({"defaultMetadata": properties(70_000)})).await;
    assert_eq!(wrong.unwrap_err().error_code(), 422);
    let with = |metadata| Candidate { metadata: serde_json::from_value(metadata).unwrap(), ..of("\"int\"") };
    assert_eq!(desk.refused("s", &with(properties(70_000))).await.error_code(), 42209);
    // Together they are too much, each for itself is not.
    let name = json!({"properties": {"z": "y".repeat(40_000)}});
    desk.configure(&desk.one, "s", json!({"overrideMetadata": name})).await.unwrap();
    assert_eq!(desk.refused("s", &with(properties(40_000))).await.error_code(), 42209);
    assert_eq!(desk.try_register(&desk.one, "s", &with(properties(10))).await.unwrap().version, 1);
}

async fn only_versions_of_one_group_are_compared(store: &Store) {
    let desk = Desk::set(store).await;
    let settings = json!({"compatibility": "FULL", "compatibilityGroup": "app.major"});
    desk.configure(&desk.one, "s", settings).await.unwrap();
    let of_group = |text: &str, group: &str| Candidate {
        metadata: serde_json::from_value(json!({"properties": {"app.major": group}})).unwrap(),
        ..of(text)
    };
    let register = async |candidate| desk.try_register(&desk.one, "s", &candidate).await;
    register(of_group(&record(&["a"]), "1")).await.unwrap();
    register(of_group(&record(&["b"]), "2")).await.unwrap();
    assert_eq!(register(of_group(&record(&["c"]), "1")).await.unwrap_err().error_code(), 409);
    assert_eq!(register(of_group(&record(&["a", "d?"]), "1")).await.unwrap().version, 3, "over the other's");
    desk.configure(&desk.one, "s", json!({"compatibilityGroup": null})).await.unwrap();
    assert_eq!(register(of_group(&record(&["b", "e?"]), "2")).await.unwrap_err().error_code(), 409);
}

async fn a_subject_may_want_the_houses_policy(store: &Store) {
    const DATE: &str = r#"{"type":"int","logicalType":"date"}"#;
    let desk = Desk::set(store).await;
    desk.configure(&desk.one, "s", json!({"compatibilityPolicy": "LOGICAL"})).await.unwrap();
    for subject in ["s", "t"] {
        desk.register(subject, DATE).await;
    }
    let wrong = desk.refused("s", &of("\"int\"")).await;
    assert!(wrong.error_code() == 409 && wrong.to_string().contains("errorType:'DATE'"), "{wrong}");
    let subject = Subject::read("s");
    let act = desk.stage.act(&desk.one, 33);
    let told = actions::check_compatibility(store, &act, &subject, &of("\"int\""), Against::All, false).await;
    assert!(told.unwrap()[0].contains("errorType:'DATE'"));
    assert_eq!(desk.register("t", "\"int\"").await.version, 2, "Avro reads it");
}

async fn a_subject_may_take_what_is_not_checked(store: &Store) {
    const UNFIT: &str = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int","default":"x"}]}"#;
    let desk = Desk::set(store).await;
    desk.configure(&desk.one, "s", json!({"validateNewSchemas": false})).await.unwrap();
    assert_eq!(desk.register("s", UNFIT).await.version, 1);
    assert_eq!(desk.refused("t", &of(UNFIT)).await.error_code(), 42201);
    assert_eq!(desk.refused("s", &of("{")).await.error_code(), 42201, "what is no schema is none");
}

async fn what_is_fed_by_another_registry_takes_its_ids(store: &Store) {
    let desk = Desk::set(store).await;
    mode(&desk, &desk.operator(), ":.__GLOBAL:", Some(Mode::Forward)).await.unwrap();
    let numbered = Candidate { id: Some(500), version: Some(3), ..of("\"int\"") };
    let taken = desk.try_register(&desk.authority, "s", &numbered).await.unwrap();
    assert_eq!((taken.id.0, taken.version), (500, 3));
    let plain = desk.refused("t", &of("\"int\"")).await;
    assert_eq!(says(&plain), (42205, "Subject t in context  is not in read-write mode".to_owned()));
    mode(&desk, &desk.operator(), ":.__GLOBAL:", None).await.unwrap();
    assert_eq!(desk.register("t", "\"int\"").await.id.0, 500);
}

conformance!(
    only_versions_of_one_group_are_compared,
    a_subject_may_want_the_houses_policy,
    a_subject_may_take_what_is_not_checked,
    what_is_fed_by_another_registry_takes_its_ids,
    settings_are_shown_to_whoever_sees_the_subject,
    what_stands_beside_a_text_is_bounded,
    a_subjects_own_level_counts_before_its_contexts,
    nothing_changes_where_reading_is_all,
    what_is_known_has_its_id_whatever_the_mode,
    what_stands_twice_is_found_by_its_numbers,
    read_only_over_all_counts_before_a_subjects_own_mode,
    what_is_always_there_is_not_deleted,
);
