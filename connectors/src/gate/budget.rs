//! The bytes of bodies and answers in flight, all together: beyond the budget a call is told to come back later,
//! before memory grows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use changtong_catalog::error::{Code, Refusal};

/// Shared by everything that holds record bytes.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    most: u64,
    held: AtomicU64,
}

/// A share of the budget; given back when dropped.
#[derive(Debug)]
pub struct Held {
    budget: Budget,
    bytes: u64,
}

impl Budget {
    #[must_use]
    pub fn new(most: u64) -> Self {
        Self(Arc::new(Shared { most, held: AtomicU64::new(0) }))
    }

    /// Takes a share, or refuses with `overloaded`.
    pub fn take(&self, bytes: u64) -> Result<Held, Refusal> {
        let mut held = Held { budget: self.clone(), bytes: 0 };
        held.grow(bytes)?;
        Ok(held)
    }

    /// Bytes held now.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.0.held.load(Ordering::Relaxed)
    }
}

impl Held {
    /// Takes more, for a body that is still arriving.
    pub fn grow(&mut self, by: u64) -> Result<(), Refusal> {
        let most = self.budget.0.most;
        let add = |held: u64| held.checked_add(by).filter(|sum| *sum <= most);
        if self.budget.0.held.fetch_update(Ordering::AcqRel, Ordering::Acquire, add).is_err() {
            return Err(overloaded());
        }
        self.bytes += by;
        Ok(())
    }

    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.0.held.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

fn overloaded() -> Refusal {
    Refusal::new(
        Code::Overloaded,
        "同时处理的数据过多,请稍后重试",
        "too much data is being handled at once; come back later",
    )
    .retry_after(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_bounded_and_come_back() {
        let budget = Budget::new(100);
        let mut first = budget.take(60).unwrap();
        assert_eq!(budget.take(41).unwrap_err().code, Code::Overloaded);
        first.grow(40).unwrap();
        assert_eq!(budget.held(), 100);
        assert_eq!(first.grow(1).unwrap_err().code, Code::Overloaded);
        drop(first);
        assert_eq!(budget.held(), 0);
    }
}
