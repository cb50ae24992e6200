//! One value of a record as rules see it: what filters compare and masks blank, whatever bytes it came from.

use std::cmp::Ordering;

/// A borrowed value of one item.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    Null,
    /// The item is not to be looked at (filters judged with only the key known, protocol.md 8).
    Unknown,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// Unscaled value and scale.
    Decimal(i128, u32),
    /// Days since 1970-01-01.
    Date(i32),
    /// Milliseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

impl Cell<'_> {
    /// Order of two values of one type; `None` for null, unknown, NaN or different types.
    #[must_use]
    #[inline]
    pub fn compare(&self, other: &Cell<'_>) -> Option<Ordering> {
        match (self, other) {
            (Cell::Bool(a), Cell::Bool(b)) => Some(a.cmp(b)),
            (Cell::Int(a), Cell::Int(b)) | (Cell::Timestamp(a), Cell::Timestamp(b)) => Some(a.cmp(b)),
            (Cell::Float(a), Cell::Float(b)) => a.partial_cmp(b),
            (Cell::Date(a), Cell::Date(b)) => Some(a.cmp(b)),
            (Cell::Text(a), Cell::Text(b)) => Some(a.cmp(b)),
            (Cell::Bytes(a), Cell::Bytes(b)) => Some(a.cmp(b)),
            (Cell::Decimal(a, s), Cell::Decimal(b, t)) => compare_decimals((*a, *s), (*b, *t)),
            _ => None,
        }
    }
}

fn compare_decimals((a, s): (i128, u32), (b, t): (i128, u32)) -> Option<Ordering> {
    let scale = s.max(t);
    let widen = |value: i128, from: u32| 10_i128.checked_pow(scale - from).and_then(|p| value.checked_mul(p));
    match (widen(a, s), widen(b, t)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        // Only the side widened by more digits than fit can overflow, and then its magnitude decides.
        (None, _) => Some(a.signum().cmp(&0)).filter(|order| order.is_ne()),
        (_, None) => Some(0.cmp(&b.signum())).filter(|order| order.is_ne()),
    }
}
