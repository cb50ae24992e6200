//! Schemas by id and guid, contexts, and import of ids.

use std::time::Duration;

use changtong_catalog::account::Caller;
use changtong_catalog::actions;
use changtong_catalog::audit::Build;
use changtong_catalog::clock::SeededIds;
use changtong_catalog::conformance;
use changtong_catalog::ids::{AgencyId, SchemaId};
use changtong_catalog::registry::{Candidate, Context, Deleted, Mode, Paging, Prefix, Subject, Wrong};
use changtong_catalog::resource::ShareType;
use changtong_catalog::store::{Decision, IDS_AHEAD, LogHolds, Store, Versions};
use tokio::time::timeout;

use super::super::fixture::{at, id};
use super::{Desk, of, record, says};

async fn an_id_is_answered_with_who_has_it(store: &Store) {
    let desk = Desk::set(store).await;
    let first = desk.register("s", &record(&["a"])).await;
    desk.register("t", &record(&["a"])).await;
    let subject = Subject::read("s");
    // Asked twice: the second answer may come from memory.
    for _ in 0..2 {
        let known = store.registry_schema(&desk.one, first.id.0, Some(&subject)).await.unwrap();
        assert_eq!((&known.content, known.guid), (&first.content, first.guid));
        assert_eq!(known.version_in(&subject), Some(1));
        assert_eq!(known.version_in(&Subject::read("u")), None);
    }
    let uses =
        async |deleted| store.registry_uses(&desk.one, 1, None, deleted, Paging::default()).await.unwrap();
    assert_eq!(uses(false).await, [(subject.clone(), 1), (Subject::read("t"), 1)]);
    desk.delete("t", false).await.unwrap();
    assert_eq!(uses(false).await, [(subject.clone(), 1)], "what changed is seen by the next question");
    assert_eq!(uses(true).await.len(), 2);
    let guid = first.guid.to_string();
    assert_eq!(store.registry_guid(&desk.one, &guid).await.unwrap().id, first.id);
    assert_eq!(store.registry_guid_ids(&desk.one, &guid).await.unwrap(), [(Context::default(), first.id)]);
    for wrong in ["nothing", "00000000-0000-0000-0000-000000000000"] {
        let refused = store.registry_guid(&desk.one, wrong).await.unwrap_err();
        assert_eq!(refused, Wrong::SchemaNotFound(Some(wrong.to_owned())));
    }
    let none = store.registry_schema(&desk.one, 99, None).await.unwrap_err();
    assert_eq!(says(&none), (40403, "Schema 99 not found".to_owned()));
    assert_eq!(store.registry_max_id(&Context::default()).await, Ok(1));
}

