//! What a question may cost. Counted, not timed: the same schemas are always answered the same.

/// Looks at fields, aliases, symbols, branches and values before two schemas count as too complex to compare.
pub(super) const MOST_OF_A_PAIR: usize = 500_000;
/// Looks before a question does, however many schemas it concerns.
const MOST_OF_A_QUESTION: usize = 5_000_000;
/// Bytes of a text that are read in the time that a look takes.
const BYTES_OF_A_LOOK: usize = 8;
/// What it costs to fetch a text.
const FETCHING: usize = 500;

/// What is left to a question of all that it may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    left: usize,
}

impl Default for Work {
    fn default() -> Self {
        Self::of(MOST_OF_A_QUESTION)
    }
}

impl Work {
    #[must_use]
    pub fn of(looks: usize) -> Self {
        Self { left: looks }
    }

    /// Whether so much was left; it is used up otherwise.
    pub fn take(&mut self, looks: usize) -> bool {
        let enough = looks <= self.left;
        self.left = self.left.saturating_sub(looks);
        enough
    }

    /// The same of a text that is fetched and read.
    pub fn take_text(&mut self, bytes: usize) -> bool {
        self.take(FETCHING + bytes / BYTES_OF_A_LOOK)
    }

    #[must_use]
    pub fn left(&self) -> usize {
        self.left
    }
}
