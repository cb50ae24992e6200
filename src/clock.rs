//! Store time for this process (protocol.md 10): its monotonic clock plus the offset that the store told; and fresh
//! ids from the system's randomness.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use changtong_catalog::clock::{Clock, Ids, Time, to_micros};
use changtong_connectors::fault;
use chrono::{DateTime, TimeDelta};

/// A store whose time moves by more than this against ours cannot be believed, nor can we.
const JUMP: Duration = Duration::from_secs(5);

/// The clock handed to everything.
#[derive(Debug)]
pub struct StoreClock {
    origin: Instant,
    /// Store time at `origin`, in microseconds since 1970.
    offset: AtomicI64,
    /// The latest time given out: small corrections never let time run backwards.
    latest: AtomicI64,
    skewed: AtomicBool,
}

impl StoreClock {
    /// Begins at what the store answered; `asked` and now enclose the moment it did.
    #[must_use]
    pub fn start(store: Time, asked: Instant) -> Self {
        let clock = Self {
            origin: asked,
            offset: AtomicI64::new(0),
            latest: AtomicI64::new(i64::MIN),
            skewed: AtomicBool::new(false),
        };
        let half = asked.elapsed() / 2;
        clock.offset.store(store.timestamp_micros() - micros(half), Ordering::Relaxed);
        clock
    }

    /// Takes a later answer of the store. A jump is not followed: the process is not ready until it is over.
    pub fn correct(&self, store: Time, asked: Instant) {
        let between = (asked - self.origin) + asked.elapsed() / 2;
        self.take(store.timestamp_micros() - micros(between));
    }

    fn take(&self, offset: i64) {
        let jump = offset.abs_diff(self.offset.load(Ordering::Relaxed));
        let skewed = jump > JUMP.as_micros().try_into().unwrap_or(u64::MAX);
        if !skewed {
            self.offset.store(offset, Ordering::Relaxed);
        }
        if self.skewed.swap(skewed, Ordering::Relaxed) != skewed {
            tracing::warn!(
                skewed,
                jump_ms = jump / 1000,
                "store time against the monotonic clock of this process"
            );
        }
    }

    /// Store time jumped: decisions by time cannot be trusted now.
    #[must_use]
    pub fn skewed(&self) -> bool {
        self.skewed.load(Ordering::Relaxed)
    }
}

impl Clock for StoreClock {
    fn now(&self) -> Time {
        let now = self.offset.load(Ordering::Relaxed) + micros(self.origin.elapsed());
        let latest = self.latest.fetch_max(now, Ordering::Relaxed).max(now);
        DateTime::from_timestamp_micros(latest).unwrap_or_default()
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }
}

/// The clock of a machine beside the bus: for what it says of itself, never for what is decided.
#[derive(Debug)]
pub struct MachineClock {
    origin: Instant,
    /// The last look was one ahead: where a fault test lets the clock swing.
    ahead: AtomicBool,
}

impl MachineClock {
    #[must_use]
    pub fn start() -> Self {
        Self { origin: Instant::now(), ahead: AtomicBool::new(false) }
    }

    fn wrong_by(&self) -> TimeDelta {
        if !fault::holds(fault::CLOCK_SWINGS) {
            return TimeDelta::zero();
        }
        let behind = self.ahead.fetch_xor(true, Ordering::Relaxed);
        TimeDelta::days(if behind { -2 } else { 2 })
    }
}

impl Clock for MachineClock {
    fn now(&self) -> Time {
        #[expect(clippy::disallowed_methods, reason = "the one look at the machine's clock behind `Clock`")]
        let now = std::time::SystemTime::now();
        to_micros(now.into()) + self.wrong_by()
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Ids and secrets from the system's randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemIds;

impl Ids for SystemIds {
    fn fill(&self, bytes: &mut [u8]) {
        #[expect(clippy::disallowed_methods, reason = "the one source of randomness behind `Ids`")]
        if let Err(error) = getrandom::fill(bytes) {
            // Going on with guessable ids and keys would be worse than ending.
            tracing::error!(%error, "the system gives no randomness");
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use changtong_catalog::clock::{Clock as _, Ids as _};

    use super::*;

    fn time(text: &str) -> Time {
        text.parse().unwrap()
    }

    #[test]
    fn it_follows_small_corrections_without_running_backwards() {
        let clock = StoreClock::start(time("2027-01-01T00:00:00Z"), Instant::now());
        let before = clock.now();
        clock.take(clock.offset.load(Ordering::Relaxed) - 2_000_000);
        assert!(clock.now() >= before);
        assert!(!clock.skewed());
    }

    #[test]
    fn a_jump_is_reported_and_not_followed() {
        let clock = StoreClock::start(time("2027-01-01T00:00:00Z"), Instant::now());
        let offset = clock.offset.load(Ordering::Relaxed);
        clock.take(offset + 6_000_000);
        assert!(clock.skewed());
        assert!(clock.now() < time("2027-01-01T00:00:05Z"));
        clock.take(offset + 1_000);
        assert!(!clock.skewed());
    }

    #[test]
    fn ids_are_of_version_7_and_differ() {
        let at = time("2027-01-01T00:00:00Z");
        let (a, b) = (SystemIds.uuid(at), SystemIds.uuid(at));
        assert_ne!(a, b);
        assert_eq!(a.get_version_num(), 7);
    }
}
