//! The plan of one schema version of a resource: its items in order, with what checks and encodes each, and how the
//! records of every version of the generation are read in its shape.

use std::collections::HashMap;

use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::SchemaId;
use changtong_catalog::ports::ResourceStanding;
use changtong_catalog::resource::{AvroType, Item, Kind, ResourceFile};

use super::binary;
use super::written::Written;

/// One item, ready to check, encode and print.
#[derive(Debug)]
pub struct Field {
    pub avro: AvroType,
    pub nullable: bool,
    pub(super) key: bool,
    pub(super) length: Option<u32>,
    /// Sorted, for search.
    pub(super) values: Box<[Box<str>]>,
    /// The value, without a branch, where what is read has no such item.
    pub(super) default: Option<Box<[u8]>>,
    /// Names that it may have in what is read.
    pub(super) aliases: Box<[Box<str>]>,
    /// `,"name":`, as JSON has it behind another member: names are of ASCII letters, digits and `_`.
    label: Box<str>,
    title: Box<str>,
}

/// A compiled resource: immutable, shared by everyone who publishes to it or reads it.
#[derive(Debug)]
pub struct Plan {
    pub kind: Kind,
    pub fields: Box<[Field]>,
    /// Indexes of the key items, in key order.
    pub key: Box<[usize]>,
    pub value_schema: SchemaId,
    pub partitions: i32,
    /// Places of the items, in the order of their names.
    by_name: Box<[u32]>,
    /// How records are read: those of its own version, then those of the others.
    written: Box<[Written]>,
    /// How keys are read, where there are any.
    keys: Option<Written>,
}

impl Plan {
    /// For the version in force. `partitions` is the topic's; before the topic is made, the setting's.
    pub fn compile(standing: &ResourceStanding, partitions: i32) -> Result<Self, Refusal> {
        let in_force = standing.versions.last().ok_or_else(unpublished)?;
        Self::of_version(standing, in_force.version, partitions)
    }

    /// For a version that a grant holds: what was written in any other is read in its shape.
    pub fn of_version(standing: &ResourceStanding, version: i32, partitions: i32) -> Result<Self, Refusal> {
        let held = standing.versions.iter().find(|known| known.version == version);
        let held =
            held.ok_or_else(|| if standing.versions.is_empty() { unpublished() } else { undecodable() })?;
        let file = &standing.resource.file;
        let key_schema = standing.key_schema.as_ref().map(|schema| schema.id);
        let partitions = standing.topic.as_ref().map_or(partitions, |topic| topic.partitions);
        let mut plan =
            Self::made(file.kind, &held.items, &file.key, (held.schema.id, key_schema), partitions);
        // An alias is for records of earlier versions: a later one may have anything under that name.
        let (names, own) = (Names::of(&plan.fields), Names::own(&plan.fields));
        let others = standing.versions.iter().filter(|other| other.schema.id != held.schema.id);
        let others = others.filter_map(|other| {
            let names = if other.version < version { &names } else { &own };
            Written::read_as(other.schema.id, &other.items, &plan.fields, names)
        });
        let others: Vec<_> = others.collect();
        plan.written = plan.written.into_iter().chain(others).collect();
        Ok(plan)
    }

    /// Of a file alone.
    #[must_use]
    pub fn of(
        file: &ResourceFile,
        value_schema: SchemaId,
        key_schema: Option<SchemaId>,
        partitions: i32,
    ) -> Self {
        Self::made(file.kind, &file.items, &file.key, (value_schema, key_schema), partitions)
    }

    fn made(
        kind: Kind,
        items: &[Item],
        key: &[String],
        (value_schema, key_schema): (SchemaId, Option<SchemaId>),
        partitions: i32,
    ) -> Self {
        let place = |name: &String| items.iter().position(|item| item.name == *name);
        let key: Box<[usize]> = key.iter().filter_map(place).collect();
        let items = items.iter().enumerate();
        let fields: Box<[Field]> = items.map(|(at, item)| Field::of(item, key.contains(&at))).collect();
        let mut by_name: Box<[u32]> = (0..).take(fields.len()).collect();
        by_name.sort_unstable_by_key(|at| fields[*at as usize].name());
        let written = [Written::own(value_schema, 0..fields.len(), &fields)];
        let keys = key_schema.map(|schema| Written::own(schema, key.iter().copied(), &fields));
        Self { kind, key, value_schema, partitions, fields, by_name, written: written.into(), keys }
    }

