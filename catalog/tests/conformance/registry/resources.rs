//! The subjects of resources: what is in force there, and that nothing but the entry changes it.

use std::sync::Arc;

use changtong_catalog::account::Caller;
use changtong_catalog::actions::{self, Act, Against, Registering, Rules};
use changtong_catalog::audit::Build;
use changtong_catalog::clock::{Clock as _, ManualClock, SeededIds};
use changtong_catalog::conformance;
use changtong_catalog::grant::Cause;
use changtong_catalog::ids::{AgencyId, Generation, TopicName};
use changtong_catalog::ports::{Ledger as _, Topic};
use changtong_catalog::registry::{Candidate, Deleted, Mode, Part, Subject, VersionId, Wrong};
use changtong_catalog::resource::{Resource, ShareType};
use changtong_catalog::store::{Store, StoreLedger};
use serde_json::json;

use super::{Desk, of, record, referring};
use crate::fixture::{self, id};

async fn what_is_published_is_the_first_version_of_its_subjects(store: &Store) {
    let desk = Desk::set(store).await;
    let office = &desk.office;
    let entry = desk.stage.published(office, ShareType::Conditional).await;
    let (value, key) = (Subject::read("ct.r.1-value"), Subject::read("ct.r.1-key"));
    for (subject, part, schema) in [(&value, Part::Value, entry.schema), (&key, Part::Key, entry.key_schema)]
    {
        let mut session = store.read().await.unwrap();
        let in_force = session.versions_of_resource(entry.number, Generation(1), part).await.unwrap();
        assert_eq!(in_force.len(), 1);
        assert_eq!((Some(in_force[0].schema), in_force[0].version), (schema, 1));
        assert_eq!(in_force[0].resource_version, entry.version);
        drop(session);
        let seen = store.registry_version(&desk.other, subject, VersionId::Latest, false).await.unwrap();
        assert_eq!((Some(seen.id), seen.version), (schema, 1), "whoever sees the entry sees its schemas");
        let known =
            desk.try_register(&desk.other, &subject.to_string(), &of(&seen.content.text)).await.unwrap();
        assert_eq!(known, seen, "a known text has its id, whoever asks");
        assert!(store.registry_schema(&desk.other, seen.id.0, None).await.is_ok());
        assert_eq!(seen.guid, seen.content.guid());
    }
    let config = store.registry_config(&desk.one, &value, false).await.unwrap();
    assert_eq!(config.compatibility_level.as_deref(), Some("FULL_TRANSITIVE"));
    let settings = json!({"compatibilityGroup": "g", "normalize": true, "validateNewSchemas": false});
    desk.configure(&desk.operator(), "", settings).await.unwrap();
    assert_eq!(
        store.registry_config(&desk.one, &value, true).await.unwrap(),
        config,
        "whatever is set of everything"
    );
}

async fn only_the_entry_changes_them(store: &Store) {
    let desk = Desk::set(store).await;
    let office = &desk.office;
    desk.stage.published(office, ShareType::Conditional).await;
    for caller in [&desk.other, &office.integrator, &office.head] {
        let wrong = desk.try_register(caller, "ct.r.1-value", &of(&record(&["a"]))).await.unwrap_err();
        assert!(matches!(&wrong, Wrong::NotPermitted(text) if text.contains("resource revise")), "{wrong}");
        let act = desk.stage.act(caller, 31);
        let subject = Subject::read("ct.r.1-value");
        let wrong = actions::delete_subject(store, &act, &subject, false).await.unwrap_err();
        assert_eq!(wrong.error_code(), 42205);
        let wrong = actions::delete_version(store, &act, &subject, VersionId::Number(1), false).await;
        assert_eq!(wrong.unwrap_err().error_code(), 42205);
        let wrong =
            desk.configure(caller, "ct.r.1-value", json!({"compatibility": "NONE"})).await.unwrap_err();
        assert_eq!(wrong.error_code(), 42205);
    }
    let latest = Against::Version(VersionId::Latest);
    let subject = Subject::read("ct.r.1-value");
    let candidate = of(&record(&["a"]));
    let act = desk.stage.act(&desk.other, 32);
    let broken = actions::check_compatibility(store, &act, &subject, &candidate, latest, false).await;
    assert!(!broken.unwrap().is_empty());
}

