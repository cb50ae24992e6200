//! What is written is read back equal on both engines, to the microsecond and the last character.

use changtong_catalog::account::{Role, Roles};
use changtong_catalog::clock::{Time, rfc3339};
use changtong_catalog::conformance;
use changtong_catalog::error::Code;
use changtong_catalog::ids::KeyId;
use changtong_catalog::store::{Note, Store, StoredResult};

use super::fixture::{self, at, id};

async fn agencies_and_their_names(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let mut agency = fixture::agency(1, "91370100MA3C00001X", "old-name");
    tx.insert_agency(&agency).await.unwrap();
    tx.finish().await.unwrap();
    let mut session = store.read().await.unwrap();
    assert_eq!(session.agency(agency.id).await.unwrap().as_ref(), Some(&agency));
    assert_eq!(session.agency_named("old-name").await.unwrap().as_ref(), Some(&agency));
    assert_eq!(session.agency_named("91370100MA3C00001X").await.unwrap().as_ref(), Some(&agency));
    assert!(!session.is_empty().await.unwrap());

    let mut tx = store.begin().await.unwrap();
    agency = tx.agency_to_change(agency.id).await.unwrap().unwrap();
    agency.names.alias = Some("new-name".parse().unwrap());
    agency.suspended = true;
    agency.version += 1;
    tx.update_agency(&agency).await.unwrap();
    tx.rename_agency(&agency, at(9)).await.unwrap();
    tx.finish().await.unwrap();
    assert_eq!(session.agency_named("old-name").await.unwrap(), None);
    assert_eq!(session.agency_named("new-name").await.unwrap(), Some(agency));

    // An alias that nobody has any more may be taken again.
    let mut tx = store.begin().await.unwrap();
    tx.insert_agency(&fixture::agency(2, "91370100MA3C00002H", "old-name")).await.unwrap();
    tx.finish().await.unwrap();
    assert_eq!(store.agencies(None, 10).await.unwrap().items.len(), 2);
}

async fn nothing_of_a_dropped_transaction_stays(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    tx.insert_agency(&fixture::agency(1, "91370100MA3C00001X", "gone")).await.unwrap();
    drop(tx);
    let mut session = store.read().await.unwrap();
    assert!(session.is_empty().await.unwrap());
    let mut tx = store.begin().await.unwrap();
    tx.insert_agency(&fixture::agency(1, "91370100MA3C00001X", "here")).await.unwrap();
    tx.finish().await.unwrap();
    assert!(!session.is_empty().await.unwrap());
}

async fn a_failed_statement_fails_the_commit_of_what_it_spoiled(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    tx.insert_agency(&fixture::agency(1, "91370100MA3C00001X", "one")).await.unwrap();
    let taken = tx.insert_agency(&fixture::agency(2, "91370100MA3C00001X", "two")).await.unwrap_err();
    assert_eq!(taken.code, Code::Conflict);
    // PostgreSQL has rolled everything back and must say so; SQLite may still commit the rest.
    let committed = tx.finish().await.is_ok();
    let mut session = store.read().await.unwrap();
    assert_eq!(session.is_empty().await.unwrap(), !committed);
}

