//! Rates and quotas under a clock that the test moves.

use std::sync::Barrier;

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

/// One agency after another, each of which lets one call through, asked for by all callers at the same moment; the last
/// agencies meet a bus that has let all through that it may.
#[test]
fn among_callers_at_once_what_one_level_refuses_is_taken_from_none() {
    const AGENCIES: u32 = 2000;
    const BUS: u32 = 1900;
    let (_, limiter) = limiter();
    let levels = |n: u32| [(Subject::Bus, rates(BUS, 1, 1)), (agency(n.into()), rates(1, 1, 1))];
    let together = Barrier::new(4);
    let caller = || {
        let one = Cost { requests: 1, ..Cost::default() };
        let passes = |n: &u32| {
            together.wait();
            limiter.take(&levels(*n), one).is_ok()
        };
        (0..AGENCIES).filter(passes).collect::<Vec<_>>()
    };
    let mut passed: Vec<u32> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..4).map(|_| scope.spawn(caller)).collect();
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
    });
    passed.sort_unstable();
    assert_eq!(passed, (0..BUS).collect::<Vec<_>>(), "of each agency one call, until the bus refuses");
    let used = |n: u32, level: &str| {
        let left = limiter.left(&levels(n));
        left.iter().find(|left| left.level == level && left.limit == "requests_per_second").unwrap().used
    };
    assert_eq!(used(0, "bus"), BUS, "what an agency refused was not taken from the bus");
    for n in 0..AGENCIES {
        assert_eq!(
            used(n, "agency"),
            u32::from(n < BUS),
            "what the bus refused was not taken from agency {n}"
        );
    }
}

#[test]
fn a_rate_that_changes_begins_anew_with_a_second_s_worth() {
    let (clock, limiter) = limiter();
    let passes = |bus: Rates| {
        let one = Cost { requests: 1, ..Cost::default() };
        (0..100)
            .filter(|_| limiter.take(&[(Subject::Bus, bus), (agency(1), rates(60, 1, 1))], one).is_ok())
            .count()
    };
    assert_eq!((passes(rates(10, 1, 1)), passes(rates(10, 1, 1))), (10, 0));
    assert_eq!((passes(rates(20, 1, 1)), passes(rates(20, 1, 1))), (20, 0), "wider");
    assert_eq!((passes(rates(5, 1, 1)), passes(rates(5, 1, 1))), (5, 0), "narrower");
    assert_eq!((passes(rates(5, 2, 1)), passes(rates(5, 2, 1))), (5, 0), "of another measure");
    assert_eq!(passes(Rates::default()), 20, "what is left of the agency's, which did not change");
    clock.advance(Duration::from_secs(1));
    assert_eq!(passes(rates(5, 2, 1)), 5, "at the new rate");
}

/// Beyond one a nanosecond a rate is counted as that: stricter than what it says, and without an overflow.
#[test]
fn a_rate_beyond_a_thousand_million_is_counted_by_the_nanosecond() {
    let (clock, limiter) = limiter();
    let level = [(Subject::Bus, rates(1, 1, u32::MAX))];
    let bytes = |bytes: u64| limiter.take(&level, Cost { bytes, ..Cost::default() });
    bytes(u32::MAX.into()).unwrap();
    assert_eq!(limiter.spare(&level).1, 0);
    clock.advance(Duration::from_secs(1));
    assert_eq!(limiter.spare(&level).1, 1_000_000_000);
    bytes(1_000_000_001).unwrap_err();
    bytes(1_000_000_000).unwrap();
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
