//! A grant's life and its subscriptions.

use changtong_catalog::actions::{self, NewSubscription};
use changtong_catalog::conformance;
use changtong_catalog::error::Code;
use changtong_catalog::grant::{Cause, Grant, GrantState};
use changtong_catalog::ids::Generation;
use changtong_catalog::lifecycle::Suspender;
use changtong_catalog::request::Agreement;
use changtong_catalog::resource::ShareType;
use changtong_catalog::store::Store;

use super::{Office, Stage, at};

/// Provider, consumer and an active grant between them.
async fn granted(stage: &Stage<'_>) -> (Office, Office, Grant) {
    let (provider, consumer) = (stage.provider().await, stage.consumer().await);
    let resource = stage.published(&provider, ShareType::Unconditional).await;
    let asked = stage.submitted(&consumer, &resource).await;
    let grant = stage.store.read().await.unwrap().grant(asked.grant.unwrap()).await.unwrap().unwrap();
    (provider, consumer, grant)
}

async fn suspend_resume_revoke(store: &Store) {
    let stage = Stage::set(store).await;
    let (provider, consumer, grant) = granted(&stage).await;
    let act = stage.act(&provider.head, 30);
    let (by, cause) = (stage.act(&consumer.head, 30), Cause::ConsumerRequest);
    let by_consumer = actions::revoke_grant(store, &by, grant.id, None, cause, None).await;
    assert_eq!(by_consumer.unwrap_err().code, Code::Forbidden);
    let stale = actions::suspend_grant(store, &act, grant.id, Some(9), Cause::Misuse).await;
    assert_eq!(stale.unwrap_err().code, Code::PreconditionFailed);
    let suspended =
        actions::suspend_grant(store, &act, grant.id, Some(1), Cause::Misuse).await.unwrap().object;
    assert_eq!((suspended.state, suspended.cause), (GrantState::Suspended, Some(Cause::Misuse)));
    let resumed = actions::resume_grant(store, &act, grant.id, None).await.unwrap().object;
    assert_eq!((resumed.state, resumed.cause, resumed.version), (GrantState::Active, None, 3));
    let filing = Some("备案〔2026〕7号");
    let revoked = actions::revoke_grant(store, &act, grant.id, None, Cause::PurposeDone, filing).await;
    assert_eq!(revoked.unwrap().object.state, GrantState::Revoked);
    let late = actions::resume_grant(store, &act, grant.id, None).await;
    assert_eq!(late.unwrap_err().code, Code::InvalidState);
    let notes = store.read().await.unwrap().notes("grant", &grant.id.to_string()).await.unwrap();
    assert_eq!(Some(notes[0].text.as_str()), filing);
    let mut events = stage.events_from(30).await;
    events.sort();
    assert_eq!(events, ["grant.resumed", "grant.revoked", "grant.suspended"]);
}

/// Whoever lost the answer asks again; another cause is another wish.
async fn what_is_done_is_done_again_without_a_trace(store: &Store) {
    let stage = Stage::set(store).await;
    let (provider, _, grant) = granted(&stage).await;
    let act = stage.act(&provider.head, 30);
    for replayed in [false, true] {
        let done = actions::suspend_grant(store, &act, grant.id, Some(1), Cause::Misuse).await.unwrap();
        assert_eq!((done.replayed, done.object.version), (replayed, 2));
    }
    let other = actions::revoke_grant(store, &act, grant.id, None, Cause::Misuse, None).await.unwrap();
    assert_eq!((other.replayed, other.object.version), (false, 3));
    let again = actions::revoke_grant(store, &act, grant.id, Some(2), Cause::Misuse, None).await.unwrap();
    assert_eq!((again.replayed, again.object.version), (true, 3));
    let other = actions::revoke_grant(store, &act, grant.id, None, Cause::Security, None).await;
    assert_eq!(other.unwrap_err().code, Code::InvalidState);
    let mut events = stage.events_from(30).await;
    events.sort();
    assert_eq!(events, ["grant.revoked", "grant.suspended"]);
}

