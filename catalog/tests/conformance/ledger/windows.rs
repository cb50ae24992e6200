//! Delivery windows, quotas and `last_left` (protocol.md 6, 7).

use std::time::Duration;

use changtong_catalog::audit::{Build, EventCode};
use changtong_catalog::clock::Clock;
use changtong_catalog::conformance;
use changtong_catalog::cursor::Cursor;
use changtong_catalog::error::Code;
use changtong_catalog::grant::{Cause, GrantState};
use changtong_catalog::ids::{AgencyId, Generation, KeyId};
use changtong_catalog::ports::{CloseReason, Closing, Ended, Group, Ledger, Opening, waits_for_windows};
use changtong_catalog::request::GrantLimits;
use changtong_catalog::store::{QuotaUse, Store, StoreLedger};
use serde_json::json;

use super::world::{World, code, run, world};
use crate::fixture::id;

async fn a_window_is_committed_with_its_events(store: &Store) {
    let world = world(store).await;
    let opening = world.opening(100);
    let opened = world.open(opening.clone()).await.unwrap();
    assert_eq!((opened.window, opened.most, opened.until), (opening.window, 100, opening.until));
    let event = world.events(EventCode::DeliverOpened).await.remove(0);
    assert_eq!((&event["most"], &event["from"]), (&json!(100), &json!([0, 0, 0])));
    assert_eq!(event["purpose"], "delay-weather");

    let closing = world.closing(opening.window, 30, [10, 20, 0]);
    world.close(closing.clone()).await;
    // Repeated after a commit that nobody heard of, it changes nothing.
    world.close(closing).await;
    let events = world.events(EventCode::DeliverClosed).await;
    assert_eq!(events.len(), 1);
    assert_eq!((&events[0]["sent"], &events[0]["reason"]), (&json!(30), &json!("time")));
    assert_eq!(events[0]["let_out"], json!([10, 20, 0]));
    let used = store.quota_use(opening.grant, opening.day).await.unwrap();
    assert_eq!(used, QuotaUse { calls: 1, records: 30, reserved: 0 });
}

async fn reservations_are_waited_for_and_only_they(store: &Store) {
    let world = world(store).await;
    let limited = |most| Opening { records_per_day: Some(100), ..world.opening(most) };
    let first = world.open(limited(70)).await.unwrap();
    let second = world.open(limited(70)).await.unwrap();
    assert_eq!((first.most, second.most), (70, 30));
    let refused = world.open(limited(70)).await.unwrap_err();
    assert!(waits_for_windows(&refused), "{refused:?}");
    assert_eq!((&refused.extra["limit"], &refused.extra["value"]), (&json!("records_per_day"), &json!(100)));

    // What a window gives back can be reserved in the very commit that closes it.
    let closing = world.closing(first.window, 50, [50, 0, 0]);
    let group = Group { closings: vec![closing], openings: vec![limited(70)], ..Group::default() };
    assert_eq!(world.commit(group).await.openings.remove(0).unwrap().most, 20);

    let closings = vec![world.closing(second.window, 30, [80, 0, 0])];
    world.commit(Group { closings, ..Group::default() }).await;
    let third = world.fixture.grant.id;
    let used = store.quota_use(third, world.clock.now().date_naive()).await.unwrap();
    assert_eq!((used.records, used.reserved), (80, 20));
    let limits = GrantLimits { records_per_day: Some(100), ..GrantLimits::default() };
    assert_eq!(used.left(&limits), (None, Some(0)));
}

async fn what_is_left_is_divided_among_those_who_wait(store: &Store) {
    let world = world(store).await;
    let one_of = |readers| Opening { records_per_day: Some(100), readers, ..world.opening(70) };
    let shares = [one_of(4), one_of(3), one_of(2), one_of(1)];
    let mut most = Vec::new();
    for opening in shares {
        most.push(world.open(opening).await.unwrap().most);
    }
    assert_eq!(most, [25, 25, 25, 25]);
    assert!(waits_for_windows(&world.open(one_of(3)).await.unwrap_err()));
}

