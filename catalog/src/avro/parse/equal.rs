//! When two definitions say the same, as Java judges it: names, types, defaults, orders and properties; doc, aliases
//! and an enum's default do not count. A name that nothing stands for yet equals nothing.

use super::Parser;
use crate::avro::model::{Field, Id, Kind};

impl Parser {
    /// Calls go as deep as the second definition is nested: what it names is the first's own type.
    pub(super) fn equal(&self, first: Id, second: Id) -> bool {
        let (one, other) = (&self.types[first.0], &self.types[second.0]);
        first == second || (one.properties == other.properties && self.equal_kinds(&one.kind, &other.kind))
    }

    fn equal_kinds(&self, one: &Kind, other: &Kind) -> bool {
        match (one, other) {
            (Kind::Primitive(one), Kind::Primitive(other)) => one == other,
            (Kind::Array(one), Kind::Array(other)) | (Kind::Map(one), Kind::Map(other)) => {
                self.equal(*one, *other)
            }
            (Kind::Union(one), Kind::Union(other)) => {
                one.len() == other.len() && one.iter().zip(other).all(|(one, other)| self.equal(*one, *other))
            }
            (Kind::Fixed(one, size), Kind::Fixed(other, others)) => one.name == other.name && size == others,
            (Kind::Enum(one, list), Kind::Enum(other, others)) => {
                one.name == other.name && list.symbols == others.symbols
            }
            (Kind::Record(one, record), Kind::Record(other, others)) => {
                one.name == other.name
                    && record.fields.len() == others.fields.len()
                    && record
                        .fields
                        .iter()
                        .zip(&others.fields)
                        .all(|(one, other)| self.equal_fields(one, other))
            }
            _ => false,
        }
    }

    fn equal_fields(&self, one: &Field, other: &Field) -> bool {
        one.name == other.name
            && one.order == other.order
            && one.default == other.default
            && one.properties == other.properties
            && self.equal(one.kind, other.kind)
    }
}
