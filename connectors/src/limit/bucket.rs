//! One rate of one subject. What is kept is a single time; governor decides from it, under the one reading of the clock
//! that a call takes for all its rates.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::Quota;
use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, RateLimiter, StateStore};

/// Nanoseconds of the server's clock, as one call read it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading(pub u64);

/// So many a second, at most a second's worth at once: when everything is there again (governor's theoretical arrival
/// time), in nanoseconds of the server's clock. Past: everything is there.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bucket(u64);

impl Bucket {
    /// The bucket after all `n` were taken; `None`: there is not so much.
    pub fn without(self, n: NonZeroU32, value: NonZeroU32, now: Reading) -> Option<Self> {
        let ahead = Ahead(Cell::new(self.ahead(now)));
        let limiter: RateLimiter<_, _, _, NoOpMiddleware<Nanos>> =
            RateLimiter::new(Quota::per_second(value), &ahead, AtTheReading);
        limiter.check_n(n).ok()?.ok()?;
        Some(Self(now.0.saturating_add(ahead.0.get())))
    }

    /// How many could be taken now.
    pub fn left(self, value: NonZeroU32, now: Reading) -> u32 {
        let used = self.ahead(now).div_ceil(nanos_each(value));
        value.get().saturating_sub(u32::try_from(used).unwrap_or(u32::MAX))
    }

    /// Until everything is there again.
    pub fn resets_in(self, now: Reading) -> Duration {
        Duration::from_nanos(self.ahead(now))
    }

    /// Until `n` (not more than the value) can be taken.
    pub fn wait_for(self, n: u32, value: NonZeroU32, now: Reading) -> Duration {
        let spare = u64::from(value.get().saturating_sub(n)) * nanos_each(value);
        Duration::from_nanos(self.ahead(now).saturating_sub(spare))
    }

    fn ahead(self, now: Reading) -> u64 {
        self.0.saturating_sub(now.0)
    }
}

fn nanos_each(value: NonZeroU32) -> u64 {
    (1_000_000_000 / u64::from(value.get())).max(1)
}

/// Governor's times count from the reading, so its clock stands at their beginning.
#[derive(Clone)]
struct AtTheReading;

impl Clock for AtTheReading {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(0)
    }
}

/// How far beyond the reading a bucket is full again, while governor decides.
struct Ahead(Cell<u64>);

impl StateStore for &Ahead {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _key: &NotKeyed, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let (answer, after) = decide(Some(Nanos::from(self.0.get())))?;
        self.0.set(after.into());
        Ok(answer)
    }
}
