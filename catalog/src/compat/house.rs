//! The house's policy: changes that Avro reads without a fault and a person reads wrongly. A decimal's scale moves the
//! point of every amount; a date that becomes a number, a timestamp in another unit, a unit or a code list that changes
//! leave the bytes as they are and alter what they say.

mod said;

use std::collections::HashSet;

use self::said::{Said, code_lists, logical_types, units};
use super::place::{Place, Places, Step};
use crate::avro::{Field, Id, Kind, Name, Named, Primitive, Schema};
use crate::error::Text;

/// What means something else now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Meaning {
    DecimalPrecision,
    DecimalScale,
    /// A date became something else, or something else a date.
    Date,
    /// Milliseconds, microseconds, nanoseconds.
    TimestampUnit,
    /// Another logical type, or one come or gone.
    LogicalType,
    /// The property `unit`.
    Unit,
    /// The properties `values` and `code_list`.
    CodeList,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub meaning: Meaning,
    /// Where it is in the new schema, like `address.lines[]`.
    pub path: String,
    pub text: Text,
}

impl Meaning {
    /// For bodies and codes.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::DecimalPrecision => "decimal_precision",
            Self::DecimalScale => "decimal_scale",
            Self::Date => "date",
            Self::TimestampUnit => "timestamp_unit",
            Self::LogicalType => "logical_type",
            Self::Unit => "unit",
            Self::CodeList => "code_list",
        }
    }
}

/// Everything that means something else in the new schema than in the old, type by type; what is gone or new is a
/// matter of Avro's rules.
pub(super) fn changes(old: &Schema, new: &Schema) -> Vec<Change> {
    let mut walk = Walk { old, new, places: Places::default(), met: HashSet::new(), found: Vec::new() };
    let mut todo = vec![Pair { old: old.top(), new: new.top(), fields: None, path: Places::TOP }];
    while let Some(pair) = todo.pop() {
        let mut below = walk.judge(&pair);
        below.reverse();
        todo.extend(below);
    }
    walk.found
}

/// Two types that are the same thing in the two schemas.
struct Pair<'a> {
    old: Id,
    new: Id,
    /// The fields that they are the types of: their properties count too.
    fields: Option<(&'a Field, &'a Field)>,
    path: Place,
}

struct Walk<'a> {
    old: &'a Schema,
    new: &'a Schema,
    places: Places<'a>,
    met: HashSet<(Id, Id)>,
    found: Vec<Change>,
}

impl<'a> Walk<'a> {
    /// Judges a pair and answers those below.
    fn judge(&mut self, pair: &Pair<'a>) -> Vec<Pair<'a>> {
        let (old, new) = (self.old.kind(pair.old), self.new.kind(pair.new));
        if matches!(old, Kind::Union(_)) || matches!(new, Kind::Union(_)) {
            return self.branches(pair);
        }
        let was = Said::new(self.old, pair.old, pair.fields.map(|(old, _)| old));
        let now = Said::new(self.new, pair.new, pair.fields.map(|(_, new)| new));
        for (meaning, text) in [logical_types(&was, &now), units(&was, &now), code_lists(&was, &now)].concat()
        {
            self.found.push(Change { meaning, path: self.places.path(pair.path), text });
        }
        // Fields may say different things of one type; what is below it is judged once.
        if !self.met.insert((pair.old, pair.new)) {
            return Vec::new();
        }
        match (old, new) {
            (Kind::Array(old), Kind::Array(new)) => vec![self.below(pair, *old, *new, Step::Items)],
            (Kind::Map(old), Kind::Map(new)) => vec![self.below(pair, *old, *new, Step::Values)],
            (Kind::Record(_, was), Kind::Record(_, now)) => {
                let mut pairs = Vec::new();
                for field in &now.fields {
                    let names = |old: &&Field| old.name == field.name || field.aliases.contains(&old.name);
                    if let Some(old) = was.fields.iter().find(names) {
                        let below = self.below(pair, old.kind, field.kind, Step::Field(&field.name));
                        pairs.push(Pair { fields: Some((old, field)), ..below });
                    }
                }
                pairs
            }
            _ => Vec::new(),
        }
    }

    fn below(&mut self, pair: &Pair<'a>, old: Id, new: Id, step: Step<'a>) -> Pair<'a> {
        Pair { old, new, fields: None, path: self.places.add(pair.path, step) }
    }

    /// Branches that are the same thing: of one name or type; where one is left on each side, those two.
    fn branches(&mut self, pair: &Pair<'a>) -> Vec<Pair<'a>> {
        let mut left = branches(self.old, pair.old);
        let mut pairs = Vec::new();
        let mut others = Vec::new();
        let several = branches(self.new, pair.new).len() > 1;
        for new in branches(self.new, pair.new) {
            let kind = self.new.kind(new);
            let same = left.iter().position(|old| same(self.old.kind(*old), kind));
            match same {
                Some(place) => pairs.push((left.remove(place), new)),
                None => others.push(new),
            }
        }
        if let ([old], [new]) = (left.as_slice(), others.as_slice()) {
            pairs.push((*old, *new));
        }
        let mut below = Vec::new();
        for (old, new) in pairs {
            let path = if several {
                self.places.add(pair.path, Step::Branch(self.new.kind(new)))
            } else {
                pair.path
            };
            below.push(Pair { old, new, fields: pair.fields, path });
        }
        below
    }
}

/// Of a union all but null; else the type itself.
fn branches(schema: &Schema, id: Id) -> Vec<Id> {
    let null = |id: &Id| matches!(schema.kind(*id), Kind::Primitive(Primitive::Null));
    match schema.kind(id) {
        Kind::Union(branches) => branches.iter().copied().filter(|branch| !null(branch)).collect(),
        _ => vec![id],
    }
}

fn same(old: &Kind, new: &Kind) -> bool {
    let named = |old: &Named, new: &Named| {
        let is_old = |name: &Name| *name == old.name;
        old.name.own == new.name.own || new.aliases.iter().any(is_old)
    };
    match (old.named(), new.named()) {
        (Some(old), Some(new)) => named(old, new),
        (None, None) => old.word() == new.word(),
        _ => false,
    }
}
