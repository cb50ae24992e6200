//! Whether this server may still act: its lease by its own monotonic clock, and whether it is shutting down
//! (protocol.md 10). Asked before every append, every commit and every byte.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use changtong_catalog::clock::Clock;
use changtong_catalog::error::{Code, Refusal};

/// Cheap to clone; every holder sees the same lease.
#[derive(Clone)]
pub struct Alive(Arc<Shared>);

struct Shared {
    clock: Arc<dyn Clock>,
    /// Monotonic microseconds until which the lease stands.
    until: AtomicU64,
    draining: AtomicBool,
}

impl Alive {
    /// Without a lease yet: nothing may be done before `extend`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shared { clock, until: AtomicU64::new(0), draining: AtomicBool::new(false) }))
    }

    /// The lease stands until then, by the monotonic clock as it was before the lease was asked for.
    pub fn extend(&self, until: Duration) {
        self.0.until.fetch_max(micros(until), Ordering::AcqRel);
    }

    /// The lease is lost.
    pub fn lose(&self) {
        self.0.until.store(0, Ordering::Release);
    }

    /// No new work is taken from here on; what runs may end.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Release);
    }

    /// Whether what runs may go on.
    pub fn check(&self) -> Result<(), Refusal> {
        if micros(self.0.clock.monotonic()) < self.0.until.load(Ordering::Acquire) {
            return Ok(());
        }
        Err(Refusal::new(
            Code::AnotherServerActive,
            "本服务器的租约已到期,不再收发数据,请稍后重试",
            "this server's lease is over; it moves no more data, come back later",
        )
        .retry_after(Duration::from_secs(10)))
    }

    /// Whether something new may begin.
    pub fn admit(&self) -> Result<(), Refusal> {
        if self.0.draining.load(Ordering::Acquire) {
            return Err(Refusal::new(
                Code::ShuttingDown,
                "服务器正在停止,请稍后重试",
                "the server is shutting down; come back later",
            )
            .retry_after(Duration::from_secs(5)));
        }
        self.check()
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use changtong_catalog::clock::{ManualClock, Time};

    use super::*;

    #[test]
    fn a_lease_ends_by_the_monotonic_clock() {
        let clock = Arc::new(ManualClock::at(Time::UNIX_EPOCH));
        let alive = Alive::new(clock.clone());
        assert_eq!(alive.check().unwrap_err().code, Code::AnotherServerActive);
        alive.extend(Duration::from_secs(10));
        alive.admit().unwrap();
        clock.advance(Duration::from_secs(9));
        alive.extend(Duration::from_secs(5));
        alive.check().unwrap();
        clock.advance(Duration::from_secs(1));
        alive.check().unwrap_err();
        alive.extend(Duration::from_secs(20));
        alive.drain();
        alive.check().unwrap();
        assert_eq!(alive.admit().unwrap_err().code, Code::ShuttingDown);
        alive.lose();
        alive.check().unwrap_err();
    }
}
