//! Limits as data (DESIGN.md 6): which there are, and the arithmetic of a day's quota.
//!
//! | limit | bus | agency | account | resource | grant |
//! |---|---|---|---|---|---|
//! | `requests_per_second`, `records_per_second`, `bytes_per_second` | settings | settings | settings | settings | the approved request |
//! | `calls_per_day`, `records_per_day` | | | | | the approved request |
//!
//! These are the names that 429 answers use, with the level they sit on. Rates are kept by `connectors::limit`, a day's
//! quota is counted in the store: by these rules.

use chrono::{DateTime, Days, FixedOffset, NaiveDate, NaiveTime, Utc};

use crate::clock::{Time, rfc3339};
use crate::error::{Code, Refusal};
use crate::ports::for_windows;

/// A quota of a day, which only grants have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quota {
    /// Reads that opened or used a window.
    Calls,
    /// Lines let out, deletes and redelivered ones included.
    Records,
}

impl Quota {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Calls => "calls_per_day",
            Self::Records => "records_per_day",
        }
    }

    /// How much of `asked` the day still gives, after what is used and what open windows hold. Where only those
    /// windows leave nothing, the refusal says so (`waits_for_windows`): their close may give something back.
    pub fn take(self, asked: i64, day: &DayUse, resets_at: Time) -> Result<i64, Refusal> {
        let left = day.left();
        if left > 0 {
            return Ok(asked.min(left));
        }
        let refusal = self.exceeded(day, resets_at);
        Err(if day.used < day.value { for_windows(refusal, day.reserved) } else { refusal })
    }

    fn exceeded(self, day: &DayUse, resets_at: Time) -> Refusal {
        let (limit, DayUse { value, used, .. }) = (self.as_str(), day);
        let at = rfc3339(resets_at);
        Refusal::new(
            Code::QuotaExceeded,
            format!("授权的日限额 {limit}={value} 已用完(已用 {used}),{at} 重置"),
            format!("the grant's quota {limit}={value} is used up ({used} used); it resets at {at}"),
        )
        .with("level", "grant")
        .with("limit", limit)
        .with("value", *value)
        .with("used", *used)
        .with("left", 0)
        .with("resets_at", at)
    }
}

/// A day's quota and what has become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayUse {
    pub value: i64,
    pub used: i64,
    /// What open windows may still let out.
    pub reserved: i64,
}

impl DayUse {
    #[must_use]
    pub fn left(&self) -> i64 {
        self.value.saturating_sub(self.used).saturating_sub(self.reserved).max(0)
    }

    /// What one of several readers may ask for, so that the others find something too.
    #[must_use]
    pub fn share(&self, readers: i64) -> i64 {
        (self.left() / readers.max(1)).max(1)
    }
}

/// A quota day of the deployment's zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    pub date: NaiveDate,
    /// Its first moment that is no more of it.
    pub resets_at: Time,
}

/// The day that a moment belongs to.
#[must_use]
pub fn day(now: Time, zone: FixedOffset) -> Day {
    let date = now.with_timezone(&zone).date_naive();
    let next = date.checked_add_days(Days::new(1)).unwrap_or(date).and_time(NaiveTime::MIN);
    let resets_at = DateTime::<Utc>::from_naive_utc_and_offset(next - zone, Utc);
    Day { date, resets_at }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ports::waits_for_windows;

    fn time(text: &str) -> Time {
        text.parse().unwrap()
    }

    #[test]
    fn a_quota_gives_what_is_left_and_names_itself_when_nothing_is() {
        let resets_at = time("2026-11-24T16:00:00Z");
        let take = |asked, value, used, reserved| {
            Quota::Records.take(asked, &DayUse { value, used, reserved }, resets_at)
        };
        assert_eq!(take(100, 1_000, 0, 0), Ok(100));
        assert_eq!(take(100, 1_000, 900, 60), Ok(40));

        let waits = take(1, 1_000, 900, 100).unwrap_err();
        assert!(waits_for_windows(&waits));
        let used_up = take(1, 1_000, 1_000, 50).unwrap_err();
        assert!(!waits_for_windows(&used_up));
        assert_eq!(used_up.code, Code::QuotaExceeded);
        let extra = serde_json::to_value(&used_up.extra).unwrap();
        let wanted = serde_json::json!({
            "level": "grant", "limit": "records_per_day", "value": 1_000, "used": 1_000, "left": 0,
            "resets_at": "2026-11-24T16:00:00.000000Z",
        });
        assert_eq!(extra, wanted);
        assert!(Quota::Calls.take(1, &DayUse { value: 0, used: 0, reserved: 0 }, resets_at).is_err());
    }

    #[test]
    fn a_day_is_the_zones() {
        let zone = FixedOffset::east_opt(8 * 3_600).unwrap();
        let day_of = |text| day(time(text), zone);
        let first = day_of("2026-11-23T16:00:00Z");
        assert_eq!(first.date.to_string(), "2026-11-24");
        assert_eq!(first.resets_at, time("2026-11-24T16:00:00Z"));
        assert_eq!(day_of("2026-11-24T15:59:59.999999Z"), first);
        assert_eq!(day_of("2026-12-31T16:00:00Z").date.to_string(), "2027-01-01");
    }

    proptest! {
        #[test]
        fn a_day_never_gives_more_than_its_quota(value in 0..500_i64, asks in prop::collection::vec((1..100_i64, 0..100_i64), 0..30)) {
            let mut now = DayUse { value, used: 0, reserved: 0 };
            for (asked, let_out) in asks {
                let Ok(given) = Quota::Records.take(asked, &now, Time::default()) else { continue };
                prop_assert!((1..=asked).contains(&given));
                now.reserved += given;
                prop_assert!(now.used + now.reserved <= value);
                // The window closes later or at once; either way it lets out at most what it was given.
                if let_out % 2 == 0 {
                    now.reserved -= given;
                    now.used += let_out.min(given);
                }
            }
        }

        #[test]
        fn a_moment_lies_in_its_day(seconds in 0..4_000_000_000_i64, hours in -11..14_i32) {
            let zone = FixedOffset::east_opt(hours * 3_600).unwrap();
            let now = DateTime::from_timestamp(seconds, 0).unwrap();
            let today = day(now, zone);
            prop_assert!(now < today.resets_at);
            prop_assert!(today.resets_at - now <= chrono::Duration::days(1));
            prop_assert_eq!(day(today.resets_at, zone).date, today.date.succ_opt().unwrap());
        }
    }
}
