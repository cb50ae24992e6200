//! When a schema that was sent is one that is there already, although its text differs: the same types with the same
//! docs and aliases, whatever the order of properties; sent with everything written out while the kept one refers to
//! others; or with or without the client's own number of the version.

use std::collections::HashSet;

use super::content::{Beside, Metadata, VERSION_PROPERTY};
use crate::avro::{Field, Id, Kind, Named, Schema};

/// One side: a schema read with its references, and what stands beside it.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    pub schema: &'a Schema,
    pub beside: &'a Beside,
}

/// Whether the sent one finds the kept one, which has this version in its subject.
#[must_use]
pub fn finds(sent: Side<'_>, kept: Side<'_>, version: i32) -> bool {
    let references = sent.beside.references.is_empty() || sent.beside.references == kept.beside.references;
    let both = sent.beside.references.is_empty() == kept.beside.references.is_empty();
    (both && references || sent.beside.references.is_empty())
        && sent.beside.rule_set == kept.beside.rule_set
        && same_metadata(sent.beside.metadata.as_ref(), kept.beside.metadata.as_ref(), version)
        && same(sent.schema, kept.schema)
}

fn number(metadata: Option<&Metadata>) -> Option<i32> {
    metadata?.properties.get(VERSION_PROPERTY)?.parse().ok()
}

fn same_metadata(sent: Option<&Metadata>, kept: Option<&Metadata>, version: i32) -> bool {
    let plain = |metadata: Option<&Metadata>| metadata.map(Metadata::unnumbered).unwrap_or_default();
    match (number(sent), number(kept)) {
        (None, Some(_)) => plain(sent) == plain(kept),
        (Some(asked), None) => asked == version && plain(sent) == plain(kept),
        _ => sent == kept,
    }
}

/// Whether two schemas say the same in the same order, docs and aliases included.
#[must_use]
pub fn same(one: &Schema, other: &Schema) -> bool {
    Comparison { one, other, begun: HashSet::new() }.any(one.top(), other.top())
}

struct Comparison<'a> {
    one: &'a Schema,
    other: &'a Schema,
    /// Records that are being compared, or were found equal.
    begun: HashSet<(Id, Id)>,
}

impl Comparison<'_> {
    /// Calls go as deep as the texts are nested, which the parser has bounded: a pair of named types is entered once.
    fn any(&mut self, one: Id, other: Id) -> bool {
        let (left, right) = (self.one.of(one), self.other.of(other));
        left.properties == right.properties && self.kinds((one, &left.kind), (other, &right.kind))
    }

    fn kinds(&mut self, (one, left): (Id, &Kind), (other, right): (Id, &Kind)) -> bool {
        match (left, right) {
            (Kind::Primitive(left), Kind::Primitive(right)) => left == right,
            (Kind::Array(left), Kind::Array(right)) | (Kind::Map(left), Kind::Map(right)) => {
                self.any(*left, *right)
            }
            (Kind::Union(left), Kind::Union(right)) => {
                left.len() == right.len()
                    && left.iter().zip(right).all(|(left, right)| self.any(*left, *right))
            }
            (Kind::Fixed(left, size), Kind::Fixed(right, other)) => named(left, right) && size == other,
            (Kind::Enum(left, list), Kind::Enum(right, other)) => {
                named(left, right) && list.symbols == other.symbols && list.default == other.default
            }
            (Kind::Record(left, record), Kind::Record(right, others)) => {
                if !self.begun.insert((one, other)) {
                    return true;
                }
                let (fields, theirs) = (record.fields.clone(), others.fields.clone());
                named(left, right)
                    && record.error == others.error
                    && fields.len() == theirs.len()
                    && fields.iter().zip(&theirs).all(|(left, right)| self.fields(left, right))
            }
            _ => false,
        }
    }

    fn fields(&mut self, left: &Field, right: &Field) -> bool {
        left.name == right.name
            && left.order == right.order
            && left.default == right.default
            && left.doc == right.doc
            && left.properties == right.properties
            && set(&left.aliases) == set(&right.aliases)
            && self.any(left.kind, right.kind)
    }
}

fn named(left: &Named, right: &Named) -> bool {
    left.name == right.name && left.doc == right.doc && set(&left.aliases) == set(&right.aliases)
}

fn set<T: std::hash::Hash + Eq>(aliases: &[T]) -> HashSet<&T> {
    aliases.iter().collect()
}