async fn accounts_and_keys(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let caller = fixture::member(&mut tx, 1, "91370100MA3C00001X", "one").await;
    let mut account = tx.account_to_change(caller.account).await.unwrap().unwrap();
    assert_eq!(account, fixture::account(1, caller.agency, "first", caller.roles));
    tx.finish().await.unwrap();

    let mut session = store.read().await.unwrap();
    let record = session.key_record(&caller.key).await.unwrap().unwrap();
    assert!(record.stands());
    assert_eq!((record.agency, record.account, record.roles), (caller.agency, caller.account, caller.roles));
    assert_eq!((&record.mac[..], record.pepper.as_str()), (&[7; 32][..], "p1"));
    assert_eq!(session.key_record(&KeyId("key\0".to_owned())).await.unwrap(), None);
    assert_eq!(session.peppers().await.unwrap(), ["p1"]);

    let mut tx = store.begin().await.unwrap();
    account.roles = Roles::from_iter([Role::Integrator]);
    account.suspended = true;
    account.version += 1;
    tx.update_account(&account).await.unwrap();
    tx.key_used(&caller.key, at(20)).await.unwrap();
    tx.key_used(&caller.key, at(10)).await.unwrap();
    tx.finish().await.unwrap();
    let record = session.key_record(&caller.key).await.unwrap().unwrap();
    assert!(!record.stands());
    assert_eq!(record.roles, account.roles);

    let mut tx = store.begin().await.unwrap();
    assert!(tx.key_to_change(&caller.key).await.unwrap().is_some());
    tx.revoke_api_key(&caller.key, at(30)).await.unwrap();
    tx.finish().await.unwrap();
    let key = session.api_key(&caller.key).await.unwrap().unwrap();
    assert_eq!((key.last_used_at, key.revoked_at), (Some(at(20)), Some(at(30))));
    assert_eq!(store.accounts(caller.agency, None, 10).await.unwrap().items, [account]);
    assert_eq!(store.api_keys(caller.account, None, 10).await.unwrap().items, [key]);
    assert_eq!(session.peppers().await.unwrap(), [] as [String; 0]);
}

async fn schema_ids_belong_to_texts(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let first = tx.register_schema("\"string\"", at(0)).await.unwrap();
    let second = tx.register_schema("\"bytes\"", at(0)).await.unwrap();
    assert_eq!(tx.register_schema("\"string\"", at(1)).await.unwrap(), first);
    assert_eq!((first.id.0, second.id.0), (1, 2));
    tx.finish().await.unwrap();
    let mut session = store.read().await.unwrap();
    assert_eq!(session.schema(second.id).await.unwrap(), Some(second));
}

async fn entries_and_their_versions(store: &Store) {
    let made = fixture::catalog(store).await;
    let mut session = store.read().await.unwrap();
    let number = made.resource.number;
    assert_eq!(session.resource(number).await.unwrap().as_ref(), Some(&made.resource));
    assert_eq!(session.resource_number(&made.resource.code).await.unwrap(), Some(number));
    let (state, file) = session.resource_version(number, 1).await.unwrap().unwrap();
    assert_eq!(
        (state, file),
        (changtong_catalog::resource::ResourceState::Draft, made.resource.file.clone())
    );
    assert_eq!(session.standing_consent(number).await.unwrap(), None);

    let consent = changtong_catalog::store::StandingConsent { by: made.provider.account, at: at(7) };
    let mut tx = store.begin().await.unwrap();
    tx.set_standing_consent(number, Some(&consent)).await.unwrap();
    tx.finish().await.unwrap();
    assert_eq!(session.standing_consent(number).await.unwrap(), Some(consent));

    // Somebody else was faster: the version read is no longer the one stored.
    let mut tx = store.begin().await.unwrap();
    let stale = tx.update_resource(&made.resource, fixture::change(&made.provider, "revise", 8)).await;
    assert_eq!(stale.unwrap_err().code, Code::Internal);
}

