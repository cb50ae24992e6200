//! What rides on after its first group: closings (never lost) and dead runs (else settled by age). What failed once
//! goes into groups of its own, so that it can't drag down what is new: one by one first, then in company that
//! doubles as long as it gets through. What never gets through stands in nobody's way.

use std::collections::VecDeque;

use changtong_catalog::ports::{Closing, DeadRuns};

use super::group::Pending;
use super::{Done, Leftover};

/// Dead runs beyond this are left to the settling job.
const MOST_DEAD: usize = 4096;

/// Members of one group of leftovers.
const MOST: usize = 256;

pub(super) struct Carry {
    /// Rides with whoever comes.
    fresh: Left,
    failed: Left,
    /// How many of the failed ride in their next group.
    company: usize,
    /// Whether the last group of what had failed failed again, without company.
    failed_again: bool,
}

#[derive(Default)]
struct Left {
    closings: VecDeque<(Closing, Done)>,
    dead: VecDeque<DeadRuns>,
}

impl Left {
    fn is_empty(&self) -> bool {
        self.closings.is_empty() && self.dead.is_empty()
    }

    fn bury(&mut self, dead: DeadRuns) {
        if self.dead.len() < MOST_DEAD {
            self.dead.push_back(dead);
        }
    }

    fn fill(&mut self, pending: &mut Pending, most: usize) {
        for _ in 0..most {
            if let Some((closing, done)) = self.closings.pop_front() {
                pending.close(closing, done);
            } else if let Some(dead) = self.dead.pop_front() {
                pending.dead(dead);
            }
        }
    }
}

impl Default for Carry {
    fn default() -> Self {
        Self { fresh: Left::default(), failed: Left::default(), company: 1, failed_again: false }
    }
}

impl Carry {
    pub fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.failed.is_empty()
    }

    pub fn has_failed(&self) -> bool {
        !self.failed.is_empty()
    }

    pub fn put(&mut self, leftover: Leftover) {
        match leftover {
            Leftover::Close(closing, done) => self.fresh.closings.push_back((closing, done)),
            Leftover::Dead(dead) => self.fresh.bury(dead),
        }
    }

    /// Back after a failure.
    pub fn put_back(&mut self, closings: Vec<(Closing, Done)>, dead: Vec<DeadRuns>) {
        self.failed.closings.extend(closings);
        dead.into_iter().for_each(|dead| self.failed.bury(dead));
    }

    /// Moves what never failed into a group.
    pub fn fill(&mut self, pending: &mut Pending) {
        self.fresh.fill(pending, MOST);
    }

    /// Moves some of what failed into a group of their own.
    pub fn fill_again(&mut self, pending: &mut Pending) {
        self.failed.fill(pending, self.company);
    }

    /// How the group of what had failed went.
    pub fn went(&mut self, through: bool) {
        self.company = if through { (2 * self.company).min(MOST) } else { 1 };
        self.failed_again = !through;
    }

    /// Whether it was the store that failed, as far as is known, and not what rides.
    pub fn may_hurry(&self) -> bool {
        !self.failed_again
    }
}
