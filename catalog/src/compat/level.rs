//! The seven levels of a schema registry, and what each holds a new schema against.

use super::difference::Difference;
use super::house::{self, Change, Changes};
use super::read::{Reading, read_within};
use super::work::Work;
use crate::avro::Schema;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    None,
    Backward,
    BackwardTransitive,
    Forward,
    ForwardTransitive,
    Full,
    FullTransitive,
}

impl Level {
    pub const ALL: [Self; 7] = [
        Self::None,
        Self::Backward,
        Self::BackwardTransitive,
        Self::Forward,
        Self::ForwardTransitive,
        Self::Full,
        Self::FullTransitive,
    ];
    /// Of a resource's subjects: old consumers must keep reading, new ones read what is there.
    pub const OF_RESOURCES: Self = Self::FullTransitive;
    /// Of other subjects, as clients of registries expect.
    pub const OF_OTHERS: Self = Self::Backward;

    /// The registry's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Backward => "BACKWARD",
            Self::BackwardTransitive => "BACKWARD_TRANSITIVE",
            Self::Forward => "FORWARD",
            Self::ForwardTransitive => "FORWARD_TRANSITIVE",
            Self::Full => "FULL",
            Self::FullTransitive => "FULL_TRANSITIVE",
        }
    }

    /// By its word, in any case.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.word().eq_ignore_ascii_case(word))
    }

    /// The new schema must read what earlier ones wrote.
    #[must_use]
    pub fn backward(self) -> bool {
        matches!(self, Self::Backward | Self::BackwardTransitive | Self::Full | Self::FullTransitive)
    }

    /// Earlier schemas must read what the new one writes.
    #[must_use]
    pub fn forward(self) -> bool {
        matches!(self, Self::Forward | Self::ForwardTransitive | Self::Full | Self::FullTransitive)
    }

    /// Of the earlier schemas, newest first, how many count.
    #[must_use]
    pub fn most(self) -> usize {
        match self {
            Self::None => 0,
            level if level.transitive() => usize::MAX,
            _ => 1,
        }
    }

    /// All earlier schemas count, not the latest only.
    #[must_use]
    pub fn transitive(self) -> bool {
        matches!(self, Self::BackwardTransitive | Self::ForwardTransitive | Self::FullTransitive)
    }
}

/// Whether what Avro lets pass, but changes what data mean, breaks too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Avro's rules only: free subjects.
    Avro,
    /// The house's on top: resources.
    House,
}

/// What a new schema breaks with one earlier version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Break {
    /// Its place among the versions given.
    pub version: usize,
    /// Why the earlier version cannot read what the new one writes.
    pub forward: Vec<Difference>,
    /// Why the new schema cannot read what the earlier version wrote.
    pub backward: Vec<Difference>,
    /// What means something else.
    pub house: Vec<Change>,
    /// Found beyond what can be told.
    pub omitted: usize,
}

/// What a new schema breaks: one value for each earlier version (newest first) that its level does not let pass. A
/// registry answers with the first; a person wants all. All of it is one question.
pub fn breaks<'a>(
    new: &'a Schema,
    earlier: &'a [&'a Schema],
    level: Level,
    policy: Policy,
) -> impl Iterator<Item = Break> + 'a {
    let mut work = Work::default();
    earlier.iter().take(level.most()).enumerate().filter_map(move |(version, old)| {
        let found = breaks_with(new, old, (level, policy), &mut work)?;
        Some(Break { version, ..found })
    })
}

/// The same of one earlier version, with what is left to the question.
pub fn breaks_with(
    new: &Schema,
    old: &Schema,
    (level, policy): (Level, Policy),
    work: &mut Work,
) -> Option<Break> {
    if level == Level::None {
        return None;
    }
    let mut reading = |wanted: bool, reader, writer| {
        if wanted { read_within(reader, writer, work) } else { Reading::default() }
    };
    let forward = reading(level.forward(), old, new);
    let backward = reading(level.backward(), new, old);
    let house = if policy == Policy::House { house::changes(old, new, work) } else { Changes::default() };
    let found = Break {
        version: 0,
        omitted: forward.omitted + backward.omitted + house.omitted,
        forward: forward.differences,
        backward: backward.differences,
        house: house.told,
    };
    (!found.forward.is_empty() || !found.backward.is_empty() || !found.house.is_empty()).then_some(found)
}