async fn requests_grants_subscriptions(store: &Store) {
    let made = fixture::catalog(store).await;
    let mut session = store.read().await.unwrap();
    assert_eq!(session.request(made.request.id).await.unwrap().as_ref(), Some(&made.request));
    assert_eq!(session.grant(made.grant.id).await.unwrap().as_ref(), Some(&made.grant));
    assert_eq!(session.subscription(made.subscription.id).await.unwrap().as_ref(), Some(&made.subscription));
    assert_eq!(session.standing_grants(made.resource.number).await.unwrap(), [made.grant.id]);
    assert_eq!(session.overdue_grants(at(86_399), 10).await.unwrap(), []);
    assert_eq!(session.overdue_grants(at(86_400), 10).await.unwrap(), [made.grant.id]);
    let needed = session.handle_keys(at(86_399)).await.unwrap();
    assert_eq!(Vec::from_iter(needed), [made.grant.handle_key.as_str()]);
    assert!(session.handle_keys(at(86_400)).await.unwrap().is_empty(), "one that has run out needs none");

    let mut tx = store.begin().await.unwrap();
    let mut request = tx.request_to_change(made.request.id).await.unwrap().unwrap();
    request.version += 1;
    request.submitted_by = Some(made.consumer.account);
    request.submitted_at = Some(at(6));
    request.answer = Some("同意".to_owned());
    request.grant = Some(made.grant.id);
    tx.update_request(&request).await.unwrap();
    let mut grant = tx.grant_to_change(made.grant.id).await.unwrap().unwrap();
    grant.version += 1;
    grant.state = changtong_catalog::grant::GrantState::Revoked;
    grant.cause = Some(changtong_catalog::grant::Cause::PurposeDone);
    grant.floor = Some(at(1));
    tx.update_grant(&grant).await.unwrap();
    tx.finish().await.unwrap();
    assert_eq!(session.request(request.id).await.unwrap().as_ref(), Some(&request));
    assert_eq!(session.grant(grant.id).await.unwrap().as_ref(), Some(&grant));
    assert_eq!(session.standing_grants(made.resource.number).await.unwrap(), []);
    assert!(session.handle_keys(at(0)).await.unwrap().is_empty(), "nor does one that was revoked");

    for agency in [None, Some(made.provider.agency), Some(made.consumer.agency)] {
        assert_eq!(store.requests(agency, None, 10).await.unwrap().items, [request.clone()]);
        assert_eq!(store.grants(agency, None, None, 10).await.unwrap().items, [grant.clone()]);
    }
    let subscriptions = store.subscriptions(grant.id, None, 10).await.unwrap().items;
    assert_eq!(subscriptions, [made.subscription]);
}

async fn notes_and_stored_results(store: &Store) {
    let made = fixture::catalog(store).await;
    let text = "因系统升级暂停,预计三日";
    let note = Note {
        id: id(0x600),
        kind: "grant".to_owned(),
        object: made.grant.id.to_string(),
        action: "suspend".to_owned(),
        digest: Note::digest_of(text).unwrap().to_string(),
        text: text.to_owned(),
        written_by: made.provider.account,
        written_at: at(8),
    };
    let mut tx = store.begin().await.unwrap();
    tx.keep_note(&note).await.unwrap();
    tx.finish().await.unwrap();
    let object = made.grant.id.to_string();
    assert_eq!(store.read().await.unwrap().notes("grant", &object).await.unwrap(), [note]);

    let claim = changtong_catalog::ports::Claim {
        account: made.provider.account,
        action: "suspend_grant".to_owned(),
        object: object.clone(),
        key: "retry-1".to_owned(),
        hash: [3; 16],
    };
    let result = StoredResult { status: 200, object };
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.claim(&claim).await.unwrap(), None);
    tx.keep_result(&claim, &result, at(8)).await.unwrap();
    tx.finish().await.unwrap();
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.claim(&claim).await.unwrap(), Some(result));
    let other = changtong_catalog::ports::Claim { hash: [4; 16], ..claim };
    assert_eq!(tx.claim(&other).await.unwrap_err().code, Code::IdempotencyKeyReused);
    drop(tx);
    assert_eq!(store.drop_results(at(8)).await.unwrap(), 0);
    assert_eq!(store.drop_results(at(9)).await.unwrap(), 1);
}

