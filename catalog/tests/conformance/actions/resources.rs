//! An entry's life.

use changtong_catalog::actions;
use changtong_catalog::conformance;
use changtong_catalog::error::Code;
use changtong_catalog::grant::{Cause, GrantState};
use changtong_catalog::ports::Directory;
use changtong_catalog::resource::{Kind, ResourceState, ShareType};
use changtong_catalog::store::Store;

use super::{Stage, at, file};

async fn an_entry_is_written_checked_and_published_by_two(store: &Store) {
    let stage = Stage::set(store).await;
    let office = stage.provider().await;
    let (editor, head) = (stage.act(&office.editor, 10), stage.act(&office.head, 11));
    let drafted = actions::draft_resource(store, &editor, file(ShareType::Conditional)).await.unwrap().object;
    assert_eq!((drafted.number.0, drafted.code.to_string()), (1, "3070220601/000001".to_owned()));
    let code = &drafted.code;

    let mut better = drafted.file.clone();
    better.title = "航班运行信息(新)".to_owned();
    let unnamed = actions::update_resource(store, &editor, code, None, better.clone()).await;
    assert_eq!(unnamed.unwrap_err().code, Code::PreconditionRequired);
    let stale = actions::update_resource(store, &editor, code, Some(7), better.clone()).await;
    assert_eq!(stale.unwrap_err().code, Code::PreconditionFailed);
    let changed =
        actions::update_resource(store, &editor, code, Some(1), better.clone()).await.unwrap().object;
    assert_eq!((changed.version, &changed.file), (2, &better));
    let mut moved = better.clone();
    moved.class = "1010101".to_owned();
    let moved = actions::update_resource(store, &editor, code, Some(2), moved).await;
    assert_eq!(moved.unwrap_err().code, Code::Invalid);

    let early = actions::publish_resource(store, &head, code, None).await;
    assert_eq!(early.unwrap_err().code, Code::InvalidState);
    actions::submit_resource(store, &editor, code, None).await.unwrap();
    let alone = actions::approve_resource(store, &editor, code, None).await;
    assert_eq!(alone.unwrap_err().code, Code::FourEyes);
    actions::reject_resource(store, &head, code, None, Some("缺少共享范围")).await.unwrap();
    actions::submit_resource(store, &editor, code, None).await.unwrap();
    let approved = actions::approve_resource(store, &head, code, Some(5)).await.unwrap().object;
    assert_eq!(approved.approved_by, Some(office.head.account));
    let published = actions::publish_resource(store, &head, code, Some(6)).await.unwrap().object;
    assert_eq!((published.state, published.version), (ResourceState::Published, 7));
    assert_eq!(published.published_at, Some(at(11)));

    let standing = Directory::resource(store, code).await.unwrap().unwrap();
    assert_eq!(standing.resource, published);
    assert!(standing.value_schema().unwrap().text.contains("\"carrier\""));
    assert!(standing.key_schema.is_some());
    let mut session = store.read().await.unwrap();
    assert_eq!(session.standing_consent(published.number).await.unwrap(), None, "it is conditional");
    assert_eq!(session.notes("resource", "1").await.unwrap()[0].text, "缺少共享范围");
    let (state, first) = session.resource_version(published.number, 1).await.unwrap().unwrap();
    assert_eq!((state, first), (ResourceState::Draft, drafted.file));
    let mut events = stage.events_from(10).await;
    events.sort();
    let mut expected = [
        "resource.drafted",
        "resource.changed",
        "resource.submitted",
        "resource.rejected",
        "resource.submitted",
        "resource.approved",
        "resource.published",
    ];
    expected.sort_unstable();
    assert_eq!(events, expected, "one event for each version");
}

async fn what_others_may_not_see_does_not_exist(store: &Store) {
    let stage = Stage::set(store).await;
    let (office, other) = (stage.provider().await, stage.consumer().await);
    let act = stage.act(&office.editor, 10);
    let drafted = actions::draft_resource(store, &act, file(ShareType::Conditional)).await.unwrap().object;
    let foreign = stage.act(&other.editor, 10);
    let hidden = actions::submit_resource(store, &foreign, &drafted.code, None).await;
    let absent = actions::submit_resource(store, &foreign, &"1010101/000009".parse().unwrap(), None).await;
    assert_eq!(hidden.as_ref().unwrap_err().code, Code::NotFound);
    assert_eq!(hidden, absent, "a hidden entry answers as an absent one");
    let own = actions::draft_resource(store, &foreign, file(ShareType::Conditional)).await;
    assert_eq!(own.unwrap_err().code, Code::Forbidden, "nobody writes for another agency");
    let mut unknown = file(ShareType::Conditional);
    unknown.provider = "nobody".to_owned();
    let unknown = actions::draft_resource(store, &act, unknown).await;
    assert_eq!(unknown.unwrap_err().extra["path"], "provider");
}

