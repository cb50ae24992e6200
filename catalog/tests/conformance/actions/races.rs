//! Two people at once: one acts, the other is told what stands now, whatever the engine.

use changtong_catalog::actions;
use changtong_catalog::conformance;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::grant::{Cause, GrantState};
use changtong_catalog::request::{Agreement, RequestState};
use changtong_catalog::resource::ShareType;
use changtong_catalog::store::Store;

use super::{Stage, file};

fn one_of<T>(one: Result<T, Refusal>, two: Result<T, Refusal>) -> Refusal {
    match (one, two) {
        (Ok(_), Err(lost)) | (Err(lost), Ok(_)) => lost,
        (Ok(_), Ok(_)) => panic!("both acted"),
        (Err(one), Err(two)) => panic!("nobody acted: {one}, {two}"),
    }
}

async fn two_approvers(store: &Store) {
    let stage = Stage::set(store).await;
    let office = stage.provider().await;
    let editor = stage.act(&office.editor, 10);
    let drafted = actions::draft_resource(store, &editor, file(ShareType::Conditional)).await.unwrap().object;
    actions::submit_resource(store, &editor, &drafted.code, None).await.unwrap();
    let act = stage.act(&office.head, 11);
    let approve = |version| actions::approve_resource(store, &act, &drafted.code, version);
    let (one, two) = tokio::join!(approve(None), approve(None));
    assert_eq!(one_of(one, two).code, Code::InvalidState);
    assert_eq!(stage.events_from(11).await, ["resource.approved"]);
}

async fn two_editors_of_one_version(store: &Store) {
    let stage = Stage::set(store).await;
    let office = stage.provider().await;
    let act = stage.act(&office.editor, 10);
    let drafted = actions::draft_resource(store, &act, file(ShareType::Conditional)).await.unwrap().object;
    let change = |title: &str| {
        let mut file = drafted.file.clone();
        file.title = title.to_owned();
        actions::update_resource(store, &act, &drafted.code, Some(1), file)
    };
    let (one, two) = tokio::join!(change("甲"), change("乙"));
    assert_eq!(one_of(one, two).code, Code::PreconditionFailed);
}

async fn agreed_or_refused_never_both(store: &Store) {
    let stage = Stage::set(store).await;
    let (provider, consumer) = (stage.provider().await, stage.consumer().await);
    let resource = stage.published(&provider, ShareType::Conditional).await;
    let asked = stage.submitted(&consumer, &resource).await;
    let act = stage.act(&provider.head, 25);
    let agreement = Agreement::default();
    let reason = changtong_catalog::request::RefusalReason::Other;
    let (one, two) = tokio::join!(
        actions::agree_request(store, &act, asked.id, None, &agreement),
        actions::refuse_request(store, &act, asked.id, None, reason, None),
    );
    assert_eq!(one_of(one, two).code, Code::InvalidState);
    let stands = store.read().await.unwrap().request(asked.id).await.unwrap().unwrap();
    assert_eq!(stands.grant.is_some(), stands.state == RequestState::Agreed);
}

/// No grant outlives its resource, whichever came first.
async fn a_grant_and_the_end_of_its_resource(store: &Store) {
    let stage = Stage::set(store).await;
    let (provider, consumer) = (stage.provider().await, stage.consumer().await);
    for _ in 0..4 {
        let resource = stage.published(&provider, ShareType::Unconditional).await;
        let id = stage.written(&consumer, &resource).await;
        let (submit, retire) = (stage.act(&consumer.head, 21), stage.act(&provider.head, 22));
        let (asked, retired) = tokio::join!(
            actions::submit_request(store, &submit, id, None),
            actions::retire_resource(store, &retire, &resource.code, None, Cause::LawChanged, None),
        );
        retired.unwrap();
        let mut session = store.read().await.unwrap();
        assert_eq!(session.standing_grants(resource.number).await.unwrap(), []);
        match asked {
            Ok(asked) => {
                let grant = session.grant(asked.object.grant.unwrap()).await.unwrap().unwrap();
                assert_eq!(grant.state, GrantState::Revoked);
            }
            Err(refused) => assert_eq!(refused.code, Code::ResourceRetired),
        }
    }
}

/// A filter by an item, and a revision without it: whatever was judged before, one comes into force.
async fn a_grant_and_a_revision_that_breaks_it(store: &Store) {
    let stage = Stage::set(store).await;
    let (provider, consumer) = (stage.provider().await, stage.consumer().await);
    let agreement = Agreement { filter: Some("dep_delay > 15".to_owned()), ..Agreement::default() };
    for _ in 0..6 {
        let resource = stage.published(&provider, ShareType::Conditional).await;
        let asked = stage.submitted(&consumer, &resource).await;
        let mut file = resource.file.clone();
        file.items.remove(1);
        let editor = stage.act(&provider.editor, 24);
        let (code, version) = (&resource.code, Some(resource.version));
        let waiting = actions::update_resource(store, &editor, code, version, file).await.unwrap().object;
        let act = stage.act(&provider.head, 25);
        let (agreed, revised) = tokio::join!(
            actions::agree_request(store, &act, asked.id, None, &agreement),
            actions::revise_resource(store, &act, code, Some(waiting.version), None),
        );
        let lost = one_of(agreed.map(drop), revised.map(drop));
        assert!(matches!(lost.code, Code::SchemaIncompatible | Code::FilterInvalid), "{lost}");
    }
}

async fn two_revokers(store: &Store) {
    let stage = Stage::set(store).await;
    let (provider, consumer) = (stage.provider().await, stage.consumer().await);
    let resource = stage.published(&provider, ShareType::Unconditional).await;
    let grant = stage.submitted(&consumer, &resource).await.grant.unwrap();
    let act = stage.act(&provider.head, 30);
    let revoke = || actions::revoke_grant(store, &act, grant, None, Cause::PurposeDone, None);
    let (one, two) = tokio::join!(revoke(), revoke());
    let mut replayed = [one.unwrap().replayed, two.unwrap().replayed];
    replayed.sort_unstable();
    assert_eq!(replayed, [false, true], "one revokes, the other finds it done");
    assert_eq!(stage.events_from(30).await, ["grant.revoked"]);
}

conformance!(
    two_approvers,
    two_editors_of_one_version,
    agreed_or_refused_never_both,
    a_grant_and_the_end_of_its_resource,
    a_grant_and_a_revision_that_breaks_it,
    two_revokers,
);
