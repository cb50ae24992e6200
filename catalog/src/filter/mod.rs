//! Row filters: a subset of CEL (`origin == "JFK" && dep_delay > 15`), type-checked against a resource's items and
//! judged in three values (protocol.md 8).
//!
//! Text → [`parse`] → [`Expr`] → [`Expr::check`] → [`Filter`] → [`Filter::judge`]. A filter holds comparisons of items
//! with literals or with other items of the same type, `in [..]`, bare items of type L, `&&`, `||`, `!` and
//! parentheses; no arithmetic, no functions.

mod check;
mod lex;
mod parse;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::cell::Cell;
use crate::error::{Code, Refusal};
pub use parse::{Expr, parse};

/// The longest text of a filter, in bytes.
pub const MOST_BYTES: usize = 4_096;
/// How deep parentheses and `!` may nest.
pub const MOST_DEPTH: usize = 32;
/// The most values of one list.
pub const MOST_VALUES: usize = 500;

/// Kleene's three values. Only `True` lets a record pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Truth {
    True,
    False,
    Unknown,
}

impl Truth {
    #[must_use]
    pub const fn of(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }

    #[must_use]
    pub const fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }

    /// What both filters of a grant say together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::True, Self::True) => Self::True,
            _ => Self::Unknown,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Op {
    const fn text(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    const fn is_order(self) -> bool {
        !matches!(self, Self::Equal | Self::NotEqual)
    }

    /// The same comparison with its sides changed.
    const fn turned(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            same => same,
        }
    }

    const fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// A literal in the type of the item it is compared with.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Bool(bool),
    Int(i64),
    Float(f64),
    Decimal(i128, u32),
    Date(i32),
    Timestamp(i64),
    Text(String),
}

impl Value {
    #[inline]
    fn cell(&self) -> Cell<'_> {
        match self {
            Self::Bool(value) => Cell::Bool(*value),
            Self::Int(value) => Cell::Int(*value),
            Self::Float(value) => Cell::Float(*value),
            Self::Decimal(unscaled, scale) => Cell::Decimal(*unscaled, *scale),
            Self::Date(days) => Cell::Date(*days),
            Self::Timestamp(millis) => Cell::Timestamp(*millis),
            Self::Text(text) => Cell::Text(text),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Compare(usize, Op, Value),
    CompareItems(usize, Op, usize),
    /// In order, so that a long list is searched quickly.
    OneOf(usize, Vec<Value>),
    IsNull(usize),
    IsTrue(usize),
}

/// A filter that fits a resource's items.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    root: Node,
    items: BTreeSet<usize>,
}

impl Filter {
    /// Indexes of the items it names.
    #[must_use]
    pub fn items(&self) -> &BTreeSet<usize> {
        &self.items
    }

    /// Judges one record; `cell` gives the value of an item by its index. Allocates nothing.
    pub fn judge<'a>(&self, cell: &(impl Fn(usize) -> Cell<'a> + ?Sized)) -> Truth {
        self.root.judge(cell)
    }
}

impl Node {
    fn judge<'a>(&self, cell: &(impl Fn(usize) -> Cell<'a> + ?Sized)) -> Truth {
        match self {
            Self::All(nodes) => all(nodes.iter().map(|node| node.judge(cell))),
            Self::Any(nodes) => all(nodes.iter().map(|node| node.judge(cell).not())).not(),
            Self::Not(node) => node.judge(cell).not(),
            Self::Compare(item, op, value) => compare(&cell(*item), *op, &value.cell()),
            Self::CompareItems(left, op, right) => compare(&cell(*left), *op, &cell(*right)),
            Self::OneOf(item, values) => one_of(&cell(*item), values),
            Self::IsNull(item) => match cell(*item) {
                Cell::Unknown => Truth::Unknown,
                Cell::Null => Truth::True,
                _ => Truth::False,
            },
            Self::IsTrue(item) => match cell(*item) {
                Cell::Bool(value) => Truth::of(value),
                _ => Truth::Unknown,
            },
        }
    }
}

/// Kleene's `&&` over many, stopping at the first that is false.
fn all(truths: impl Iterator<Item = Truth>) -> Truth {
    let mut sum = Truth::True;
    for truth in truths {
        if truth == Truth::False {
            return Truth::False;
        }
        sum = sum.and(truth);
    }
    sum
}

/// Null, unknown and values that have no order are unknown.
#[inline]
fn compare(left: &Cell<'_>, op: Op, right: &Cell<'_>) -> Truth {
    left.compare(right).map_or(Truth::Unknown, |order| Truth::of(op.holds(order)))
}

fn one_of(cell: &Cell<'_>, values: &[Value]) -> Truth {
    // A value without an order against the first has none against any: they are all of the item's type.
    if values.first().and_then(|value| value.cell().compare(cell)).is_none() {
        return Truth::Unknown;
    }
    let found = values.binary_search_by(|value| value.cell().compare(cell).unwrap_or(Ordering::Less));
    Truth::of(found.is_ok())
}

fn wrong(at: usize, zh: impl AsRef<str>, en: impl AsRef<str>) -> Refusal {
    let (zh, en) = (zh.as_ref(), en.as_ref());
    Refusal::new(
        Code::FilterInvalid,
        format!("筛选条件第 {at} 个字符处:{zh}"),
        format!("filter, at character {at}: {en}"),
    )
    .with("at", at)
}
