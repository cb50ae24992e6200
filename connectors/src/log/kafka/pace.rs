//! When a read has waited long enough.

use std::time::{Duration, Instant};

/// A read that has something answers when nothing has come for this long.
const QUIET: Duration = Duration::from_millis(150);
/// A read that has nothing asks this often whether there is anything.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// Records that come one behind the other without a look at the clock, which costs as much as a record.
const UNTIMED: u32 = 64;

/// When a read looks at the clock, and what it does then.
pub(super) struct Pace {
    quiet_since: Instant,
    taken: usize,
    since_clock: u32,
}

pub(super) enum Step {
    On,
    /// Nothing has come for long, or the time is up.
    Enough,
    /// Whether there is anything at all.
    Ask,
}

impl Pace {
    pub fn begin(taken: usize) -> Self {
        Self { quiet_since: Instant::now(), taken, since_clock: 0 }
    }

    pub fn step(&mut self, came: bool, taken: usize, deadline: Instant) -> Step {
        self.since_clock += 1;
        if came && self.since_clock < UNTIMED {
            return Step::On;
        }
        self.since_clock = 0;
        let now = Instant::now();
        let quiet = now - self.quiet_since;
        if now >= deadline {
            return Step::Enough;
        }
        if taken > self.taken {
            (self.quiet_since, self.taken) = (now, taken);
            return Step::On;
        }
        match taken {
            0 if quiet >= ASK_AGAIN => {
                self.quiet_since = now;
                Step::Ask
            }
            1.. if quiet >= QUIET => Step::Enough,
            _ => Step::On,
        }
    }
}