async fn a_used_up_quota_says_when_it_begins_anew(store: &Store) {
    let world = world(store).await;
    let limited = |most| Opening { records_per_day: Some(50), calls_per_day: Some(3), ..world.opening(most) };
    let opened = world.open(limited(100)).await.unwrap();
    assert_eq!((opened.most, opened.calls), (50, 1));
    let closing = Closing { further_calls: 1, ..world.closing(opened.window, 50, [50, 0, 0]) };
    world.close(closing).await;
    let refused = world.open(limited(100)).await.unwrap_err();
    assert_eq!(refused.code, Code::QuotaExceeded);
    assert!(!waits_for_windows(&refused));
    assert_eq!(refused.extra["used"], 50);
    assert!(refused.extra["resets_at"].as_str().unwrap().starts_with("2026-03-02T"));

    let unlimited = Opening { records_per_day: None, ..limited(1) };
    let opened = world.open(unlimited.clone()).await.unwrap();
    assert_eq!(opened.calls, 3);
    let same_call = Opening { counts: false, window: world.opening(1).window, ..unlimited.clone() };
    assert_eq!(world.open(same_call).await.unwrap().calls, 3, "a call counts once");
    let again = Opening { window: world.opening(1).window, ..unlimited };
    assert_eq!(world.open(again).await.unwrap_err().extra["limit"], "calls_per_day");
    let tomorrow = limited(10).day.succ_opt().unwrap();
    assert_eq!(world.open(Opening { day: tomorrow, ..limited(10) }).await.unwrap().most, 10);
}

async fn no_window_opens_on_what_does_not_stand(store: &Store) {
    let world = world(store).await;
    let refused = async |opening: Opening| code(&world.open(opening).await);
    let other_version = Opening { grant_version: 2, ..world.opening(1) };
    assert_eq!(refused(other_version).await, Some(Code::PreconditionFailed));
    let other_purpose = Opening { purpose: "something-else".to_owned(), ..world.opening(1) };
    assert_eq!(refused(other_purpose).await, Some(Code::PurposeNotGranted));
    let other_generation = Opening { generation: Generation(2), ..world.opening(1) };
    assert_eq!(refused(other_generation).await, Some(Code::ViewChanged));
    let provider = Opening { caller: world.fixture.provider.clone(), ..world.opening(1) };
    assert_eq!(refused(provider).await, Some(Code::Forbidden));
    let mut unknown_key = world.opening(1);
    unknown_key.caller.key = KeyId("nokeynok".to_owned());
    assert_eq!(refused(unknown_key).await, Some(Code::Unauthenticated));
    assert_eq!(world.events(EventCode::DeliverOpened).await.len(), 0);

    let mut grant = world.fixture.grant.clone();
    (grant.state, grant.version, grant.cause) = (GrantState::Revoked, 2, Some(Cause::Misuse));
    let mut tx = store.begin().await.unwrap();
    tx.update_grant(&grant).await.unwrap();
    tx.finish().await.unwrap();
    assert_eq!(refused(Opening { grant_version: 2, ..world.opening(1) }).await, Some(Code::GrantRevoked));
}

async fn a_window_never_reaches_beyond_its_grant(store: &Store) {
    let world = world(store).await;
    let end = world.fixture.grant.valid_until.unwrap();
    let opening = Opening { until: end + Duration::from_secs(1), ..world.opening(1) };
    assert_eq!(world.open(opening).await.unwrap().until, end);
    world.clock.advance(Duration::from_secs(86_400));
    assert_eq!(code(&world.open(world.opening(1)).await), Some(Code::GrantExpired));
}

/// Lets out of a window of the consumer, by another key if one is named.
async fn let_out(world: &World, key: Option<&KeyId>, next: [i64; 3]) {
    let mut opening = world.opening(100);
    if let Some(key) = key {
        opening.caller.key = key.clone();
    }
    let opened = world.open(opening).await.unwrap();
    world.close(world.closing(opened.window, 1, next)).await;
}

async fn last_left_is_the_farthest_of_the_windows_concerned(store: &Store) {
    let world = world(store).await;
    let second = KeyId("key00077".to_owned());
    let mut key = crate::fixture::api_key(2, world.fixture.consumer.account, world.fixture.consumer.roles);
    key.id = second.clone();
    let mut tx = store.begin().await.unwrap();
    tx.insert_key(&key, &crate::fixture::new_key(&second)).await.unwrap();
    tx.finish().await.unwrap();
    let_out(&world, None, [10, 0, 5]).await;
    let_out(&world, None, [7, 3, 5]).await;
    let_out(&world, Some(&second), [2, 9, 0]).await;

    let subscription = world.fixture.subscription.id;
    let left = async |ended: Ended| world.ledger.last_left(&ended).await.unwrap();
    let next = async |ended: Ended| left(ended).await.remove(&subscription).map(|cursor| cursor.next);
    let consumer = &world.fixture.consumer;
    assert_eq!(next(Ended::Grant(world.fixture.grant.id)).await, Some(vec![10, 9, 5]));
    assert_eq!(next(Ended::Resource(world.number())).await, Some(vec![10, 9, 5]));
    assert_eq!(next(Ended::Account(consumer.account)).await, Some(vec![10, 9, 5]));
    assert_eq!(next(Ended::Agency(consumer.agency)).await, Some(vec![10, 9, 5]));
    assert_eq!(next(Ended::Key(consumer.key.clone())).await, Some(vec![10, 3, 5]));
    assert_eq!(next(Ended::Key(second)).await, Some(vec![2, 9, 0]));
    assert_eq!(next(Ended::Agency(world.fixture.provider.agency)).await, Some(vec![10, 9, 5]), "it provides");
    assert_eq!(left(Ended::Agency(AgencyId(id(0x1FF)))).await.len(), 0);
    // A subscription that nothing was let out of ends too, at its beginning.
    let ends = [
        Ended::Grant(world.fixture.grant.id),
        Ended::Agency(consumer.agency),
        Ended::Agency(world.fixture.provider.agency),
    ];
    for ended in ends {
        let all = left(ended).await;
        let untouched: Vec<&Cursor> =
            all.values().filter(|cursor| cursor.subscription != subscription).collect();
        assert_eq!(untouched.len(), 1);
        assert_eq!(untouched[0].next, [0, 0, 0]);
    }
}