async fn what_the_authority_suspends_it_alone_resumes(store: &Store) {
    let stage = Stage::set(store).await;
    let (provider, _, grant) = granted(&stage).await;
    let (head, authority) = (stage.act(&provider.head, 30), stage.act(&stage.authority, 30));
    let own = actions::suspend_grant(store, &head, grant.id, None, Cause::DataFault).await.unwrap().object;
    assert_eq!(own.suspended_by, Some(Suspender::Provider));
    // The authority's suspension takes the place of the provider's.
    let taken =
        actions::suspend_grant(store, &authority, grant.id, None, Cause::Security).await.unwrap().object;
    assert_eq!((taken.suspended_by, taken.cause), (Some(Suspender::Authority), Some(Cause::Security)));
    let refused = actions::resume_grant(store, &head, grant.id, None).await;
    assert_eq!(refused.unwrap_err().code, Code::SuspendedByAuthority);
    let resumed = actions::resume_grant(store, &authority, grant.id, None).await.unwrap().object;
    assert_eq!((resumed.suspended_by, resumed.cause), (None, None));

    let code = store.read().await.unwrap().resource(grant.resource).await.unwrap().unwrap().code;
    let stopped = actions::suspend_resource(store, &authority, &code, None, Cause::Security).await.unwrap();
    assert_eq!(stopped.object.suspended_by, Some(Suspender::Authority));
    let again = actions::suspend_resource(store, &head, &code, None, Cause::DataFault).await.unwrap();
    assert!(again.replayed);
    let refused = actions::resume_resource(store, &head, &code, None).await;
    assert_eq!(refused.unwrap_err().code, Code::SuspendedByAuthority);
    actions::resume_resource(store, &authority, &code, None).await.unwrap();
    let own = actions::suspend_resource(store, &head, &code, None, Cause::DataFault).await.unwrap().object;
    assert_eq!(own.suspended_by, Some(Suspender::Provider));
    actions::resume_resource(store, &head, &code, None).await.unwrap();
}

async fn while_its_provider_is_shut_out_a_grant_delivers_nothing_and_can_end(store: &Store) {
    let stage = Stage::set(store).await;
    let (provider, consumer, grant) = granted(&stage).await;
    let resource = store.read().await.unwrap().resource(grant.resource).await.unwrap().unwrap();
    let written = stage.written(&consumer, &resource).await;
    let (authority, agency) = (stage.act(&stage.authority, 30), provider.member.agency.id);
    let refused = actions::revoke_grant(store, &authority, grant.id, None, Cause::Security, None).await;
    assert_eq!(refused.unwrap_err().code, Code::Forbidden);
    actions::suspend_agency(store, &authority, agency, None).await.unwrap();

    let act = stage.act(&consumer.integrator, 31);
    let refused = actions::create_subscription(store, &act, subscription(&grant, "copy")).await;
    assert_eq!(refused.unwrap_err().code, Code::ProviderSuspended);
    let (editor, head) = (stage.act(&consumer.editor, 31), stage.act(&consumer.head, 31));
    let refused = actions::write_request(store, &editor, super::request_file(&resource.code)).await;
    assert_eq!(refused.unwrap_err().code, Code::ProviderSuspended);
    let refused = actions::submit_request(store, &head, written, None).await;
    assert_eq!(refused.unwrap_err().code, Code::ProviderSuspended);

    actions::resume_agency(store, &authority, agency).await.unwrap();
    actions::create_subscription(store, &act, subscription(&grant, "copy")).await.unwrap();
    actions::submit_request(store, &head, written, None).await.unwrap();
    actions::suspend_agency(store, &authority, agency, None).await.unwrap();
    actions::suspend_grant(store, &authority, grant.id, None, Cause::Security).await.unwrap();
    let revoked = actions::revoke_grant(store, &authority, grant.id, None, Cause::Security, None).await;
    assert_eq!(revoked.unwrap().object.state, GrantState::Revoked);
}

async fn a_grant_has_only_so_many_subscriptions(store: &Store) {
    let stage = Stage::set(store).await;
    let (_, consumer, grant) = granted(&stage).await;
    let act = stage.act(&consumer.integrator, 30);
    let make = |name| actions::create_subscription(store, &act, subscription(&grant, name));
    let made = tokio::join!(make("a"), make("b"), make("c"), make("d"), make("e"));
    let mut full = 0;
    for made in <[_; 5]>::from(made) {
        if let Err(refusal) = made {
            assert_eq!((refusal.code, &refusal.extra["value"]), (Code::SubscriptionsFull, &3.into()));
            full += 1;
        }
    }
    assert_eq!(full, 2, "however many come at once");
}