async fn each_context_has_its_own_ids(store: &Store) {
    let desk = Desk::set(store).await;
    desk.register("s", &record(&["a"])).await;
    desk.register("s", &record(&["a", "b?"])).await;
    let there = desk.register(":.test:s", &record(&["a", "b?"])).await;
    assert_eq!((there.id.0, there.version), (1, 1));
    assert_eq!(there.subject.to_string(), ":.test:s");
    let test = Context::parse("test").unwrap();
    assert_eq!(store.registry_contexts(&desk.one).await.unwrap(), [Context::default(), test.clone()]);
    let in_test = Subject::read(":.test:");
    let known = store.registry_schema(&desk.one, 1, Some(&in_test)).await.unwrap();
    assert_eq!(known.content, there.content);
    assert_ne!(store.registry_schema(&desk.one, 1, None).await.unwrap().content, there.content);
    let guid = there.guid.to_string();
    let ids = store.registry_guid_ids(&desk.one, &guid).await.unwrap();
    assert_eq!(
        ids.iter().map(|(context, id)| (context.as_str(), id.0)).collect::<Vec<_>>(),
        [(".", 2), (".test", 1)]
    );
    let names = async |prefix: &str| {
        let (prefix, all) = (Prefix::read(prefix), Paging::default());
        store.registry_subjects(&desk.one, &prefix, Deleted::Without, all).await.unwrap()
    };
    assert_eq!(names(":*:").await, [":.test:s", "s"]);
    assert_eq!(names("").await, ["s"]);
    assert_eq!(names(":.test:").await, [":.test:s"]);
    assert_eq!(names(":*:S").await, Vec::<String>::new(), "names are told apart by case");

    // Without a context a name is looked for in all of them.
    desk.register(":.test:only", "\"int\"").await;
    assert_eq!(desk.look_up("only", &of("\"int\"")).await.unwrap().subject.to_string(), ":.test:only");
    let any = Prefix::read(":*:");
    let all = async |latest_only, page| {
        let versions = Versions { of: &any, deleted: Deleted::Without, latest_only, handler: None };
        let mut left = store.registry_list(&desk.one, versions, page).await.unwrap();
        let all = store.registry_part(&mut left).await.unwrap();
        assert!(left.is_empty(), "what is short is read at once");
        all
    };
    assert_eq!(all(false, Paging::default()).await.len(), 4);
    let whole = all(false, Paging::default()).await;
    for offset in 0..5 {
        let page = all(false, Paging { offset, limit: Some(2) }).await;
        assert_eq!(page, whole.iter().skip(offset).take(2).cloned().collect::<Vec<_>>(), "{offset}");
    }
    let latest = all(true, Paging { offset: 1, limit: Some(2) }).await;
    let latest: Vec<_> = latest.iter().map(|one| (one.subject.to_string(), one.version)).collect();
    assert_eq!(latest, [(":.test:only".to_owned(), 1), (":.test:s".to_owned(), 1)]);

    let act = desk.stage.act(&desk.authority, 33);
    let full = actions::delete_context(store, &act, &test).await.unwrap_err();
    assert_eq!(says(&full), (42211, "The specified context ':.test:' is not empty.".to_owned()));
    for subject in [":.test:s", ":.test:only"] {
        desk.delete(subject, false).await.unwrap();
        desk.delete(subject, true).await.unwrap();
    }
    actions::delete_context(store, &act, &test).await.unwrap();
    assert_eq!(store.registry_contexts(&desk.authority).await.unwrap(), [Context::default()]);
    assert_eq!(desk.stage.events_from(33).await, ["registry.context_deleted"]);
}

async fn imported_schemas_keep_their_ids_and_versions(store: &Store) {
    let desk = Desk::set(store).await;
    let import = async |caller, subject: &str, force| {
        let act = desk.stage.act(caller, 33);
        actions::set_mode(store, &act, &Subject::read(subject), Some(Mode::Import), force).await
    };
    assert_eq!(import(&desk.one, "s", false).await.unwrap_err().error_code(), 40301, "ids are everybody's");
    desk.register("s", &record(&["x"])).await;
    let there = import(&desk.authority, "s", false).await.unwrap_err();
    assert_eq!(says(&there), (42205, "Cannot import since found existing subjects".to_owned()));
    desk.delete("s", false).await.unwrap();
    import(&desk.authority, "s", false).await.unwrap();
    let subject = Subject::read("s");
    assert_eq!(store.registry_schema(&desk.one, 1, None).await.unwrap_err().error_code(), 40403, "cleared");
    let numbered = |text: &str, id, version| Candidate { id: Some(id), version: Some(version), ..of(text) };
    let with = async |candidate| desk.try_register(&desk.one, "s", &candidate).await;
    let first = with(numbered(&record(&["a"]), 500, 3)).await.unwrap();
    assert_eq!((first.id.0, first.version), (500, 3));
    assert_eq!(with(numbered(&record(&["a"]), 500, 3)).await.unwrap().version, 3, "twice is once");
    let unchecked = with(numbered("\"int\"", 400, 4)).await.unwrap();
    assert_eq!((unchecked.id.0, unchecked.version), (400, 4));
    let taken = with(numbered("\"long\"", 500, 5)).await.unwrap_err();
    assert_eq!(
        says(&taken),
        (42205, "Overwrite new schema with id 500 in context  is not permitted.".to_owned())
    );
    let other = with(numbered("\"int\"", 401, 5)).await.unwrap_err();
    assert_eq!(
        says(&other),
        (42207, "Schema already registered with id 400 instead of input id 401".to_owned())
    );
    assert_eq!(with(numbered("\"long\"", i32::MAX, 5)).await.unwrap_err().error_code(), 42205, "too far");
    assert_eq!(
        desk.refused("s", &of("\"long\"")).await.error_code(),
        42205,
        "without an id it is not imported"
    );
    assert_eq!(with(numbered("\"float\"", 1, 5)).await.unwrap().id.0, 1, "what was taken away may come back");
    assert_eq!(store.registry_mode(&desk.one, &subject, false).await, Ok(Mode::Import));
    assert_eq!(desk.register("t", "\"bytes\"").await.id.0, 501, "ids go on above");
}

