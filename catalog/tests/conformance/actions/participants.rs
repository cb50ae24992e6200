//! Agencies, accounts, keys.

use changtong_catalog::account::{Role, Roles};
use changtong_catalog::actions::{self, NewAgency};
use changtong_catalog::conformance;
use changtong_catalog::error::Code;
use changtong_catalog::grant::Cause;
use changtong_catalog::store::Store;

use super::{Stage, at, key, names};

async fn an_empty_store_gets_its_first_account_once(store: &Store) {
    let stage = Stage::set(store).await;
    let again = actions::bootstrap(store, at(1), &stage.ids, &key("auth0002"), at(9)).await.unwrap();
    assert_eq!(again, None);
    let mut session = store.read().await.unwrap();
    let agency = session.agency_named("authority").await.unwrap().unwrap();
    assert_eq!(agency.id, stage.authority.agency);
    assert!(session.key_record(&stage.authority.key).await.unwrap().unwrap().stands());
    assert_eq!(stage.events_from(0).await, ["agency.added", "account.added", "key.issued"]);
}

async fn an_agency_joins_with_account_and_key(store: &Store) {
    let stage = Stage::set(store).await;
    let office = stage.provider().await;
    let mut session = store.read().await.unwrap();
    let member = &office.member;
    assert_eq!(session.agency(member.agency.id).await.unwrap().as_ref(), Some(&member.agency));
    let roles = [Role::Editor, Role::Reviewer, Role::Integrator].into_iter().collect::<Roles>();
    assert_eq!(session.account(member.account.id).await.unwrap().map(|account| account.roles), Some(roles));
    let stored = session.api_key(&member.key.id).await.unwrap().unwrap();
    assert_eq!(stored.issued_by, Some(stage.authority.account));
    let mut events = stage.events_from(1).await;
    events.sort();
    assert_eq!(events, ["account.added", "account.added", "agency.added", "key.issued"]);

    let new = |code: &str, alias: &str| NewAgency {
        names: names(code, alias),
        account: "first".to_owned(),
        key: key("another1"),
        key_expires_at: at(9),
    };
    let act = stage.act(&stage.authority, 2);
    let taken = actions::add_agency(store, &act, new("11999999FAKE00021N", "transport")).await;
    assert_eq!(taken.unwrap_err().code, Code::Conflict);
    let wrong = actions::add_agency(store, &act, new("11999999FAKE00021X", "other")).await;
    assert_eq!(wrong.unwrap_err().code, Code::InvalidCode);
    let act = stage.act(&office.head, 2);
    let forbidden = actions::add_agency(store, &act, new("11999999FAKE00021N", "other")).await;
    assert_eq!(forbidden.unwrap_err().code, Code::Forbidden);
    assert_eq!(stage.events_from(2).await, [] as [String; 0]);
}

async fn a_suspended_agency_has_no_standing_key(store: &Store) {
    let stage = Stage::set(store).await;
    let office = stage.provider().await;
    let id = office.member.agency.id;
    let act = stage.act(&stage.authority, 5);
    let stands = async || {
        let key = &office.member.key.id;
        store.read().await.unwrap().key_record(key).await.unwrap().unwrap().stands()
    };
    assert!(stands().await);
    let agency = actions::suspend_agency(store, &act, id, Some(Cause::Security)).await.unwrap().object;
    assert!(agency.suspended);
    assert!(!stands().await);
    let again = actions::suspend_agency(store, &act, id, None).await.unwrap();
    assert!(again.replayed && again.object.version == agency.version, "asked again it is done already");
    assert!(!actions::resume_agency(store, &act, id).await.unwrap().object.suspended);
    assert!(stands().await);
    let own = actions::suspend_agency(store, &act, stage.authority.agency, None).await;
    assert_eq!(own.unwrap_err().code, Code::InvalidState);
    let by_member = actions::resume_agency(store, &stage.act(&office.head, 5), id).await;
    assert_eq!(by_member.unwrap_err().code, Code::Forbidden);

    let account = office.member.account.id;
    for replayed in [false, true] {
        let suspended = actions::suspend_account(store, &act, account, None).await.unwrap();
        assert_eq!((suspended.object.suspended, suspended.replayed), (true, replayed));
    }
    assert!(!stands().await);
    let resumed = actions::resume_account(store, &act, account).await.unwrap().object;
    assert!((resumed.version, resumed.suspended) == (3, false));
    assert!(stands().await);
    let own = actions::suspend_account(store, &act, stage.authority.account, None).await;
    assert_eq!(own.unwrap_err().code, Code::InvalidState);
    let mut events = stage.events_from(5).await;
    events.sort();
    assert_eq!(events, ["account.resumed", "account.suspended", "agency.resumed", "agency.suspended"]);
}

