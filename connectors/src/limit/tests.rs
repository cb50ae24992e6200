//! Rates and quotas under a clock that the test moves.

use changtong_catalog::clock::{ManualClock, Time};
use changtong_catalog::ids::ResourceNumber;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn rates(requests: u32, records: u32, bytes: u32) -> Rates {
    Rates {
        requests_per_second: Some(requests),
        records_per_second: Some(records),
        bytes_per_second: Some(bytes),
    }
}

fn limiter() -> (Arc<ManualClock>, Limiter) {
    let clock = Arc::new(ManualClock::at(Time::UNIX_EPOCH));
    (clock.clone(), Limiter::new(clock))
}

fn agency(n: u128) -> Subject {
    Subject::Agency(AgencyId(Uuid::from_u128(n)))
}

#[test]
fn a_refusal_names_the_limit_and_takes_nothing_anywhere() {
    let (clock, limiter) = limiter();
    let levels = [(Subject::Bus, rates(100, 1000, 1 << 20)), (agency(1), rates(100, 50, 1 << 20))];
    limiter.take(&levels, Cost { requests: 1, records: 40, bytes: 10 }).unwrap();
    let refusal = limiter.take(&levels, Cost { requests: 1, records: 20, bytes: 10 }).unwrap_err();
    assert_eq!(refusal.code, Code::RateLimited);
    assert_eq!(refusal.extra["level"], "agency");
    assert_eq!(refusal.extra["limit"], "records_per_second");
    assert_eq!(refusal.extra["value"], 50);
    assert_eq!(refusal.extra["used"], 40);
    assert_eq!(refusal.extra["left"], 10);
    assert_eq!(refusal.extra["resets_at"], "1970-01-01T00:00:00.800000Z");
    assert_eq!(refusal.retry_after, Some(Duration::from_millis(200)));
    let left = limiter.left(&levels);
    let bus_records = left.iter().find(|l| l.level == "bus" && l.limit == "records_per_second").unwrap();
    assert_eq!((bus_records.used, bus_records.left), (40, 960), "the refused call took nothing from the bus");
    clock.advance(Duration::from_millis(200));
    limiter.take(&levels, Cost { requests: 1, records: 20, bytes: 10 }).unwrap();
}

#[test]
fn more_than_a_second_is_worth_is_refused_with_the_value_and_no_time() {
    let (_, limiter) = limiter();
    let levels = [(Subject::Resource(ResourceNumber(7)), rates(10, 100, 1000))];
    for cost in [Cost { records: 101, ..Cost::default() }, Cost { bytes: u64::MAX, ..Cost::default() }] {
        let refusal = limiter.take(&levels, cost).unwrap_err();
        assert_eq!(refusal.code, Code::RateLimited);
        assert_eq!(refusal.retry_after, None);
        assert!(refusal.extra["value"].as_u64().unwrap() < refusal.extra["asked"].as_u64().unwrap());
    }
    limiter.take(&levels, Cost { records: 100, bytes: 1000, requests: 10 }).unwrap();
}

#[test]
fn many_accounts_of_one_agency_share_its_limit() {
    let (_, limiter) = limiter();
    let account = |n: u128| (Subject::Account(AccountId(Uuid::from_u128(n))), rates(10, 10, 10));
    let one = Cost { requests: 1, ..Cost::default() };
    let passed = (0..40)
        .filter(|n| limiter.take(&[(agency(1), rates(12, 99, 99)), account(n % 4)], one).is_ok())
        .count();
    assert_eq!(passed, 12);
    limiter.take(&[(agency(2), rates(12, 99, 99)), account(9)], one).unwrap();
}

#[test]
fn a_rate_of_zero_lets_nothing_through_and_no_rate_everything() {
    let (_, limiter) = limiter();
    let none = [(Subject::Bus, Rates::default())];
    limiter.take(&none, Cost { requests: 1, records: u64::MAX, bytes: u64::MAX }).unwrap();
    assert_eq!(limiter.spare(&none), (u64::MAX, u64::MAX));
    let zero = [(Subject::Bus, rates(0, 0, 0))];
    limiter.take(&zero, Cost { requests: 1, ..Cost::default() }).unwrap_err();
    assert_eq!(limiter.spare(&zero), (0, 0));
    assert!(limiter.left(&zero).iter().all(|left| left.left == 0 && left.used == 0));
}

#[test]
fn idle_subjects_are_dropped_and_busy_ones_kept() {
    let (clock, limiter) = limiter();
    let level = |n| [(agency(n), rates(2, 2, 2))];
    for n in 0..100 {
        limiter.take(&level(n), Cost { requests: 1, ..Cost::default() }).unwrap();
    }
    clock.advance(Duration::from_millis(400));
    limiter.take(&level(7), Cost { requests: 1, ..Cost::default() }).unwrap();
    clock.advance(Duration::from_millis(200));
    limiter.sweep();
    assert_eq!(limiter.subjects(), 1);
    limiter.take(&level(7), Cost { requests: 2, ..Cost::default() }).unwrap_err();
}

proptest! {
    /// Over any stretch of time no more passes than a second's worth at once plus the rate (I9).
    #[test]
    fn what_passes_stays_under_the_rate(
        value in 1_u32..5000,
        calls in prop::collection::vec((0_u64..300, 1_u64..2000), 1..60),
    ) {
        let (clock, limiter) = limiter();
        let level = [(Subject::Bus, rates(1, value, 1))];
        let (mut passed, mut millis) = (0_u64, 0_u64);
        for (pause, n) in calls {
            clock.advance(Duration::from_millis(pause));
            millis += pause;
            let (spare, _) = limiter.spare(&level);
            let taken = limiter.take(&level, Cost { records: n, ..Cost::default() }).is_ok();
            prop_assert_eq!(taken, n <= spare, "what `spare` says is what `take` does");
            passed += if taken { n } else { 0 };
            // Governor rounds the time of one cell down to a whole nanosecond.
            let most = u64::from(value) * (1000 + millis) / 1000 + 1 + millis / 100;
            prop_assert!(passed <= most, "{} passed in {} ms at {}", passed, millis, value);
        }
    }
}
