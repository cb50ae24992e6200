//! Time and fresh ids as parameters: rules never ask the machine. Times are UTC, cut to microseconds, because
//! PostgreSQL keeps no more and an event's bytes must not depend on the engine.

use std::sync::Mutex;
use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use uuid::{Builder, Uuid};

pub type Time = DateTime<Utc>;

/// Cuts what is finer than a microsecond.
#[must_use]
pub fn to_micros(time: Time) -> Time {
    time.trunc_subsecs(6)
}

/// RFC 3339 in UTC with six decimals, the form of events (protocol.md 9).
#[must_use]
pub fn rfc3339(time: Time) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

/// Store time: the process's monotonic clock plus the offset the store told (protocol.md 10).
pub trait Clock: Send + Sync + 'static {
    /// Store time, cut to microseconds.
    fn now(&self) -> Time;
    /// Monotonic time since an arbitrary origin of this process; for leases and deadlines.
    fn monotonic(&self) -> Duration;
}

/// Fresh identifiers and randomness.
pub trait Ids: Send + Sync + 'static {
    fn fill(&self, bytes: &mut [u8]);

    /// A UUIDv7 of that time.
    fn uuid(&self, at: Time) -> Uuid {
        let mut random = [0; 10];
        self.fill(&mut random);
        let millis = u64::try_from(at.timestamp_millis()).unwrap_or(0);
        Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}

/// A clock that moves only when told to, for tests and tools.
#[derive(Debug)]
pub struct ManualClock(Mutex<(Time, Duration)>);

impl ManualClock {
    #[must_use]
    pub fn at(time: Time) -> Self {
        Self(Mutex::new((to_micros(time), Duration::ZERO)))
    }

    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        now.0 += by;
        now.1 += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Time {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).0
    }

    fn monotonic(&self) -> Duration {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).1
    }
}

/// Reproducible ids from a seed (SplitMix64), for tests and golden files.
#[derive(Debug)]
pub struct SeededIds(Mutex<u64>);

impl SeededIds {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }
}

impl Ids for SeededIds {
    fn fill(&self, bytes: &mut [u8]) {
        let mut state = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for chunk in bytes.chunks_mut(8) {
            *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = *state;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            let random = (z ^ (z >> 31)).to_le_bytes();
            chunk.copy_from_slice(&random[..chunk.len()]);
        }
    }
}
