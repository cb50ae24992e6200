//! Two servers of one database: what the first has begun ends before the second takes over, and nothing that the first
//! does afterwards counts, whatever it is (protocol.md 10).

use std::time::Duration;

use changtong_catalog::actions;
use changtong_catalog::audit::Build;
use changtong_catalog::clock::Time;
use changtong_catalog::conformance;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::grant::Cause;
use changtong_catalog::ids::Generation;
use changtong_catalog::resource::ShareType;
use changtong_catalog::store::{LEASE, Lease, Store};

use super::actions::{Stage, key};
use super::fixture::{at, id};

async fn take(store: &Store, node: u128, now: Time, stage: &Stage<'_>) -> Result<Lease, Refusal> {
    store.take_server(id(node), Build("0.1.0"), now, &stage.ids).await
}

async fn no_action_of_a_server_that_lost_the_database_counts(store: &Store) {
    let stage = Stage::set(store).await;
    let lease = take(store, 1, at(0), &stage).await.unwrap();
    let first = store.under(lease.epoch);
    let stage = Stage { store: &first, ..stage };
    let (provider, consumer) = (stage.provider().await, stage.consumer().await);
    let resource = stage.published(&provider, ShareType::Unconditional).await;
    let grant = stage.submitted(&consumer, &resource).await.grant.unwrap();

    let early = take(store, 2, at(9), &stage).await.unwrap_err();
    assert_eq!(early.code, Code::AnotherServerActive);
    assert_eq!(early.extra["node"], id(1).to_string());
    assert!(early.extra.contains_key("until"), "it says until when to wait");
    let second = take(store, 2, at(0) + LEASE, &stage).await.unwrap();

    let lost = |refused: Option<Refusal>| assert_eq!(refused.unwrap().code, Code::AnotherServerActive);
    let (head, integrator) = (stage.act(&provider.head, 30), stage.act(&consumer.integrator, 30));
    let authority = stage.act(&stage.authority, 30);
    let subscription = actions::NewSubscription {
        grant,
        name: "copy".to_owned(),
        deletes: true,
        view: 42,
        generation: Generation(1),
        position: vec![0, 0, 0],
    };
    lost(actions::create_subscription(&first, &integrator, subscription.clone()).await.err());
    lost(actions::revoke_grant(&first, &head, grant, None, Cause::Misuse, None).await.err());
    lost(actions::suspend_resource(&first, &head, &resource.code, None, Cause::Misuse).await.err());
    lost(actions::suspend_agency(&first, &authority, provider.member.agency.id, None).await.err());
    lost(actions::expire_grants(&first, at(100_000_000), &stage.ids).await.err());
    lost(first.forget_claims(at(30)).await.err());
    lost(first.renew_server(lease, at(11)).await.err());
    lost(first.release_server(lease, at(11), &stage.ids).await.err());

    // The second goes on where the first stood.
    let second = store.under(second.epoch);
    actions::create_subscription(&second, &integrator, subscription).await.unwrap();
    actions::revoke_grant(&second, &head, grant, None, Cause::Misuse, None).await.unwrap();
}

/// Between the comparison of an epoch and the commit that rests on it no other server takes the database.
async fn a_take_over_waits_for_what_has_begun(store: &Store) {
    let stage = Stage::set(store).await;
    let lease = take(store, 1, at(0), &stage).await.unwrap();
    let first = store.under(lease.epoch);
    let mut begun = first.begin().await.unwrap();
    begun.insert_agency(&super::fixture::agency(7, "91370100MA3C00001X", "begun")).await.unwrap();

    let (other, ids) = (store.clone(), changtong_catalog::clock::SeededIds::new(99));
    let mut taking =
        tokio::spawn(async move { other.take_server(id(2), Build("0.1.0"), at(0) + LEASE, &ids).await });
    let early = tokio::time::timeout(Duration::from_millis(300), &mut taking).await;
    assert!(early.is_err(), "it waits for the commit");
    begun.finish().await.unwrap();
    assert_eq!(taking.await.unwrap().unwrap().epoch, lease.epoch + 1);
    assert!(store.read().await.unwrap().agency_named("begun").await.unwrap().is_some());
    assert_eq!(first.begin().await.unwrap_err().code, Code::AnotherServerActive);
    let again = actions::bootstrap(&first, at(30), &stage.ids, &key("auth0002"), at(90)).await;
    assert_eq!(again.unwrap_err().code, Code::AnotherServerActive);
}

conformance!(no_action_of_a_server_that_lost_the_database_counts, a_take_over_waits_for_what_has_begun);
