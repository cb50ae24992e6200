//! The bytes of bodies and answers in flight, all together and of each caller: beyond the budget a call is told to come
//! back later, before memory grows.

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
    /// The setting that says how much, for the refusal.
    limit: &'static str,
    /// What this is a part of.
    whole: Option<Budget>,
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
        Self(Arc::new(Shared { most, held: AtomicU64::new(0), limit: "limits.in_flight", whole: None }))
    }

    /// A part of it, by that setting: what is taken there counts here too.
    #[must_use]
    pub fn part(&self, most: u64, limit: &'static str) -> Self {
        Self(Arc::new(Shared { most, held: AtomicU64::new(0), limit, whole: Some(self.clone()) }))
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

    /// The most bytes that may be held.
    #[must_use]
    pub fn most(&self) -> u64 {
        self.0.most
    }

    fn add(&self, by: u64) -> Result<(), Refusal> {
        let Shared { most, held, limit, whole } = &*self.0;
        let add = |held: u64| held.checked_add(by).filter(|sum| sum <= most);
        if held.fetch_update(Ordering::AcqRel, Ordering::Acquire, add).is_err() {
            return Err(overloaded(limit));
        }
        let added = whole.as_ref().map_or(Ok(()), |whole| whole.add(by));
        if added.is_err() {
            held.fetch_sub(by, Ordering::AcqRel);
        }
        added
    }

    fn give_back(&self, bytes: u64) {
        self.0.held.fetch_sub(bytes, Ordering::AcqRel);
        if let Some(whole) = &self.0.whole {
            whole.give_back(bytes);
        }
    }
}

impl Held {
    /// Takes more, for a body that is still arriving.
    pub fn grow(&mut self, by: u64) -> Result<(), Refusal> {
        self.budget.add(by)?;
        self.bytes += by;
        Ok(())
    }

    /// Holds so much from now on.
    pub fn resize(&mut self, bytes: u64) -> Result<(), Refusal> {
        if bytes > self.bytes {
            return self.grow(bytes - self.bytes);
        }
        self.budget.give_back(self.bytes - bytes);
        self.bytes = bytes;
        Ok(())
    }

    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

fn overloaded(limit: &str) -> Refusal {
    Refusal::new(
        Code::Overloaded,
        "同时处理的数据过多,请稍后重试",
        "too much data is being handled at once; come back later",
    )
    .with("limit", limit)
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
        first.resize(30).unwrap();
        assert_eq!(budget.held(), 30);
        assert_eq!(first.resize(101).unwrap_err().code, Code::Overloaded);
        assert_eq!((first.bytes(), budget.held()), (30, 30));
        drop(first);
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn who_has_a_part_takes_no_more_and_leaves_the_rest_to_others() {
        let whole = Budget::new(100);
        let (one, other) = (whole.part(60, "share"), whole.part(60, "share"));
        let held = one.take(60).unwrap();
        assert_eq!(one.take(1).unwrap_err().extra["limit"], "share");
        assert_eq!(other.take(41).unwrap_err().extra["limit"], "limits.in_flight");
        assert_eq!((other.held(), whole.held()), (0, 60), "a refusal keeps nothing");
        let _rest = other.take(40).unwrap();
        drop(held);
        assert_eq!((one.held(), whole.held()), (0, 40));
    }
}
