//! What rides on after a failed group: closings (never lost) and dead runs (else settled by age). It goes into
//! groups of its own, so that it can't drag down what is new, and one by one after it failed together.

use std::collections::VecDeque;

use changtong_catalog::ports::{Closing, DeadRuns};

use super::group::Pending;
use super::{Done, Leftover};

/// Dead runs beyond this are left to the settling job.
const MOST_DEAD: usize = 4096;

/// Members of one group of leftovers.
const MOST: usize = 256;

#[derive(Default)]
pub(super) struct Carry {
    closings: VecDeque<(Closing, Done)>,
    dead: VecDeque<DeadRuns>,
    singly: bool,
}

impl Carry {
    pub fn is_empty(&self) -> bool {
        self.closings.is_empty() && self.dead.is_empty()
    }

    pub fn put(&mut self, leftover: Leftover) {
        match leftover {
            Leftover::Close(closing, done) => self.closings.push_back((closing, done)),
            Leftover::Dead(dead) if self.dead.len() < MOST_DEAD => self.dead.push_back(dead),
            Leftover::Dead(_) => {}
        }
    }

    /// Back after a failure: from now on one at a time, until one gets through.
    pub fn put_back(&mut self, closings: Vec<(Closing, Done)>, dead: Vec<DeadRuns>) {
        if closings.is_empty() && dead.is_empty() {
            return;
        }
        self.singly = true;
        self.closings.extend(closings);
        dead.into_iter().for_each(|dead| self.put(Leftover::Dead(dead)));
    }

    pub fn got_through(&mut self) {
        self.singly = false;
    }

    /// Moves what may ride now into a group.
    pub fn fill(&mut self, pending: &mut Pending) {
        let most = if self.singly { 1 } else { MOST };
        for _ in 0..most {
            if let Some((closing, done)) = self.closings.pop_front() {
                pending.close(closing, done);
            } else if let Some(dead) = self.dead.pop_front() {
                pending.dead(dead);
            }
        }
    }

    /// Whether the last try failed: the next one waits a while.
    pub fn failed(&self) -> bool {
        self.singly
    }
}
