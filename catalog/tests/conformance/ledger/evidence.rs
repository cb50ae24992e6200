//! What happened and what the events say agree (I6); refusals are counted by the minute.

use std::time::Duration;

use changtong_catalog::audit::EventCode;
use changtong_catalog::clock::Clock;
use changtong_catalog::conformance;
use changtong_catalog::error::Code;
use changtong_catalog::ids::Generation;
use changtong_catalog::ports::{Group, Seek};
use changtong_catalog::store::{FirstKept, Mismatch, RefusalCount, Store};
use serde_json::json;

use super::world::{run, world};
use crate::fixture::at;

async fn what_happened_and_the_events_agree(store: &Store) {
    let world = world(store).await;
    let attempts = vec![
        world.claimed("k1", 1, &[run(0, 0, 9), run(1, 0, 3)]),
        world.claimed("k1", 1, &[run(0, 10, 19)]),
        world.attempt(&[run(2, 4, 9)]),
        world.attempt(&[run(2, 9, 12)]),
    ];
    world.publish(attempts).await;
    world.settle([20, 4, 15], [0; 3]).await;
    world.publish(vec![world.attempt(&[run(0, 25, 29)])]).await;
    let first = world.open(world.opening(5)).await.unwrap();
    world.open(world.opening(5)).await.unwrap();
    world.close(world.closing(first.window, 3, [3, 0, 0])).await;
    world.commit(Group { acks: vec![world.ack([3, 0, 0])], ..Group::default() }).await;
    let seek = Seek {
        caller: world.fixture.consumer.clone(),
        subscription: world.fixture.subscription.id,
        view: 7,
        generation: Generation(1),
        position: vec![1, 0, 0],
    };
    let acks = vec![world.ack([9, 0, 0])];
    world.commit(Group { acks, seeks: vec![seek], ..Group::default() }).await;

    let reconciled = store.reconcile(&FirstKept::new()).await.unwrap();
    assert_eq!((reconciled.visible, reconciled.windows), (10 + 4 + 6 + 5, 2));
    // The fixture made entry, request, grant and the untouched subscription without their actions' events.
    let unsaid = [Mismatch::VersionWithoutEvent, Mismatch::PositionWithoutEvent];
    let found: Vec<_> = reconciled.differences.iter().filter(|it| !unsaid.contains(&it.mismatch)).collect();
    assert_eq!(found, Vec::<&changtong_catalog::store::Difference>::new());
    let moved = world.fixture.subscription.id.to_string();
    assert!(reconciled.differences.iter().all(|it| it.object != moved), "{:?}", reconciled.differences);
}

async fn refusals_are_one_event_a_minute(store: &Store) {
    let world = world(store).await;
    let count = |code, minute: i64, count| RefusalCount {
        caller: world.fixture.consumer.clone(),
        code,
        minute: at(60 * minute),
        count,
        resource: Some(world.number()),
        grant: None,
    };
    let (limited, revoked) = (Code::RateLimited, Code::GrantRevoked);
    let counts = [count(limited, 0, 3), count(limited, 0, 2), count(revoked, 0, 1), count(limited, 1, 7)];
    let ids = &*world.ids;
    store.record_refusals(&counts, at(59), ids).await.unwrap();
    assert_eq!(world.events(EventCode::Refused).await.len(), 0);
    store.record_refusals(&[count(limited, 0, 10)], at(60), ids).await.unwrap();
    let mut events = world.events(EventCode::Refused).await;
    events.sort_by_key(|event| event["count"].as_i64());
    assert_eq!(events.len(), 2);
    assert_eq!((&events[0]["refusal"], &events[0]["count"]), (&json!("grant_revoked"), &json!(1)));
    assert_eq!((&events[1]["refusal"], &events[1]["count"]), (&json!("rate_limited"), &json!(15)));
    assert_eq!(events[1]["actor"]["account"], world.fixture.consumer.account.to_string());
    world.clock.advance(Duration::from_secs(600));
    store.record_refusals(&[], world.clock.now(), ids).await.unwrap();
    assert_eq!(world.events(EventCode::Refused).await.len(), 3);
}

conformance!(what_happened_and_the_events_agree, refusals_are_one_event_a_minute);