async fn a_withheld_entry_shows_its_schemas_to_nobody_else(store: &Store) {
    let desk = Desk::set(store).await;
    let office = &desk.office;
    let entry = desk.stage.published(office, ShareType::Withheld).await;
    let subject = Subject::read("ct.r.1-value");
    for caller in [&office.integrator, &desk.authority] {
        assert!(store.registry_version(caller, &subject, VersionId::Latest, false).await.is_ok());
    }
    for caller in [&desk.other, &desk.operator()] {
        let unseen = store.registry_version(caller, &subject, VersionId::Latest, false).await.unwrap_err();
        assert_eq!(unseen.error_code(), 40401);
        let id = entry.schema.unwrap().0;
        assert_eq!(store.registry_schema(caller, id, None).await.unwrap_err().error_code(), 40403);
        assert_eq!(
            desk.try_register(caller, "ct.r.1-value", &of("\"int\"")).await.unwrap_err().error_code(),
            42205
        );
    }
}

async fn what_is_retired_may_be_hidden_not_forgotten(store: &Store) {
    let desk = Desk::set(store).await;
    let office = &desk.office;
    let entry = desk.stage.published(office, ShareType::Conditional).await;
    let retire = desk.stage.act(&office.head, 40);
    actions::retire_resource(store, &retire, &entry.code, None, Cause::LawChanged, None).await.unwrap();
    let subject = Subject::read("ct.r.1-value");
    let act = desk.stage.act(&office.integrator, 41);
    let editor = actions::delete_subject(store, &act, &subject, false).await.unwrap_err();
    assert_eq!(editor.error_code(), 40301, "its head does");
    let act = desk.stage.act(&office.head, 41);
    assert_eq!(actions::delete_subject(store, &act, &subject, false).await, Ok(vec![1]));
    let id = entry.schema.unwrap();
    // Records still carry it: by whatever way, what reads them stays.
    let forever = actions::delete_subject(store, &act, &subject, true).await.unwrap_err();
    assert_eq!(forever.error_code(), 42205);
    let one = VersionId::Number(1);
    let forever = actions::delete_version(store, &act, &subject, one, true).await.unwrap_err();
    assert_eq!(forever.error_code(), 42205);
    let key = Subject::read("ct.r.1-key");
    assert_eq!(actions::delete_subject(store, &act, &key, false).await, Ok(vec![1]));
    let steward = desk.stage.act(&desk.authority, 42);
    let everything = Subject::read("");
    actions::set_mode(store, &steward, &everything, Some(Mode::Import), false).await.unwrap();
    let mut session = store.read().await.unwrap();
    let read_by = session.versions_of_resource(entry.number, Generation(1), Part::Value).await.unwrap();
    assert_eq!(read_by.iter().map(|one| one.schema).collect::<Vec<_>>(), [id]);
    assert!(session.schema(id).await.unwrap().is_some());
    drop(session);
    actions::set_mode(store, &steward, &everything, None, false).await.unwrap();
    assert_eq!(
        desk.refused("ct.r.1-value", &of("\"int\"")).await.error_code(),
        42205,
        "and its name is nobody's"
    );
}

async fn a_grants_schema_is_seen_by_both_sides(store: &Store) {
    let desk = Desk::set(store).await;
    let office = &desk.office;
    let entry = desk.stage.published(office, ShareType::Unconditional).await;
    let consumer = &desk.consumer;
    let asked = desk.stage.submitted(consumer, &entry).await;
    let stranger = Caller { agency: AgencyId(id(0x998)), ..desk.other.clone() };
    let mut session = store.read().await.unwrap();
    let grant = session.grant(asked.grant.unwrap()).await.unwrap().unwrap();
    drop(session);
    for caller in [&office.integrator, &consumer.integrator, &desk.authority] {
        assert!(store.registry_schema(caller, grant.schema.0, None).await.is_ok());
    }
    assert_eq!(store.registry_schema(&stranger, grant.schema.0, None).await.unwrap_err().error_code(), 40403);
}