async fn publishing_an_unconditional_entry_is_standing_consent(store: &Store) {
    let stage = Stage::set(store).await;
    let office = stage.provider().await;
    let published = stage.published(&office, ShareType::Unconditional).await;
    let mut session = store.read().await.unwrap();
    let consent = session.standing_consent(published.number).await.unwrap().unwrap();
    assert_eq!((consent.by, consent.at), (office.head.account, at(11)));
}

async fn equal_items_get_the_schema_ids_in_order(store: &Store) {
    let stage = Stage::set(store).await;
    let office = stage.provider().await;
    let one = stage.published(&office, ShareType::Unconditional).await;
    let two = stage.published(&office, ShareType::Unconditional).await;
    let ids = [one.schema, one.key_schema, two.schema, two.key_schema].map(|id| id.unwrap().0);
    assert_eq!(ids, [1, 2, 3, 4], "names carry the resource's number, so the texts differ");
}

async fn a_revision_keeps_state_and_schema(store: &Store) {
    let stage = Stage::set(store).await;
    let office = stage.provider().await;
    let published = stage.published(&office, ShareType::Conditional).await;
    let mut revised = published.file.clone();
    revised.summary = "新的摘要".to_owned();
    let after = stage.revised(&office, &published, revised, 12).await.unwrap();
    assert_eq!((after.state, after.schema), (ResourceState::Published, published.schema));
    let mut other = published.file.clone();
    other.kind = Kind::Stream;
    let refused = stage.revised(&office, &after, other, 12).await;
    assert_eq!(refused.unwrap_err().code, Code::Invalid);
    let mut events = stage.events_from(12).await;
    events.sort();
    assert_eq!(events, ["resource.proposal_approved", "resource.proposed", "resource.revised"]);
}

async fn suspend_resume_retire(store: &Store) {
    let stage = Stage::set(store).await;
    let (office, other) = (stage.provider().await, stage.consumer().await);
    let published = stage.published(&office, ShareType::Unconditional).await;
    let asked = stage.submitted(&other, &published).await;
    let grant = asked.grant.unwrap();
    let code = &published.code;

    // The authority suspends anything; the grants stay.
    let act = stage.act(&stage.authority, 30);
    let suspended = actions::suspend_resource(store, &act, code, None, Cause::Security).await.unwrap();
    assert_eq!(suspended.object.state, ResourceState::Suspended);
    let mut session = store.read().await.unwrap();
    assert_eq!(session.grant(grant).await.unwrap().unwrap().state, GrantState::Active);
    let head = stage.act(&office.head, 31);
    let again = actions::suspend_resource(store, &head, code, None, Cause::Security).await.unwrap();
    assert!(again.replayed && again.object.version == suspended.object.version);
    let refused = actions::resume_resource(store, &head, code, None).await;
    assert_eq!(refused.unwrap_err().code, Code::SuspendedByAuthority);
    actions::resume_resource(store, &act, code, None).await.unwrap();
    let again = actions::resume_resource(store, &act, code, None).await;
    assert_eq!(again.unwrap_err().code, Code::InvalidState, "it is not suspended");

    let act = stage.act(&office.head, 32);
    let filing = Some("备案〔2026〕3号");
    let retired = actions::retire_resource(store, &act, code, None, Cause::LawChanged, filing).await.unwrap();
    assert_eq!(retired.object.state, ResourceState::Retired);
    let ended = session.grant(grant).await.unwrap().unwrap();
    assert_eq!((ended.state, ended.cause), (GrantState::Revoked, Some(Cause::LawChanged)));
    assert_eq!(session.standing_consent(published.number).await.unwrap(), None);
    let mut events = stage.events_from(30).await;
    events.sort();
    assert_eq!(events, ["grant.revoked", "resource.resumed", "resource.retired", "resource.suspended"]);
}

conformance!(
    an_entry_is_written_checked_and_published_by_two,
    what_others_may_not_see_does_not_exist,
    publishing_an_unconditional_entry_is_standing_consent,
    equal_items_get_the_schema_ids_in_order,
    a_revision_keeps_state_and_schema,
    suspend_resume_retire,
);