async fn nobody_else_answers_for_an_id(store: &Store) {
    let desk = Desk::set(store).await;
    let ours = desk.register("s", "\"int\"").await;
    let theirs = desk.try_register(&desk.other, ":.theirs:named", &of("\"long\"")).await.unwrap();
    assert_eq!((ours.id.0, theirs.id.0), (1, 1));
    let named = Subject::read("named");
    let known = store.registry_schema(&desk.one, 1, Some(&named)).await.unwrap();
    assert_eq!(known.content, ours.content, "a subject that the caller does not see");
    let known = store.registry_schema(&desk.other, 1, Some(&named)).await.unwrap();
    assert_eq!(known.content, theirs.content);
    for reserved in [":.theirs:ct.r.1-value", ":.x:ct.g.1-value"] {
        let wrong = desk.try_register(&desk.other, reserved, &of("\"long\"")).await.unwrap_err();
        assert_eq!(wrong.error_code(), 42205, "{reserved}");
    }
}

async fn a_grants_id_is_the_grants_whatever_subject_is_named(store: &Store) {
    let desk = Desk::set(store).await;
    let entry = desk.stage.published(&desk.office, ShareType::Unconditional).await;
    let asked = desk.stage.submitted(&desk.consumer, &entry).await;
    let mut session = store.read().await.unwrap();
    let granted = session.grant(asked.grant.unwrap()).await.unwrap().unwrap().schema;
    drop(session);
    for number in 1..=granted.0 {
        let text = format!(r#"{{"type":"fixed","name":"F","size":{number}}}"#);
        desk.try_register(&desk.other, &format!(":.theirs:s{number}"), &of(&text)).await.unwrap();
    }
    let named = Subject::read(&format!("s{}", granted.0));
    let known = store.registry_schema(&desk.other, granted.0, Some(&named)).await.unwrap();
    assert_eq!((known.context.clone(), known.id), (Context::default(), granted));
}

async fn what_very_many_have_is_seen_by_who_has_it(store: &Store) {
    let desk = Desk::set(store).await;
    for number in 0..150 {
        desk.register(&format!("s{number:03}"), "\"string\"").await;
    }
    let stranger = Caller { agency: AgencyId(id(0x998)), ..desk.other.clone() };
    let known = store.registry_schema(&desk.one, 1, None).await.unwrap();
    assert!(!known.whole && known.uses.len() < 150, "{}", known.uses.len());
    for caller in [&desk.other, &stranger] {
        // Asked twice: the second answer may come from memory.
        for _ in 0..2 {
            assert_eq!(store.registry_schema(caller, 1, None).await.unwrap_err().error_code(), 40403);
        }
    }
    desk.try_register(&desk.other, "t", &of("\"string\"")).await.unwrap();
    let (last, theirs) = (Subject::read("s149"), Subject::read("t"));
    for (caller, subject) in [(&desk.other, &theirs), (&desk.one, &last), (&desk.one, &theirs)] {
        assert_eq!(store.registry_schema(caller, 1, Some(subject)).await.unwrap().id.0, 1);
    }
    assert_eq!(store.registry_schema(&stranger, 1, None).await.unwrap_err().error_code(), 40403);
    let page = |offset, limit| Paging { offset, limit: Some(limit) };
    let uses = async |caller, page| store.registry_uses(caller, 1, None, false, page).await.unwrap();
    assert_eq!(uses(&desk.other, Paging::default()).await, [(theirs.clone(), 1)]);
    assert_eq!(uses(&desk.one, Paging::default()).await.len(), 150);
    assert_eq!(uses(&desk.one, page(148, 5)).await.len(), 2);
    let users = async |subject, page| store.registry_users(&desk.one, 1, subject, false, page).await.unwrap();
    assert_eq!(users(None, page(149, 5)).await, std::slice::from_ref(&last));
    assert_eq!(users(Some(&last), Paging::default()).await, std::slice::from_ref(&last));
    assert!(users(Some(&theirs), Paging::default()).await.is_empty(), "not its own");
}

async fn a_question_takes_one_connection(store: &Store) {
    let desk = Desk::set(store).await;
    desk.register(":.test:s", "\"int\"").await;
    let mut held = Vec::new();
    // All but one.
    while let Ok(Ok(session)) = timeout(Duration::from_millis(300), store.read()).await {
        held.push(session);
    }
    held.pop();
    assert!(!held.is_empty());
    assert_eq!(desk.look_up("s", &of("\"int\"")).await.unwrap().version, 1);
}

async fn numbers_from_elsewhere_leave_room(store: &Store) {
    let desk = Desk::set(store).await;
    let act = desk.stage.act(&desk.authority, 33);
    actions::set_mode(store, &act, &Subject::read("s"), Some(Mode::Import), false).await.unwrap();
    let numbered = |text: &str, id, version| Candidate { id: Some(id), version: Some(version), ..of(text) };
    let with = async |candidate| desk.try_register(&desk.authority, "s", &candidate).await;
    let far = with(numbered("\"int\"", 10, i32::MAX)).await.unwrap_err();
    assert_eq!(far.error_code(), 42205, "{far}");
    let mut step = 0;
    // As far as one comes by steps.
    let refused = loop {
        step += 1;
        let text = format!(r#"{{"type":"fixed","name":"F","size":{step}}}"#);
        if let Err(refused) = with(numbered(&text, step * 10_000_000, step)).await {
            break refused;
        }
    };
    assert_eq!((refused.error_code(), step), (42205, 108), "{refused}");
}

/// The store is put back to before ids were given out that nothing here shows.
async fn after_a_restore_ids_go_on_well_beyond_in_every_context(store: &Store) {
    let desk = Desk::set(store).await;
    let ours = desk.register("s", "\"int\"").await.id.0;
    let known = desk.register(":.known:s", "\"int\"").await.id.0;
    let lease = store.take_server(id(0xF00), Build("0.1.0"), at(1000), &SeededIds::new(9)).await.unwrap();
    let shown = ours + 40;
    let holds = LogHolds { schema: Some(SchemaId(shown)), ..LogHolds::default() };
    let decision = Decision { holds: &holds, events: &[], declare_dead: true, noted_epoch: 0 };
    store.decide(&decision, lease, at(1000), &SeededIds::new(10)).await.unwrap();

    let ahead = i32::try_from(IDS_AHEAD).unwrap();
    assert_eq!(desk.register("t", "\"long\"").await.id.0, shown + ahead + 1, "beyond what records show");
    assert_eq!(desk.register(":.known:t", "\"long\"").await.id.0, known + ahead + 1);
    // One that the store lacks may have been there.
    assert_eq!(desk.register(":.lacking:s", "\"int\"").await.id.0, ahead + 1);
    assert_eq!(desk.register(":.lacking:t", "\"long\"").await.id.0, ahead + 2);
    // What is brought with its id leaves the others where they are.
    let operator = desk.operator();
    let brought = async |mode| {
        let act = desk.stage.act(&operator, 33);
        actions::set_mode(store, &act, &Subject::read(":.brought:"), mode, false).await.unwrap();
    };
    brought(Some(Mode::Import)).await;
    let five = Candidate { id: Some(5), version: Some(1), ..of("\"int\"") };
    assert_eq!(desk.try_register(&desk.one, ":.brought:s", &five).await.unwrap().id.0, 5);
    brought(None).await;
    assert_eq!(desk.register(":.brought:t", "\"long\"").await.id.0, ahead + 1);
}

conformance!(
    after_a_restore_ids_go_on_well_beyond_in_every_context,
    nobody_else_answers_for_an_id,
    a_grants_id_is_the_grants_whatever_subject_is_named,
    what_very_many_have_is_seen_by_who_has_it,
    a_question_takes_one_connection,
    numbers_from_elsewhere_leave_room,
    an_id_is_answered_with_who_has_it,
    each_context_has_its_own_ids,
    imported_schemas_keep_their_ids_and_versions,
);