/// Whoever keeps what came by it reads that by the id it came with, whatever the grant holds now.
async fn what_a_grant_held_is_still_seen(store: &Store) {
    let desk = Desk::set(store).await;
    let (office, consumer) = (&desk.office, &desk.consumer);
    let entry = desk.stage.published(office, ShareType::Unconditional).await;
    let asked = desk.stage.submitted(consumer, &entry).await;
    let grant = async || store.read().await.unwrap().grant(asked.grant.unwrap()).await.unwrap().unwrap();
    let held = grant().await.schema;
    let stranger = Caller { agency: AgencyId(id(0x998)), ..desk.other.clone() };
    let text = store.registry_schema(&consumer.integrator, held.0, None).await.unwrap().content.text.clone();

    let mut file = entry.file.clone();
    file.items[2].title = "机长姓名".to_owned();
    desk.stage.revised(office, &entry, file, 40).await.unwrap();
    let act = desk.stage.act(&consumer.integrator, 50);
    actions::move_grant_schema(store, &act, asked.grant.unwrap(), None, 2).await.unwrap();
    assert_ne!(grant().await.schema, held);
    let seen = async || {
        for caller in [&office.integrator, &consumer.integrator, &desk.authority] {
            for id in [held, grant().await.schema] {
                let known = store.registry_schema(caller, id.0, None).await.unwrap();
                let by_guid = store.registry_guid(caller, &known.guid.to_string()).await.unwrap();
                assert_eq!((known.id, by_guid.id), (id, id));
            }
        }
        let unseen = store.registry_schema(&stranger, held.0, None).await.unwrap_err();
        assert_eq!(unseen.error_code(), 40403);
    };
    seen().await;
    // Nor is it forgotten with somebody's subject that has the same text.
    let copy = Subject::read("copy");
    let registered = desk.try_register(&consumer.integrator, "copy", &of(&text)).await.unwrap();
    assert_eq!(registered.id, held);
    for permanent in [false, true] {
        actions::delete_subject(store, &act, &copy, permanent).await.unwrap();
    }
    seen().await;
}

