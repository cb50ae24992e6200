//! The house's policy: changes that Avro reads without a fault and a person reads wrongly. A decimal's scale moves the
//! point of every amount; a date that becomes a number, a timestamp in another unit, a unit or a code list that changes
//! leave the bytes as they are and alter what they say.

mod said;

use std::collections::{HashMap, HashSet};

use self::said::{Said, code_lists, logical_types, units};
use super::place::{Place, Places, Step};
use super::read::MOST_TOLD;
use super::work::{MOST_OF_A_PAIR, Work};
use crate::avro::{Field, Id, Kind, Name, Named, Primitive, Record, Schema};
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
    /// The two were too much to compare; they count as meaning something else.
    TooComplex,
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
            Self::TooComplex => "too_complex",
        }
    }
}

/// What means something else.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub told: Vec<Change>,
    /// Found beyond what can be told.
    pub omitted: usize,
}

/// Everything that means something else in the new schema than in the old, type by type; what is gone or new is a
/// matter of Avro's rules.
pub(super) fn changes(old: &Schema, new: &Schema, work: &mut Work) -> Changes {
    let mut walk = Walk {
        old,
        new,
        places: Places::default(),
        met: HashSet::new(),
        fields: HashMap::new(),
        work: 0,
        bytes: 0,
        found: Changes::default(),
    };
    let most = work.left().min(MOST_OF_A_PAIR);
    let mut todo = vec![Pair { old: old.top(), new: new.top(), fields: None, path: Places::TOP }];
    while let Some(pair) = todo.pop() {
        let mut below = walk.judge(&pair);
        if walk.work > most {
            walk.tell(Meaning::TooComplex, String::new(), too_complex());
            break;
        }
        below.reverse();
        todo.extend(below);
    }
    work.take(walk.work);
    walk.found
}

fn too_complex() -> Text {
    Text::new(
        "模式过于复杂,或同时比较的版本过多,无法在限度内核对含义,按不兼容处理;请减少别名、分支和允许值",
        "the schemas are too complex, or too many versions of them, for what they mean to be compared within bounds, and \
         count as incompatible; use fewer aliases, branches and values",
    )
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
    /// Places of the fields of the old records by name.
    fields: HashMap<Id, HashMap<&'a str, usize>>,
    work: usize,
    /// Of what is told.
    bytes: usize,
    found: Changes,
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
        self.work = self.work.saturating_add(was.cost()).saturating_add(now.cost()).saturating_add(1);
        if self.work > MOST_OF_A_PAIR {
            return Vec::new();
        }
        for (meaning, text) in [logical_types(&was, &now), units(&was, &now), code_lists(&was, &now)].concat()
        {
            self.tell(meaning, self.places.path(pair.path), text);
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
                    if let Some(old) = self.earlier(pair.old, was, field) {
                        let below = self.below(pair, old.kind, field.kind, Step::Field(&field.name));
                        pairs.push(Pair { fields: Some((old, field)), ..below });
                    }
                }
                pairs
            }
            _ => Vec::new(),
        }
    }

    /// The field that it was: the first of the record's that has its name or one of its aliases.
    fn earlier(&mut self, of: Id, record: &'a Record, field: &Field) -> Option<&'a Field> {
        self.work += 1 + field.aliases.len();
        let fields = self.fields.entry(of).or_insert_with(|| {
            self.work += record.fields.len();
            record.fields.iter().enumerate().map(|(place, field)| (field.name.as_str(), place)).collect()
        });
        let names = std::iter::once(&field.name).chain(&field.aliases);
        let place = names.filter_map(|name| fields.get(name.as_str())).min()?;
        record.fields.get(*place)
    }

    fn tell(&mut self, meaning: Meaning, path: String, text: Text) {
        if self.bytes > MOST_TOLD {
            self.found.omitted += 1;
            return;
        }
        self.bytes += path.len() + text.zh.len() + text.en.len();
        self.found.told.push(Change { meaning, path, text });
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
            self.work += left.len() * (1 + kind.named().map_or(0, |named| named.aliases.len()));
            if self.work > MOST_OF_A_PAIR {
                return Vec::new();
            }
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