async fn time_ends_what_nobody_ended(store: &Store) {
    let stage = Stage::set(store).await;
    let (provider, consumer, grant) = granted(&stage).await;
    let until = grant.valid_until.unwrap();
    let before = until - chrono::Duration::microseconds(1);
    assert_eq!(actions::expire_grants(store, before, &stage.ids).await.unwrap(), []);
    let late = actions::Act { now: until, ..stage.act(&provider.head, 30) };
    let refused = actions::suspend_grant(store, &late, grant.id, None, Cause::Overdue).await;
    assert_eq!(refused.unwrap_err().code, Code::InvalidState, "it is over although no job has marked it");
    let subscribe = actions::Act { now: until, ..stage.act(&consumer.integrator, 30) };
    let refused = actions::create_subscription(store, &subscribe, subscription(&grant, "late")).await;
    assert_eq!(refused.unwrap_err().code, Code::GrantExpired);

    let marked = actions::expire_grants(store, until, &stage.ids).await.unwrap();
    assert_eq!(
        marked.iter().map(|grant| (grant.id, grant.state)).collect::<Vec<_>>(),
        [(grant.id, GrantState::Expired)]
    );
    assert_eq!(actions::expire_grants(store, until, &stage.ids).await.unwrap(), []);
    assert_eq!(stage.events_from(1_000_000).await, ["grant.expired"]);
}

fn subscription(grant: &Grant, name: &str) -> NewSubscription {
    NewSubscription {
        grant: grant.id,
        name: name.to_owned(),
        deletes: true,
        view: 42,
        generation: Generation(1),
        position: vec![0, 0, 0],
    }
}

async fn subscriptions_have_names_of_their_own(store: &Store) {
    let stage = Stage::set(store).await;
    let (provider, consumer, grant) = granted(&stage).await;
    let act = stage.act(&consumer.integrator, 30);
    let made = actions::create_subscription(store, &act, subscription(&grant, "copy")).await.unwrap().object;
    let mut session = store.read().await.unwrap();
    assert_eq!(session.subscription(made.id).await.unwrap().as_ref(), Some(&made));
    let again = actions::create_subscription(store, &act, subscription(&grant, "copy")).await;
    assert_eq!(again.unwrap_err().code, Code::Conflict);
    let foreign = stage.act(&provider.integrator, 30);
    let foreign = actions::create_subscription(store, &foreign, subscription(&grant, "theirs")).await;
    assert_eq!(foreign.unwrap_err().code, Code::Forbidden);
    let by_head = stage.act(&consumer.head, 30);
    let by_head = actions::create_subscription(store, &by_head, subscription(&grant, "head")).await;
    assert_eq!(by_head.unwrap_err().code, Code::Forbidden);
    assert_eq!(stage.events_from(30).await, ["subscription.created"]);
    let act = stage.act(&provider.head, 31);
    actions::suspend_grant(store, &act, grant.id, None, Cause::Misuse).await.unwrap();
    let act = stage.act(&consumer.integrator, 32);
    let suspended = actions::create_subscription(store, &act, subscription(&grant, "more")).await;
    assert_eq!(suspended.unwrap_err().code, Code::GrantSuspended);
}

async fn delete_lines_may_be_forbidden(store: &Store) {
    let stage = Stage::set(store).await;
    let (provider, consumer) = (stage.provider().await, stage.consumer().await);
    let resource = stage.published(&provider, ShareType::Conditional).await;
    let asked = stage.submitted(&consumer, &resource).await;
    let act = stage.act(&provider.head, 25);
    let agreement = Agreement { no_delete_lines: true, ..Agreement::default() };
    let agreed = actions::agree_request(store, &act, asked.id, None, &agreement).await.unwrap().object;
    let grant = store.read().await.unwrap().grant(agreed.grant.unwrap()).await.unwrap().unwrap();
    let act = stage.act(&consumer.integrator, 30);
    let refused = actions::create_subscription(store, &act, subscription(&grant, "copy")).await;
    assert_eq!(refused.unwrap_err().code, Code::DeletesForbidden);
    let without = NewSubscription { deletes: false, ..subscription(&grant, "copy") };
    let made = actions::create_subscription(store, &act, without).await.unwrap().object;
    assert_eq!(made.created_at, at(30));
}

conformance!(
    suspend_resume_revoke,
    what_is_done_is_done_again_without_a_trace,
    what_the_authority_suspends_it_alone_resumes,
    while_its_provider_is_shut_out_a_grant_delivers_nothing_and_can_end,
    a_grant_has_only_so_many_subscriptions,
    time_ends_what_nobody_ended,
    subscriptions_have_names_of_their_own,
    delete_lines_may_be_forbidden,
);