async fn a_new_text_revises_the_entry_that_allows_it(store: &Store) {
    let desk = Desk::set(store).await;
    let entry = desk.opened(ShareType::Conditional).await;
    let subject = Subject::read("ct.r.1-value");
    let before = store.registry_version(&desk.one, &subject, VersionId::Latest, false).await.unwrap();
    let field = r#",{"name":"gate","type":["null","string"],"default":null,"title":"登机口","grade":1}]}"#;
    let text = format!("{}{field}", before.content.text.strip_suffix("]}").unwrap());
    let caller = &desk.office.integrator;
    assert_eq!(desk.try_register(caller, "ct.r.1-value", &of(&text)).await.unwrap_err().error_code(), 42205);
    let head = &desk.office.head;
    let after = desk.try_register(head, "ct.r.1-value", &of(&text)).await.unwrap();
    assert_eq!((after.version, &after.content.text), (2, &text));
    let mut session = store.read().await.unwrap();
    let revised = session.resource(entry.number).await.unwrap().unwrap();
    assert_eq!((revised.schema, revised.version), (Some(after.id), entry.version + 1));
    assert_eq!(revised.file.items.last().unwrap().title, "登机口");
    drop(session);
    assert_eq!(
        desk.try_register(caller, "ct.r.1-value", &of(&text)).await.unwrap(),
        after,
        "known from now on"
    );
    let breaking = before.content.text.replace(r#"["null","long"]"#, r#"["null","boolean"]"#);
    assert_ne!(breaking, before.content.text);
    assert_eq!(desk.try_register(head, "ct.r.1-value", &of(&breaking)).await.unwrap_err().error_code(), 409);
}

async fn modes_and_numbers_count_for_them_too(store: &Store) {
    let desk = Desk::set(store).await;
    let entry = desk.opened(ShareType::Conditional).await;
    let subject = Subject::read(&format!("ct.r.{}-value", entry.number));
    let before = store.registry_version(&desk.one, &subject, VersionId::Latest, false).await.unwrap();
    let field = r#",{"name":"gate","type":["null","string"],"default":null,"title":"登机口","grade":1}]}"#;
    let text = format!("{}{field}", before.content.text.strip_suffix("]}").unwrap());
    let head = &desk.office.head;
    let register = async |candidate: &Candidate| {
        desk.try_register(head, &subject.to_string(), candidate).await.map(|one| one.version)
    };
    let known = of(&before.content.text);
    for numbered in [
        Candidate { id: Some(7), ..of(&text) },
        Candidate { version: Some(2), ..of(&text) },
        Candidate { version: Some(9), ..known.clone() },
        Candidate { id: Some(before.id.0 + 1), ..known.clone() },
    ] {
        assert_eq!(register(&numbered).await.unwrap_err().error_code(), 42205, "numbers are the entry's");
    }
    let own = [
        known.clone(),
        Candidate { version: Some(1), ..known.clone() },
        Candidate { id: Some(before.id.0), ..known.clone() },
    ];
    for own in &own {
        assert_eq!(register(own).await, Ok(1), "its own numbers");
    }
    let steward = desk.stage.act(&desk.authority, 42);
    let everything = Subject::read("");
    for mode in [Mode::ReadOnly, Mode::ReadOnlyOverride, Mode::Import] {
        actions::set_mode(store, &steward, &everything, Some(mode), true).await.unwrap();
        assert_eq!(register(&of(&text)).await.unwrap_err().error_code(), 42205, "{mode:?}");
        for own in &own {
            assert_eq!(register(own).await, Ok(1), "{mode:?}: what is known has its id");
        }
    }
    actions::set_mode(store, &steward, &everything, None, true).await.unwrap();
    assert_eq!(register(&of(&text)).await, Ok(2));
}

/// Its topic, made in the log.
async fn topic_of(store: &Store, entry: &Resource) {
    let (clock, ids) = (Arc::new(ManualClock::at(fixture::at(30))), Arc::new(SeededIds::new(9)));
    let lease = store.take_server(id(0xF00), Build("0.1.0"), clock.now(), &*ids).await.unwrap();
    let ledger = StoreLedger::new(store.clone(), clock, ids, lease.epoch);
    let (resource, generation) = (entry.number, entry.generation);
    let name = TopicName::records("", resource, generation);
    let topic = Topic { name, resource, generation, partitions: 1, made: false };
    ledger.topic_made(&ledger.want_topic(&topic).await.unwrap()).await.unwrap();
}

/// A prefix that is set later names later topics.
async fn what_is_in_force_is_so_under_whatever_prefix(store: &Store) {
    let desk = Desk::set(store).await;
    let entry = desk.opened(ShareType::Conditional).await;
    topic_of(store, &entry).await;
    let rules = Rules { topic_prefix: "later.".to_owned(), ..desk.stage.rules.clone() };
    let act = Act { rules: &rules, ..desk.stage.act(&desk.office.head, 40) };
    store.name_subjects(&rules.topic_prefix).await.unwrap();
    let subject = Subject::read("ct.r.1-value");
    let before = store.registry_version(&desk.one, &subject, VersionId::Latest, false).await.unwrap();
    let field = r#",{"name":"gate","type":["null","string"],"default":null,"title":"登机口","grade":1}]}"#;
    let new = of(&format!("{}{field}", before.content.text.strip_suffix("]}").unwrap()));
    let compatible = actions::check_compatibility(store, &act, &subject, &new, Against::All, false).await;
    assert_eq!(compatible, Ok(Vec::new()));
    let how = Registering::default();
    let after = actions::register_schema(store, &act, &subject, &new, how).await.unwrap();
    assert_eq!((after.version, &after.subject), (2, &subject));
    let key = Subject::read("ct.r.1-key");
    let refused = actions::register_schema(store, &act, &key, &new, how).await.unwrap_err();
    assert_eq!(refused.error_code(), 42205, "keys never change");
}

async fn who_refers_to_them_does_not_hold_them(store: &Store) {
    let desk = Desk::set(store).await;
    let entry = desk.stage.published(&desk.office, ShareType::Conditional).await;
    let subject = format!("ct.r.{}-value", entry.number);
    let value = Subject::read(&subject);
    let full = format!("ct.r{}.Value", entry.number);
    let referring = referring(&format!(r#"{{"type":"array","items":"{full}"}}"#), &[(&full, &subject, 1)]);
    desk.try_register(&desk.other, "theirs", &referring).await.unwrap();
    desk.try_register(&desk.one, "own", &referring).await.unwrap();
    let retire = desk.stage.act(&desk.office.head, 40);
    actions::retire_resource(store, &retire, &entry.code, None, Cause::LawChanged, None).await.unwrap();
    let act = desk.stage.act(&desk.office.head, 41);
    let held = actions::delete_subject(store, &act, &value, false).await.unwrap_err();
    assert_eq!(held.error_code(), 42206, "by its own agency");
    desk.delete("own", false).await.unwrap();
    let hidden = actions::delete_version(store, &act, &value, VersionId::Number(1), false).await;
    assert_eq!(hidden, Ok(1), "another agency does not");
    let theirs = Subject::read("theirs");
    let theirs = store.registry_version(&desk.other, &theirs, VersionId::Latest, false).await.unwrap();
    let context = &theirs.subject.context;
    let resolved = actions::resolve_schema(store, &desk.other, context, &theirs.content).await.unwrap();
    assert!(resolved.contains("carrier"), "it is still read: {resolved}");
}

async fn what_is_answered_is_what_was_put_in_force(store: &Store) {
    let desk = Desk::set(store).await;
    let entry = desk.opened(ShareType::Conditional).await;
    let subject = format!("ct.r.{}-value", entry.number);
    let head = &desk.office.head;
    let before = desk.try_register(head, &subject, &known(store, &desk, &subject).await).await.unwrap();
    let text = |name: &str| {
        let field = format!(r#",{{"name":"{name}","type":["null","string"],"default":null,"grade":1}}]}}"#);
        of(&format!("{}{field}", before.content.text.strip_suffix("]}").unwrap()))
    };
    let first = desk.try_register(head, &subject, &text("gate")).await.unwrap();
    let second = desk.try_register(head, &subject, &text("stand")).await.unwrap();
    assert_eq!((first.version, second.version), (2, 3));
    assert!(second.content.text.contains("stand") && !second.content.text.contains("gate"));
    // What the text means is in force already, by another text.
    let renamed = of(&text("stand").schema.replacen("\"name\":\"Value\"", "\"name\":\"Stand\"", 1));
    let again = desk.try_register(head, &subject, &renamed).await.unwrap();
    assert_eq!((again.version, again.id), (3, second.id));
}

/// What was in force once more has two versions.
async fn what_came_back_is_found_by_its_numbers(store: &Store) {
    let desk = Desk::set(store).await;
    let mut entry = desk.opened(ShareType::Conditional).await;
    let (first, title) = (entry.schema.unwrap(), entry.file.items[2].title.clone());
    for (title, at) in [("别名", 40), (title.as_str(), 50)] {
        let mut file = entry.file.clone();
        file.items[2].title = title.to_owned();
        entry = desk.stage.revised(&desk.office, &entry, file, at).await.unwrap();
    }
    assert_eq!(entry.schema, Some(first));
    let subject = format!("ct.r.{}-value", entry.number);
    let known = known(store, &desk, &subject).await;
    for (given, version) in [(Some(1), Ok(1)), (Some(3), Ok(3)), (None, Ok(3)), (Some(2), Err(42205))] {
        let numbered = Candidate { id: Some(first.0), version: given, ..known.clone() };
        let found = desk.try_register(&desk.office.head, &subject, &numbered).await;
        assert_eq!(found.map(|one| one.version).map_err(|wrong| wrong.error_code()), version, "{given:?}");
    }
}

async fn known(store: &Store, desk: &Desk<'_>, subject: &str) -> Candidate {
    let subject = Subject::read(subject);
    of(&store.registry_version(&desk.one, &subject, VersionId::Latest, false).await.unwrap().content.text)
}

async fn each_generation_has_subjects_of_its_own(store: &Store) {
    let desk = Desk::set(store).await;
    let entry = desk.stage.published(&desk.office, ShareType::Conditional).await;
    let topic = TopicName::records("", entry.number, Generation(2));
    let (of, schema) = ((entry.number, Generation(2), Part::Value), entry.schema.unwrap());
    for (version, at) in [(5, 50), (6, 51)] {
        let mut tx = store.begin().await.unwrap();
        tx.put_in_force(&topic, of, (schema, version), fixture::at(at)).await.unwrap();
        tx.finish().await.unwrap();
    }
    let mut session = store.read().await.unwrap();
    let in_force = session.versions_of_resource(entry.number, Generation(2), Part::Value).await.unwrap();
    let versions: Vec<_> = in_force.iter().map(|one| (one.version, one.resource_version)).collect();
    assert_eq!(versions, [(1, 5)], "what is in force stays as it is");
    assert_eq!(
        session.versions_of_resource(entry.number, Generation(1), Part::Value).await.unwrap().len(),
        1
    );
    drop(session);
    let seen = store.registry_versions(&desk.other, &Subject::read("ct.r.1.2-value"), Deleted::Without).await;
    assert_eq!(seen, Ok(vec![1]));
}

conformance!(
    what_came_back_is_found_by_its_numbers,
    modes_and_numbers_count_for_them_too,
    what_is_in_force_is_so_under_whatever_prefix,
    who_refers_to_them_does_not_hold_them,
    what_is_answered_is_what_was_put_in_force,
    each_generation_has_subjects_of_its_own,
    a_new_text_revises_the_entry_that_allows_it,
    what_is_published_is_the_first_version_of_its_subjects,
    only_the_entry_changes_them,
    a_withheld_entry_shows_its_schemas_to_nobody_else,
    what_is_retired_may_be_hidden_not_forgotten,
    a_grants_schema_is_seen_by_both_sides,
    what_a_grant_held_is_still_seen,
);
