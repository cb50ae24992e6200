//! One record on its way in, whatever its format: the values found, each encoded as it was checked, and what is wrong.

use super::plan::Field;
use super::problem::{Problem, Reason};

/// More problems of one record than this are not told.
const MOST_PROBLEMS: usize = 20;

/// Where a value lies within the bytes of its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub start: usize,
    pub end: usize,
}

impl Span {
    /// There is no value.
    pub const NONE: Self = Self { start: usize::MAX, end: usize::MAX };

    pub fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// `None` where there is no value.
    pub fn of(self, bytes: &[u8]) -> Option<&[u8]> {
        bytes.get(self.start..self.end)
    }
}

/// Kept for the next record, so that none costs memory of its own.
#[derive(Debug, Default)]
pub(super) struct Row {
    pub delete: bool,
    pub problems: Vec<Problem>,
    /// Values with the branches of their unions, one behind the other as they came.
    bytes: Vec<u8>,
    /// By item.
    spans: Vec<Span>,
    /// Items that came in their order, from the first on.
    in_order: usize,
}

impl Row {
    pub fn begin(&mut self, fields: usize) {
        self.delete = false;
        self.problems.clear();
        self.bytes.clear();
        self.spans.clear();
        self.spans.resize(fields, Span::NONE);
        self.in_order = 0;
    }

    /// Whether the item was there, fitting or not.
    pub fn has(&self, at: usize) -> bool {
        !self.spans[at].is_none()
    }

    /// The value of an item, encoded if it fits.
    pub fn put(&mut self, at: usize, field: &Field, write: impl FnOnce(&mut Vec<u8>) -> Result<(), Reason>) {
        let start = self.bytes.len();
        let written = write(&mut self.bytes);
        self.spans[at] = Span { start, end: self.bytes.len() };
        self.in_order += usize::from(at == self.in_order);
        if let Err(reason) = written {
            self.problem(field.name(), reason);
        }
    }

    pub fn problem(&mut self, path: &str, reason: Reason) {
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(Problem { path: path.to_owned(), reason });
        }
    }

    /// The record as a whole is wrong, which is told first.
    pub fn wrong(&mut self, reason: Reason) {
        self.problems.truncate(MOST_PROBLEMS - 1);
        self.problems.insert(0, Problem { path: String::new(), reason });
    }

    /// Whether it could be read as a whole, whatever is wrong with its items.
    pub fn is_readable(&self) -> bool {
        self.problems.first().is_none_or(|problem| !problem.path.is_empty())
    }

    /// Whether it is not known what is to be done with it: nothing that there is was named.
    pub fn has_no_operation(&self) -> bool {
        self.problems.iter().any(|problem| problem.reason == Reason::Operation)
    }

    /// An item's value with its branch; `None` where it was absent.
    pub fn value(&self, at: usize) -> Option<&[u8]> {
        self.spans[at].of(&self.bytes)
    }

    /// The datum, if every item came and in the items' order.
    pub fn whole(&self) -> Option<&[u8]> {
        (self.in_order == self.spans.len()).then_some(&self.bytes)
    }
}
