//! What readers rest on and lets nobody read any more, however it ended.

use changtong_catalog::account::Role;
use changtong_catalog::api_key::Fallen;
use changtong_catalog::clock::Clock;
use changtong_catalog::conformance;
use changtong_catalog::grant::GrantState;
use changtong_catalog::ids::{GrantId, KeyId};
use changtong_catalog::ports::{Directory, Ended};
use changtong_catalog::resource::ResourceState;
use changtong_catalog::store::{Store, Tx};

use super::world::{World, world};
use crate::fixture::{api_key, at, change, id, new_key};

async fn found(world: &World) -> Vec<Ended> {
    let (key, grant) = (world.fixture.consumer.key.clone(), world.fixture.grant.id);
    world.store.fallen(&[key], &[grant], world.clock.now()).await.unwrap()
}

async fn suspended(tx: &mut Tx, world: &World, agency: bool, to: bool) {
    if agency {
        let mut agency = tx.agency_to_change(world.fixture.consumer.agency).await.unwrap().unwrap();
        (agency.suspended, agency.version) = (to, agency.version + 1);
        tx.update_agency(&agency).await.unwrap();
    } else {
        let mut account = tx.account_to_change(world.fixture.consumer.account).await.unwrap().unwrap();
        (account.suspended, account.version) = (to, account.version + 1);
        tx.update_account(&account).await.unwrap();
    }
}

async fn a_key_falls_with_its_account_and_agency_and_at_its_time(store: &Store) {
    let world = world(store).await;
    let key = world.fixture.consumer.key.clone();
    assert_eq!(found(&world).await, []);
    for (agency, why) in [(false, Fallen::Account), (true, Fallen::Agency)] {
        for to in [true, false] {
            let mut tx = store.begin().await.unwrap();
            suspended(&mut tx, &world, agency, to).await;
            tx.finish().await.unwrap();
            let expected = if to { vec![Ended::Key(key.clone())] } else { Vec::new() };
            assert_eq!(found(&world).await, expected, "{why:?}");
            let record = store.key(&key).await.unwrap().unwrap();
            assert_eq!(record.fallen(world.clock.now()), to.then_some(why));
        }
    }
    let short = KeyId("short001".to_owned());
    let roles = [Role::Integrator].into_iter().collect();
    let mut tx = store.begin().await.unwrap();
    let mut expires = api_key(9, world.fixture.consumer.account, roles);
    (expires.id, expires.expires_at) = (short.clone(), at(2000));
    tx.insert_key(&expires, &new_key(&short)).await.unwrap();
    tx.revoke_api_key(&key, at(900)).await.unwrap();
    tx.finish().await.unwrap();
    assert_eq!(found(&world).await, [Ended::Key(key.clone())]);
    let keys = [short.clone(), KeyId("nobody01".to_owned())];
    let gone = |keys: &[KeyId]| keys.iter().cloned().map(Ended::Key).collect::<Vec<_>>();
    assert_eq!(store.fallen(&keys, &[], at(1999)).await.unwrap(), gone(&keys[1..]));
    assert_eq!(store.fallen(&keys, &[], at(2000)).await.unwrap(), gone(&keys), "to the microsecond");
    assert_eq!(store.key(&short).await.unwrap().unwrap().fallen(at(2000)), Some(Fallen::Expired));
    assert_eq!(store.key(&key).await.unwrap().unwrap().fallen(at(901)), Some(Fallen::Revoked));
}

async fn a_grant_falls_with_its_resource_and_at_its_time(store: &Store) {
    let world = world(store).await;
    let grant = world.fixture.grant.id;
    let fallen = [Ended::Grant(grant)];
    let none: [Ended; 0] = [];
    let until = world.fixture.grant.valid_until.unwrap();
    assert_eq!(store.fallen(&[], &[grant], until).await.unwrap(), fallen, "expired");
    let unknown = GrantId(id(0x999));
    assert_eq!(store.fallen(&[], &[unknown], at(1)).await.unwrap(), [Ended::Grant(unknown)]);

    for to in [ResourceState::Suspended, ResourceState::Published] {
        let mut tx = store.begin().await.unwrap();
        let mut entry = tx.resource_to_change(world.number()).await.unwrap().unwrap();
        (entry.state, entry.version) = (to, entry.version + 1);
        tx.update_resource(&entry, change(&world.fixture.provider, "suspend", 1000)).await.unwrap();
        tx.finish().await.unwrap();
        let expected = if to == ResourceState::Suspended { &fallen[..] } else { &none[..] };
        assert_eq!(found(&world).await, expected);
    }
    for to in [GrantState::Suspended, GrantState::Active] {
        let mut tx = store.begin().await.unwrap();
        let mut stored = tx.grant_to_change(grant).await.unwrap().unwrap();
        (stored.state, stored.version) = (to, stored.version + 1);
        tx.update_grant(&stored).await.unwrap();
        tx.finish().await.unwrap();
        let expected = if to == GrantState::Suspended { &fallen[..] } else { &none[..] };
        assert_eq!(found(&world).await, expected);
    }
    let mut tx = store.begin().await.unwrap();
    let mut provider = tx.agency_to_change(world.fixture.provider.agency).await.unwrap().unwrap();
    (provider.suspended, provider.version) = (true, provider.version + 1);
    tx.update_agency(&provider).await.unwrap();
    tx.finish().await.unwrap();
    assert_eq!(found(&world).await, fallen);
}

/// More than one statement names.
async fn any_number_may_be_asked_about(store: &Store) {
    let world = world(store).await;
    let mut keys: Vec<KeyId> = (0..70_000).map(|n| KeyId(format!("none{n:05}"))).collect();
    keys.push(world.fixture.consumer.key.clone());
    let found = store.fallen(&keys, &[], world.clock.now()).await.unwrap();
    assert_eq!(found.len(), 70_000);
}

conformance!(
    a_key_falls_with_its_account_and_agency_and_at_its_time,
    a_grant_falls_with_its_resource_and_at_its_time,
    any_number_may_be_asked_about,
);