async fn a_suspended_provider_opens_no_window_and_takes_no_record(store: &Store) {
    let world = world(store).await;
    let suspend = async |suspended| {
        let mut tx = store.begin().await.unwrap();
        let mut agency = tx.agency_to_change(world.fixture.provider.agency).await.unwrap().unwrap();
        agency.suspended = suspended;
        agency.version += 1;
        tx.update_agency(&agency).await.unwrap();
        tx.finish().await.unwrap();
    };
    suspend(true).await;
    assert_eq!(code(&world.open(world.opening(1)).await), Some(Code::ProviderSuspended));
    // Its own keys stand no more than its resources.
    assert_eq!(
        code(&world.publish(vec![world.attempt(&[run(0, 0, 4)])]).await[0]),
        Some(Code::Unauthenticated)
    );
    suspend(false).await;
    world.open(world.opening(1)).await.unwrap();
    let wrong = Opening { provider: world.fixture.consumer.agency, ..world.opening(1) };
    assert_eq!(code(&world.open(wrong).await), Some(Code::NotFound), "whose lock was not taken");
}

async fn a_window_left_open_is_closed_as_unknown(store: &Store) {
    let world = world(store).await;
    let opened = world.open(world.opening(40)).await.unwrap();
    assert_eq!(world.ledger.left_open().await.unwrap(), []);

    let now = world.clock.now();
    let lease = store.take_server(world.lease.node, Build("0.1.0"), now, &*world.ids).await.unwrap();
    let next = StoreLedger::new(store.clone(), world.clock.clone(), world.ids.clone(), lease.epoch);
    let left = next.left_open().await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].window, left[0].most, &left[0].from), (opened.window, 40, &vec![0, 0, 0]));
    let closing = Closing { reason: CloseReason::Unknown, ..world.closing(opened.window, 0, [8, 8, 8]) };
    next.commit(&Group { closings: vec![closing], ..Group::default() }).await.unwrap();
    assert_eq!(next.left_open().await.unwrap(), []);
    let event = world.events(EventCode::DeliverClosed).await.remove(0);
    assert_eq!((&event["reason"], &event["most"]), (&json!("unknown"), &json!(40)));
    assert_eq!((event.get("sent"), event.get("digest")), (None, None));
    let used = store.quota_use(world.fixture.grant.id, now.date_naive()).await.unwrap();
    assert_eq!((used.records, used.reserved), (40, 0));
    let left = next.last_left(&Ended::Grant(world.fixture.grant.id)).await.unwrap();
    assert_eq!(left[&world.fixture.subscription.id].next, [8, 8, 8]);
}

async fn floors_are_resolved_once(store: &Store) {
    let world = world(store).await;
    let grant = world.fixture.grant.id;
    let floor =
        async |offsets: [i64; 3]| world.ledger.resolve_floor(grant, Generation(1), &offsets).await.unwrap();
    let stored = async |generation| world.ledger.floor(grant, Generation(generation)).await.unwrap();
    assert_eq!(stored(1).await, None);
    assert_eq!(floor([4, 5, 6]).await, [4, 5, 6]);
    assert_eq!(floor([7, 8, 9]).await, [4, 5, 6]);
    assert_eq!((stored(1).await, stored(2).await), (Some(vec![4, 5, 6]), None));
}

conformance!(
    a_window_is_committed_with_its_events,
    reservations_are_waited_for_and_only_they,
    what_is_left_is_divided_among_those_who_wait,
    a_used_up_quota_says_when_it_begins_anew,
    no_window_opens_on_what_does_not_stand,
    a_window_never_reaches_beyond_its_grant,
    last_left_is_the_farthest_of_the_windows_concerned,
    a_window_left_open_is_closed_as_unknown,
    floors_are_resolved_once,
    a_suspended_provider_opens_no_window_and_takes_no_record,
);