async fn accounts_have_roles_that_go_together(store: &Store) {
    let stage = Stage::set(store).await;
    let office = stage.provider().await;
    let agency = office.member.agency.id;
    let act = stage.act(&stage.authority, 5);
    let add = async |name: &str, roles: &[Role]| {
        actions::add_account(store, &act, agency, name, roles.iter().copied().collect()).await
    };
    assert_eq!(add("auditor", &[Role::Auditor, Role::Editor]).await.unwrap_err().code, Code::Invalid);
    assert_eq!(add("nobody", &[]).await.unwrap_err().code, Code::Invalid);
    assert_eq!(add("head", &[Role::Editor]).await.unwrap_err().code, Code::Conflict);
    assert_eq!(add("a\nb", &[Role::Editor]).await.unwrap_err().code, Code::Invalid);
    assert!(add("auditor", &[Role::Auditor]).await.is_ok());
}

async fn keys_are_issued_within_roles_and_revoked_once(store: &Store) {
    let stage = Stage::set(store).await;
    let office = stage.provider().await;
    let account = office.member.account.id;
    let issue = async |caller: &changtong_catalog::account::Caller, id: &str, roles: &[Role]| {
        let scopes = roles.iter().copied().collect();
        actions::issue_key(store, &stage.act(caller, 5), account, scopes, at(100), &key(id)).await
    };
    // An account makes its own, no wider than what it holds now.
    let own = issue(&office.integrator, "own00001", &[Role::Integrator]).await.unwrap().object;
    assert_eq!(own.issued_by, Some(account));
    let wider = issue(&office.integrator, "own00002", &[Role::Editor]).await;
    assert_eq!(wider.unwrap_err().code, Code::Invalid);
    let others = issue(&office.head, "own00003", &[Role::Reviewer]).await;
    assert_eq!(others.unwrap_err().code, Code::NotFound);
    assert!(issue(&stage.authority, "own00004", &[Role::Editor]).await.is_ok());
    let beyond = issue(&stage.authority, "own00005", &[Role::Authority]).await;
    assert_eq!(beyond.unwrap_err().code, Code::Invalid);
    let act = stage.act(&stage.authority, 5);
    let past = actions::issue_key(store, &act, account, own.scopes, at(5), &key("own00006")).await;
    assert_eq!(past.unwrap_err().code, Code::Invalid);

    let foreign = actions::revoke_key(store, &stage.act(&office.head, 6), &own.id, None).await;
    assert_eq!(foreign.unwrap_err().code, Code::NotFound);
    let act = stage.act(&office.integrator, 6);
    let revoked = actions::revoke_key(store, &act, &own.id, None).await.unwrap().object;
    assert_eq!(revoked.revoked_at, Some(at(6)));
    let again = actions::revoke_key(store, &stage.act(&stage.authority, 7), &own.id, None).await.unwrap();
    assert!(again.replayed && again.object.revoked_at == Some(at(6)), "asked again it is done already");
    let record = store.read().await.unwrap().key_record(&own.id).await.unwrap().unwrap();
    assert!(!record.stands());
    assert_eq!(stage.events_from(6).await, ["key.revoked"]);
}

conformance!(
    an_empty_store_gets_its_first_account_once,
    an_agency_joins_with_account_and_key,
    a_suspended_agency_has_no_standing_key,
    accounts_have_roles_that_go_together,
    keys_are_issued_within_roles_and_revoked_once,
);
