//! Attempts on their way to the committer: appended soon, and worth waiting for a little.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;

#[derive(Debug, Clone, Default)]
pub(super) struct OnTheWay(Arc<Mutex<Tickets>>);

#[derive(Debug, Default)]
struct Tickets {
    given: u64,
    open: BTreeSet<u64>,
}

/// A publish that will ask for its commit soon; given back when it is in a group, or has died on the way.
pub struct Expected {
    all: OnTheWay,
    ticket: u64,
}

impl OnTheWay {
    pub fn expect(&self) -> Expected {
        let mut tickets = self.0.lock();
        tickets.given += 1;
        let ticket = tickets.given;
        tickets.open.insert(ticket);
        Expected { all: self.clone(), ticket }
    }

    /// The last one that set out.
    pub fn last(&self) -> u64 {
        self.0.lock().given
    }

    /// Whether any of those up to this one is still on its way.
    pub fn any_up_to(&self, last: u64) -> bool {
        self.0.lock().open.first().is_some_and(|first| *first <= last)
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.all.0.lock().open.remove(&self.ticket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_those_that_had_set_out_are_waited_for() {
        let way = OnTheWay::default();
        let (first, second) = (way.expect(), way.expect());
        let last = way.last();
        let late = way.expect();
        drop(second);
        assert!(way.any_up_to(last));
        drop(first);
        assert!(!way.any_up_to(last) && way.any_up_to(way.last()));
        drop(late);
        assert!(!way.any_up_to(u64::MAX));
    }
}
