//! What the store remembers of keys and entries is never older than the last change.

use changtong_catalog::conformance;
use changtong_catalog::ids::{Generation, TopicName};
use changtong_catalog::ports::{Directory, Ledger, Topic};
use changtong_catalog::resource::ResourceState;
use changtong_catalog::store::{ResourceChange, Store};

use crate::fixture::{at, catalog};
use crate::ledger::world::{run, world};

async fn a_change_of_an_entry_is_seen_by_the_next_question(store: &Store) {
    let fixture = catalog(store).await;
    let mut resource = fixture.resource.clone();
    let code = resource.code.clone();
    for state in [ResourceState::Suspended, ResourceState::Published, ResourceState::Retired] {
        // Asked twice: the second answer may come from memory, and so may the first after a change.
        for _ in 0..2 {
            assert_eq!(store.resource(&code).await.unwrap().unwrap().resource, resource);
            let by_number = store.resource_by_number(resource.number).await.unwrap().unwrap();
            assert_eq!(by_number.resource, resource);
            let read = store.subscription(fixture.subscription.id).await.unwrap().unwrap();
            assert_eq!(read.resource.resource, resource);
        }
        (resource.state, resource.version) = (state, resource.version + 1);
        let change = ResourceChange { action: "suspend", by: fixture.provider.account, at: at(2000) };
        let mut tx = store.begin().await.unwrap();
        tx.update_resource(&resource, change).await.unwrap();
        tx.finish().await.unwrap();
    }
    assert_eq!(store.resource(&code).await.unwrap().unwrap().resource, resource);
}

async fn a_topic_is_seen_as_soon_as_it_is_wanted(store: &Store) {
    let world = world(store).await;
    let code = world.fixture.resource.code.clone();
    let made = Topic { made: true, ..world.topic.clone() };
    assert_eq!(store.resource(&code).await.unwrap().unwrap().topic, Some(made.clone()));
    let other = Topic {
        name: TopicName::records("", world.number(), Generation(2)),
        generation: Generation(2),
        made: false,
        ..world.topic.clone()
    };
    world.ledger.want_topic(&other).await.unwrap();
    assert_eq!(store.resource(&code).await.unwrap().unwrap().topic, Some(made));
    world.ledger.log_rolled_back(world.number(), Generation(1)).await.unwrap();
    assert!(store.resource(&code).await.unwrap().unwrap().resource.log_rolled_back);
}

async fn a_revoked_key_is_forgotten(store: &Store) {
    let world = world(store).await;
    let key = &world.fixture.provider.key;
    assert!(store.key(key).await.unwrap().unwrap().stands());
    world.publish(vec![world.attempt(&[run(0, 0, 4)])]).await;
    let remembered = store.remembered_key(key);
    assert!(remembered.is_none_or(|record| record.stands() && record.id == *key));
    let mut tx = store.begin().await.unwrap();
    tx.revoke_api_key(key, at(2000)).await.unwrap();
    tx.finish().await.unwrap();
    assert_eq!(store.remembered_key(key), None);
    assert!(!store.key(key).await.unwrap().unwrap().stands());
    assert!(store.remembered_key(key).is_none_or(|record| !record.stands()));
}

conformance!(
    a_change_of_an_entry_is_seen_by_the_next_question,
    a_topic_is_seen_as_soon_as_it_is_wanted,
    a_revoked_key_is_forgotten,
);
