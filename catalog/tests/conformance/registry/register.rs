//! Registering: ids, versions, equal schemas, what is refused.

use std::collections::BTreeSet;

use changtong_catalog::actions::{self, Against, Registering};
use changtong_catalog::conformance;
use changtong_catalog::registry::{Beside, Candidate, Metadata, Subject, VersionId, Wrong};
use changtong_catalog::store::testing::{self, Fresh};
use changtong_catalog::store::{LockClass, Store};
use serde_json::json;

use super::{Desk, of, record, says};

async fn equal_schemas_have_one_id_and_each_subject_its_versions(store: &Store) {
    let desk = Desk::set(store).await;
    let first = desk.register("orders-value", &record(&["a"])).await;
    assert_eq!((first.version, first.id.0), (1, 1));
    assert_eq!(
        first.content.text,
        r#"{"type":"record","name":"R","namespace":"t","fields":[{"name":"a","type":"long"}]}"#
    );
    let again = desk.register("orders-value", &format!(" {} ", record(&["a"]))).await;
    assert_eq!((again.version, again.id), (1, first.id), "sent again it is the same version");
    let second = desk.register("orders-value", &record(&["a", "b?"])).await;
    assert_eq!((second.version, second.id.0), (2, 2));
    let elsewhere = desk.register("other-value", &record(&["a", "b?"])).await;
    assert_eq!((elsewhere.version, elsewhere.id, elsewhere.guid), (1, second.id, second.guid));
    let old = desk.register("orders-value", &record(&["a"])).await;
    assert_eq!((old.version, old.id), (1, first.id), "an earlier version keeps its number");
    assert_eq!(desk.register("text-value", r#"{"type":"string"}"#).await.content.text, r#""string""#);
    let events = desk.stage.events_from(30).await;
    assert_eq!(events, vec!["schema.registered"; 4], "what was there already is no event");
}

async fn a_mere_order_of_properties_is_no_new_version(store: &Store) {
    let desk = Desk::set(store).await;
    let text = |members: &str| {
        format!(r#"{{"type":"record","name":"R","fields":[{{"name":"a","type":"int",{members}}}]}}"#)
    };
    let first = desk.register("s", &text(r#""x":1,"y":2"#)).await;
    let turned = desk.register("s", &text(r#""y":2,"x":1"#)).await;
    assert_eq!((turned.version, turned.id), (1, first.id));
    let elsewhere = desk.register("t", &text(r#""y":2,"x":1"#)).await;
    assert_ne!(elsewhere.id, first.id, "under another subject its text counts");
    for other in [r#""doc":"d""#, r#""x":1"#, r#""x":1,"y":3"#] {
        assert_eq!(desk.register("s", &text(other)).await.version, 2, "{other}");
        desk.delete_version("s", 2, false).await.unwrap();
        desk.delete_version("s", 2, true).await.unwrap();
    }
}

async fn what_breaks_the_earlier_version_is_refused(store: &Store) {
    let desk = Desk::set(store).await;
    desk.register("s", &record(&["a"])).await;
    let wrong = desk.refused("s", &of(&record(&["a", "b"]))).await;
    let (code, text) = says(&wrong);
    assert_eq!((code, wrong.status()), (409, 409));
    let begin = "Schema being registered is incompatible with an earlier schema for subject \"s\", details: [{errorType:'READER_FIELD_MISSING_DEFAULT_VALUE'";
    assert!(text.starts_with(begin), "{text}");
    assert!(text.ends_with("{validateFields: 'false', compatibility: 'BACKWARD'}]"), "{text}");
    let force = Registering { force: true, normalize: false };
    let act = desk.stage.act(&desk.one, 30);
    let subject = Subject::read("s");
    let forced = actions::register_schema(store, &act, &subject, &of(&record(&["a", "b"])), force).await;
    assert_eq!(forced.unwrap().version, 2);

    let check = async |text: &str, against| {
        let candidate = of(text);
        actions::check_compatibility(store, &act, &subject, &candidate, against, false).await
    };
    let latest = Against::Version(VersionId::Latest);
    assert_eq!(check(&record(&["a"]), latest).await.unwrap(), Vec::<String>::new());
    assert!(!check(&record(&["c"]), Against::All).await.unwrap().is_empty());
    let first = Against::Version(VersionId::Number(1));
    assert_eq!(check(&record(&["a", "b"]), first).await.unwrap().len(), 4);
    let unknown = check(&record(&["a"]), Against::Version(VersionId::Number(9))).await.unwrap_err();
    assert_eq!(says(&unknown), (40402, "Version 9 not found.".to_owned()));
    let (none, candidate) = (Subject::read("none"), of(&record(&["a"])));
    let nowhere = actions::check_compatibility(store, &act, &none, &candidate, latest, false).await;
    assert!(nowhere.unwrap().is_empty(), "nothing to break");
}

async fn levels_look_as_far_back_as_they_say(store: &Store) {
    let desk = Desk::set(store).await;
    for level in ["BACKWARD", "BACKWARD_TRANSITIVE"] {
        let subject = format!("{level}-s");
        desk.configure(&desk.one, &subject, json!({"compatibility": level})).await.unwrap();
        desk.register(&subject, &record(&["a"])).await;
        desk.register(&subject, &record(&["a", "b?"])).await;
        // Reads the second, not the first.
        let third = desk.try_register(&desk.one, &subject, &of(&record(&["a", "b"]))).await;
        assert_eq!(third.is_ok(), level == "BACKWARD", "{level}");
    }
    desk.configure(&desk.one, "none-s", json!({"compatibility": "none"})).await.unwrap();
    desk.register("none-s", &record(&["a"])).await;
    assert_eq!(desk.register("none-s", r#""int""#).await.version, 2);
}

async fn what_is_no_schema_says_so(store: &Store) {
    let desk = Desk::set(store).await;
    let long = format!(r#"{{"type":"string","x":"{}"}}"#, "y".repeat(300_000));
    let cases = [
        (of("{\"type\":\"rekord\"}"), 42201),
        (of("{"), 42201),
        (of(""), 42201),
        (of(r#"{"type":"record","name":"中","fields":[]}"#), 42201),
        (of(r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int","default":"x"}]}"#), 42201),
        (Candidate { schema_type: Some("PROTOBUF".to_owned()), ..of("\"int\"") }, 42201),
        (of(&long), 42209),
        (Candidate { version: Some(5), ..of("\"int\"") }, 42201),
        (Candidate { id: Some(5), ..of("\"int\"") }, 42205),
    ];
    for (candidate, code) in cases {
        let wrong = desk.refused("s", &candidate).await;
        assert_eq!(wrong.error_code(), code, "{wrong}");
    }
    for subject in ["", ":.c:", "__GLOBAL", "__EMPTY", "a\u{7}b", ":.__GLOBAL:s"] {
        let wrong = desk.refused(subject, &of("\"int\"")).await;
        assert_eq!(wrong.error_code(), 42208, "{subject:?}: {wrong}");
    }
    assert!(desk.stage.events_from(30).await.is_empty());
}

async fn metadata_and_rules_come_from_before_and_from_settings(store: &Store) {
    let desk = Desk::set(store).await;
    let with = |pairs: &[(&str, &str)]| {
        let properties = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Some(Metadata { properties: properties.collect(), ..Metadata::default() })
    };
    let first = Candidate { metadata: with(&[("owner", "x")]), ..of(&record(&["a"])) };
    let first = desk.try_register(&desk.one, "s", &first).await.unwrap();
    assert_eq!(first.content.beside, Beside { metadata: with(&[("owner", "x")]), ..Beside::default() });
    let second = desk.register("s", &record(&["a", "b?"])).await;
    assert_eq!(second.content.beside.metadata, with(&[("owner", "x")]), "from the version before");
    let request = json!({"defaultMetadata": {"properties": {"owner": "d", "zone": "d"}},
        "overrideMetadata": {"properties": {"kept": "o"}}});
    desk.configure(&desk.one, "s", request).await.unwrap();
    let third = Candidate { metadata: with(&[("owner", "y")]), ..of(&record(&["a", "b?"])) };
    let third = desk.try_register(&desk.one, "s", &third).await.unwrap();
    assert_eq!(third.version, 3, "other metadata is another content");
    assert_eq!(third.content.beside.metadata, with(&[("kept", "o"), ("owner", "y"), ("zone", "d")]));
    let empty = Candidate { metadata: with(&[("owner", "z")]), ..of("") };
    let empty = desk.try_register(&desk.one, "s", &empty).await.unwrap();
    assert_eq!(
        (empty.version, &empty.content.text),
        (4, &third.content.text),
        "the text of the version before"
    );
    let (subject, pairs) = (Subject::read("s"), [("owner".to_owned(), "y".to_owned())]);
    let found = store.registry_with_metadata(&desk.one, &subject, &pairs, false).await;
    assert_eq!(found.unwrap().version, 3);
    let rules = json!({"domainRules": [{"name": "r", "type": "CEL", "mode": "UPGRADE"}]});
    let wrong = Candidate { rule_set: serde_json::from_value(rules).unwrap(), ..of("\"int\"") };
    assert_eq!(desk.refused("s", &wrong).await.error_code(), 42210);
}

/// Who starts sends its schema as it ever did, whatever metadata a later version has.
async fn what_stands_as_it_was_sent_is_not_completed(store: &Store) {
    let desk = Desk::set(store).await;
    let (old, new) = (record(&["a"]), record(&["a", "b?"]));
    let owned: Option<Metadata> = serde_json::from_value(json!({"properties": {"owner": "x"}})).unwrap();
    let first = desk.register("s", &old).await;
    let second = Candidate { metadata: owned.clone(), ..of(&new) };
    let second = desk.try_register(&desk.one, "s", &second).await.unwrap();
    assert_eq!(desk.register("s", &old).await, first);
    assert_eq!(desk.register("s", &new).await, second, "nothing stands as this was sent");
    let unlike = Candidate { metadata: owned.clone(), ..of(&old) };
    let third = desk.try_register(&desk.one, "s", &unlike).await.unwrap();
    assert_eq!(third.version, 3, "whoever says metadata means them");
    assert_eq!(desk.register("s", &old).await, first);
    for (set, settled) in [("defaultMetadata", "d"), ("overrideMetadata", "o")] {
        desk.configure(&desk.one, "s", json!({set: {"properties": {"zone": settled}}})).await.unwrap();
        let completed = desk.register("s", &old).await;
        let metadata = completed.content.beside.metadata.as_ref().unwrap();
        assert_eq!(metadata.properties["zone"], settled, "whatever is registered gets what is set");
    }
    for set in ["defaultMetadata", "overrideMetadata"] {
        desk.configure(&desk.one, "s", json!({set: null})).await.unwrap();
    }
    assert_eq!(desk.register("s", &old).await, first);
    desk.delete_version("s", 1, false).await.unwrap();
    assert_eq!(desk.register("s", &old).await.version, 5, "what is hidden does not stand");
}

async fn what_stands_is_answered_while_another_writes(store: &Store) {
    let desk = Desk::set(store).await;
    let first = desk.register("s", &record(&["a"])).await;
    let mut held = store.begin().await.unwrap();
    held.lock_exclusive(LockClass::Registry, ".").await.unwrap();
    assert_eq!(desk.register("s", &record(&["a"])).await, first);
    let wrong = desk.refused("s", &of(&record(&["a", "b"]))).await;
    assert_eq!(wrong.error_code(), 409, "what is refused needs no lock either");
    held.finish().await.unwrap();
}

async fn what_changed_meanwhile_is_judged_again(store: &Store) {
    let desk = Desk::set(store).await;
    desk.configure(&desk.one, "s", json!({"compatibility": "FULL_TRANSITIVE"})).await.unwrap();
    // Each fits what was there, any two of them do not fit each other.
    let kinds = ["int", "string", "boolean", "long", "double"];
    let texts = kinds.map(|kind| {
        let field = json!({"name": "x", "type": ["null", kind], "default": null});
        json!({"type": "record", "name": "R", "fields": [field]}).to_string()
    });
    let register = async |text: &str| desk.try_register(&desk.one, "s", &of(text)).await.is_ok();
    let [a, b, c, d, e] = &texts;
    let (a, b, c, d, e) = tokio::join!(register(a), register(b), register(c), register(d), register(e));
    assert_eq!([a, b, c, d, e].into_iter().filter(|done| *done).count(), 1);
    // And what does fit gets a number of its own, however many come at once.
    let number = async |field: &str| desk.register("t", &record(&[field])).await.version;
    let (a, b, c, d) = tokio::join!(number("a?"), number("b?"), number("c?"), number("d?"));
    let mut numbers = [a, b, c, d];
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4]);
}

async fn two_at_once_get_one_id(store: &Store) {
    let desk = Desk::set(store).await;
    let register = async |subject: &str| desk.register(subject, &record(&["a"])).await;
    let (one, two, three) = tokio::join!(register("s"), register("s"), register("t"));
    assert_eq!((one.id, one.version), (two.id, two.version));
    assert_eq!(three.id, one.id);
    // Against whoever gives ids to texts of resources, who holds no lock of the registry.
    let of_resource = async || {
        let mut tx = store.begin().await.unwrap();
        let schema = tx.register_schema("\"bytes\"", crate::fixture::at(0)).await.unwrap();
        tx.finish().await.unwrap();
        schema.id
    };
    let (registered, given) = tokio::join!(desk.register("bytes", "\"bytes\""), of_resource());
    assert_eq!(registered.id, given);
    let next = desk.register("u", "\"double\"").await.id.0;
    assert!(next > given.0.max(one.id.0), "never given twice");
}

/// Two servers on one database, each with a store of its own.
async fn two_stores_give_one_id(fresh: Fresh) {
    let desk = Desk::set(&fresh.store).await;
    let other = Store::open(&fresh.config).await.unwrap();
    let register = async |store: &Store, subject: &str, text: &str| {
        let (act, subject) = (desk.stage.act(&desk.one, 30), Subject::read(subject));
        actions::register_schema(store, &act, &subject, &of(text), Registering::default()).await.unwrap()
    };
    let mut given = BTreeSet::new();
    for round in 0..10 {
        let text = |side: &str| format!(r#"{{"type":"fixed","name":"F{round}{side}","size":1}}"#);
        let (same, own, theirs) = (text("same"), text("own"), text("theirs"));
        let [s, t, u] = ["s", "t", "u"].map(|side| format!("{side}{round}"));
        let (here, there, mine, his) = tokio::join!(
            register(&fresh.store, &s, &same),
            register(&other, &s, &same),
            register(&fresh.store, &t, &own),
            register(&other, &u, &theirs),
        );
        assert_eq!((here.id, here.version, here.guid), (there.id, there.version, there.guid));
        assert!(here.id != mine.id && mine.id != his.id && his.id != here.id);
        for id in [here.id, mine.id, his.id] {
            assert!(given.insert(id), "{id:?} was given twice");
        }
        let known = other.registry_schema(&desk.one, here.id.0, None).await.unwrap();
        assert_eq!(known.content, here.content);
    }
    other.close().await;
    fresh.done().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_on_one_file_give_one_id() {
    two_stores_give_one_id(testing::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_on_one_database_give_one_id() {
    if let Some(fresh) = testing::postgres().await {
        two_stores_give_one_id(fresh).await;
    }
}

async fn a_subject_is_its_first_agencys(store: &Store) {
    let desk = Desk::set(store).await;
    let text = record(&["a"]);
    desk.register("s", &text).await;
    let foreign = desk.try_register(&desk.other, "s", &of(&text)).await.unwrap_err();
    assert_eq!(says(&foreign), (40301, "User is denied operation Write on Subject: s".to_owned()));
    let subject = Subject::read("s");
    let unseen = store.registry_version(&desk.other, &subject, VersionId::Latest, false).await.unwrap_err();
    assert_eq!(says(&unseen), (40401, "Subject 's' not found.".to_owned()));
    assert_eq!(
        store.registry_schema(&desk.other, 1, None).await.unwrap_err(),
        Wrong::SchemaNotFound(Some("1".to_owned()))
    );
    for seer in [&desk.authority, &desk.operator()] {
        assert!(store.registry_version(seer, &subject, VersionId::Latest, false).await.is_ok());
        assert!(store.registry_schema(seer, 1, None).await.is_ok());
    }
    let registrar = desk.operator();
    assert_eq!(desk.try_register(&registrar, "t", &of(&text)).await.unwrap_err().error_code(), 40301);
    for reserved in ["ct.r.9-value", "ct.in.1-key", "ct.g.3-value"] {
        assert_eq!(desk.refused(reserved, &of(&text)).await.error_code(), 42205);
    }
    // The same schema of another agency is another subject's, with the same id.
    let theirs = desk.try_register(&desk.other, "theirs", &of(&text)).await.unwrap();
    assert_eq!(theirs.id.0, 1);
    assert!(store.registry_schema(&desk.other, 1, None).await.is_ok());
}

conformance!(
    what_stands_as_it_was_sent_is_not_completed,
    equal_schemas_have_one_id_and_each_subject_its_versions,
    a_mere_order_of_properties_is_no_new_version,
    what_breaks_the_earlier_version_is_refused,
    levels_look_as_far_back_as_they_say,
    what_is_no_schema_says_so,
    metadata_and_rules_come_from_before_and_from_settings,
    two_at_once_get_one_id,
    what_stands_is_answered_while_another_writes,
    what_changed_meanwhile_is_judged_again,
    a_subject_is_its_first_agencys,
);
