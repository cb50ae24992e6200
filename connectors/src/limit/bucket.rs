//! One rate of one subject: a governor limiter whose state can also be looked at without taking anything.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use changtong_catalog::clock::Clock;
use governor::Quota;
use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, RateLimiter, StateStore};

use crate::fault;

/// The injected clock in governor's terms.
#[derive(Clone)]
pub(super) struct Monotonic(pub Arc<dyn Clock>);

impl GovernorClock for Monotonic {
    type Instant = Duration;

    fn now(&self) -> Duration {
        if fault::holds(fault::RATES_STAND_STILL) { Duration::ZERO } else { self.0.monotonic() }
    }
}

/// Governor's theoretical arrival time, in nanoseconds since the bucket was made; 0 before anything was taken.
#[derive(Clone, Default)]
struct Arrival(Arc<AtomicU64>);

impl StateStore for Arrival {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _key: &NotKeyed, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut before = self.0.load(Ordering::Acquire);
        loop {
            let (answer, after) = decide(Some(before).filter(|at| *at > 0).map(Nanos::from))?;
            match self.0.compare_exchange_weak(before, after.into(), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Ok(answer),
                Err(now) => before = now,
            }
        }
    }
}

/// So many a second, at most a second's worth at once.
pub(super) struct Bucket {
    value: NonZeroU32,
    arrival: Arrival,
    start: Duration,
    clock: Monotonic,
    limiter: RateLimiter<NotKeyed, Arrival, Monotonic, NoOpMiddleware<Duration>>,
}

impl Bucket {
    /// `None` for a rate of zero: it lets nothing through and needs no state.
    pub fn new(value: NonZeroU32, clock: Monotonic) -> Self {
        let arrival = Arrival::default();
        let limiter = RateLimiter::new(Quota::per_second(value), arrival.clone(), clock.clone());
        Self { value, arrival, start: clock.now(), clock, limiter }
    }

    pub fn value(&self) -> u32 {
        self.value.get()
    }

    /// Takes all `n`, or nothing.
    pub fn take(&self, n: NonZeroU32) -> bool {
        matches!(self.limiter.check_n(n), Ok(Ok(())))
    }

    /// How many could be taken now.
    pub fn left(&self) -> u32 {
        let used = self.ahead().as_nanos().div_ceil(u128::from(self.nanos_each()));
        self.value.get().saturating_sub(u32::try_from(used).unwrap_or(u32::MAX))
    }

    /// Until everything is there again.
    pub fn resets_in(&self) -> Duration {
        self.ahead()
    }

    /// Until `n` (not more than the value) can be taken.
    pub fn wait_for(&self, n: u32) -> Duration {
        let spare = u64::from(self.value.get().saturating_sub(n)) * self.nanos_each();
        self.ahead().saturating_sub(Duration::from_nanos(spare))
    }

    fn ahead(&self) -> Duration {
        let arrival = self.start + Duration::from_nanos(self.arrival.0.load(Ordering::Acquire));
        arrival.saturating_sub(self.clock.now())
    }

    fn nanos_each(&self) -> u64 {
        (1_000_000_000 / u64::from(self.value.get())).max(1)
    }
}