async fn connectors(store: &Store) {
    let made = fixture::catalog(store).await;
    let mut connector = changtong_catalog::connector::Connector {
        id: changtong_catalog::ids::ConnectorId(id(0x700)),
        name: "flights-in".to_owned(),
        agency: made.provider.agency,
        account: made.provider.account,
        spec: serde_json::json!({"source": {"file": {"path": "航班.csv", "null": ["", "NA"]}}}),
        desired: changtong_catalog::connector::Desired::Running,
        resets: 0,
        confirmations: 0,
        status: serde_json::json!({}),
        version: 1,
        created_at: at(1),
    };
    let mut tx = store.begin().await.unwrap();
    tx.insert_connector(&connector).await.unwrap();
    tx.finish().await.unwrap();
    let mut session = store.read().await.unwrap();
    let named = session.connector_named(made.provider.agency, "flights-in").await.unwrap();
    assert_eq!(named.as_ref(), Some(&connector));
    assert_eq!(session.connector_named(made.consumer.agency, "flights-in").await.unwrap(), None);

    let mut tx = store.begin().await.unwrap();
    let found = tx.connector_to_change(made.provider.agency, "flights-in").await.unwrap();
    assert_eq!(found.as_ref(), Some(&connector));
    connector.version += 1;
    connector.resets += 1;
    connector.desired = changtong_catalog::connector::Desired::Stopped;
    tx.update_connector(&connector).await.unwrap();
    connector.status = serde_json::json!({"state": "stopped", "lag": 0});
    assert!(tx.report_connector(connector.id, &connector.status).await.unwrap());
    tx.finish().await.unwrap();
    assert_eq!(session.connector(connector.id).await.unwrap().as_ref(), Some(&connector));
    assert_eq!(store.connectors(None, None, 10).await.unwrap().items, [connector.clone()]);
    let others = store.connectors(Some(made.consumer.agency), None, 10).await.unwrap();
    assert_eq!(others.items, []);

    let mut tx = store.begin().await.unwrap();
    tx.delete_connector(connector.id).await.unwrap();
    assert!(!tx.report_connector(connector.id, &connector.status).await.unwrap());
    tx.finish().await.unwrap();
    assert_eq!(session.connector(connector.id).await.unwrap(), None);
}

async fn times_keep_their_microseconds_and_order(store: &Store) {
    let times = ["08:00:00Z", "08:00:00.000001Z", "08:00:00.100000Z", "08:00:00.999999Z", "08:00:01Z"];
    let mut tx = store.begin().await.unwrap();
    let caller = fixture::member(&mut tx, 1, "91370100MA3C00001X", "one").await;
    for time in times {
        let time: Time = format!("2026-03-01T{time}").parse().unwrap();
        tx.key_used(&caller.key, time).await.unwrap();
        let key = tx.api_key(&caller.key).await.unwrap().unwrap();
        assert_eq!(key.last_used_at.map(rfc3339), Some(rfc3339(time)));
    }
}

async fn unicode_comes_back_and_nul_is_refused(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let mut agency = fixture::agency(1, "91370100MA3C00001X", "one");
    agency.names.name = "国家🛫𠮷 e\u{301} \u{202e} '; --\\".to_owned();
    tx.insert_agency(&agency).await.unwrap();
    assert_eq!(tx.agency(agency.id).await.unwrap(), Some(agency));
    let mut nul = fixture::agency(2, "91370100MA3C00002H", "two");
    nul.names.name = "a\0b".to_owned();
    assert_eq!(tx.insert_agency(&nul).await.unwrap_err().code, Code::Invalid);
    assert_eq!(tx.agency_named("a\0b").await.unwrap_err().code, Code::Invalid);
    drop(tx);
    let made = fixture::catalog(store).await;
    let mut tx = store.begin().await.unwrap();
    let mut resource = tx.resource_to_change(made.resource.number).await.unwrap().unwrap();
    resource.version += 1;
    resource.file.summary = "a\0b".to_owned();
    let refused = tx.update_resource(&resource, fixture::change(&made.provider, "revise", 9)).await;
    assert_eq!(refused.unwrap_err().code, Code::Invalid);
}

conformance!(
    agencies_and_their_names,
    nothing_of_a_dropped_transaction_stays,
    a_failed_statement_fails_the_commit_of_what_it_spoiled,
    accounts_and_keys,
    schema_ids_belong_to_texts,
    entries_and_their_versions,
    requests_grants_subscriptions,
    notes_and_stored_results,
    connectors,
    times_keep_their_microseconds_and_order,
    unicode_comes_back_and_nul_is_refused,
);