    #[must_use]
    pub fn index(&self, name: &str) -> Option<usize> {
        let found = self.by_name.binary_search_by(|at| self.fields[*at as usize].name().cmp(name)).ok()?;
        Some(self.by_name[found] as usize)
    }

    /// Whether a record says what it says of an item for nothing: a delete is its key.
    pub(super) fn passes_over(&self, at: usize, delete: bool) -> bool {
        delete && self.kind == Kind::Table && !self.fields[at].key
    }

    /// The item with this title, if there is exactly one: agencies' own files have Chinese headers.
    #[must_use]
    pub fn index_of_title(&self, title: &str) -> Option<usize> {
        let mut found = self.fields.iter().enumerate().filter(|(_, field)| *field.title == *title);
        let (at, _) = found.next()?;
        found.next().is_none().then_some(at)
    }

    /// How the record of a framed value is read, and its datum.
    pub(super) fn value<'a>(&self, framed: &'a [u8]) -> Result<(&Written, &'a [u8]), Refusal> {
        let (id, datum) = binary::unframe(framed).ok_or_else(undecodable)?;
        let written = self.written.iter().find(|written| written.schema == id).ok_or_else(undecodable)?;
        Ok((written, datum))
    }

    /// The datum of a framed key, and how it is read.
    pub(super) fn key<'a>(&self, framed: &'a [u8]) -> Result<(&Written, &'a [u8]), Refusal> {
        match (binary::unframe(framed), &self.keys) {
            (Some((id, datum)), Some(keys)) if id == keys.schema => Ok((keys, datum)),
            _ => Err(undecodable()),
        }
    }

    pub(super) fn key_schema(&self) -> Option<SchemaId> {
        self.keys.as_ref().map(|keys| keys.schema)
    }
}

/// By which names the items of a plan are found in what another schema wrote (Avro 1.12, "Aliases").
pub(super) struct Names<'p>(HashMap<&'p str, usize>);

impl<'p> Names<'p> {
    pub fn of(fields: &'p [Field]) -> Self {
        let of = |(at, field): (usize, &'p Field)| {
            let aliases = field.aliases.iter().map(|alias| &**alias);
            std::iter::once(field.name()).chain(aliases).map(move |name| (name, at))
        };
        Self(fields.iter().enumerate().flat_map(of).collect())
    }

    pub fn own(fields: &'p [Field]) -> Self {
        Self(fields.iter().enumerate().map(|(at, field)| (field.name(), at)).collect())
    }

    pub fn find(&self, name: &str) -> Option<usize> {
        self.0.get(name).copied()
    }
}

impl Field {
    fn of(item: &Item, key: bool) -> Self {
        let mut values: Box<[Box<str>]> = item.values.iter().map(|value| value.as_str().into()).collect();
        values.sort_unstable();
        let default = item.default_value().and_then(Result::ok).map(|value| {
            let mut bytes = Vec::new();
            binary::put_as(item.avro(), &value.cell(), &mut bytes);
            bytes.into()
        });
        Self {
            avro: item.avro(),
            nullable: item.nullable,
            key,
            length: item.length,
            values,
            default,
            aliases: item.aliases.iter().map(|alias| alias.as_str().into()).collect(),
            label: format!(",\"{}\":", item.name).into(),
            title: item.title.as_str().into(),
        }
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.label[2..self.label.len() - 2]
    }

    /// `"name":`
    pub(super) fn label(&self) -> &[u8] {
        &self.label.as_bytes()[1..]
    }

    /// `,"name":`
    pub(super) fn label_behind(&self) -> &[u8] {
        self.label.as_bytes()
    }
}

fn unpublished() -> Refusal {
    Refusal::new(
        Code::ResourceNotPublished,
        "资源尚未发布,没有模式",
        "the resource is not published yet and has no schema",
    )
}

/// A record in the log that its schema cannot read: never the publisher's doing, as the gate checks before it writes.
pub(super) fn undecodable() -> Refusal {
    Refusal::new(
        Code::Internal,
        "日志中的一条记录无法按其模式解码",
        "a record in the log cannot be decoded by its schema",
    )
}
