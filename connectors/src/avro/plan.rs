//! The plan of one resource generation: its items in order, with what checks and encodes each.

use std::collections::HashMap;

use bytes::Bytes;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::SchemaId;
use changtong_catalog::ports::ResourceStanding;
use changtong_catalog::resource::{AvroType, Item, Kind};

use super::binary;

/// One item, ready to check, encode and print.
#[derive(Debug, Clone)]
pub struct Field {
    pub name: String,
    pub avro: AvroType,
    pub nullable: bool,
    pub(super) length: Option<u32>,
    /// Sorted, for search.
    pub(super) values: Vec<String>,
    /// `"name":`, ready for output.
    pub(super) label: Vec<u8>,
}

/// A compiled resource: immutable, shared by everyone who publishes to it or reads it.
#[derive(Debug)]
pub struct Plan {
    pub kind: Kind,
    pub fields: Vec<Field>,
    /// Indexes of the key items, in key order.
    pub key: Vec<usize>,
    /// Items as the catalog has them, for filters.
    pub items: Vec<Item>,
    pub value_schema: SchemaId,
    pub key_schema: Option<SchemaId>,
    pub partitions: i32,
    by_name: HashMap<String, usize>,
}

impl Plan {
    /// `partitions` is the topic's; before the topic is made, the setting's.
    pub fn compile(standing: &ResourceStanding, partitions: i32) -> Result<Self, Refusal> {
        let resource = &standing.resource;
        let value_schema = standing.value_schema().ok_or_else(|| {
            Refusal::new(
                Code::ResourceNotPublished,
                "资源尚未发布,没有模式",
                "the resource is not published yet and has no schema",
            )
        })?;
        let fields: Vec<Field> = resource.file.items.iter().map(Field::of).collect();
        let by_name = fields.iter().enumerate().map(|(at, field)| (field.name.clone(), at)).collect();
        Ok(Self {
            kind: resource.file.kind,
            key: resource.key_items(),
            items: resource.file.items.clone(),
            value_schema: value_schema.id,
            key_schema: standing.key_schema.as_ref().map(|schema| schema.id),
            partitions: standing.topic.as_ref().map_or(partitions, |topic| topic.partitions),
            fields,
            by_name,
        })
    }

    #[must_use]
    pub fn index(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The item with this title, if there is exactly one: agencies' own files have Chinese headers.
    #[must_use]
    pub fn index_of_title(&self, title: &str) -> Option<usize> {
        let mut found = self.items.iter().enumerate().filter(|(_, item)| item.title == title);
        let (at, _) = found.next()?;
        found.next().is_none().then_some(at)
    }

    #[must_use]
    pub fn is_key(&self, index: usize) -> bool {
        self.key.contains(&index)
    }

    /// The datum of a framed value of this plan's schema.
    pub(super) fn datum<'a>(&self, framed: &'a Bytes) -> Result<&'a [u8], Refusal> {
        match binary::unframe(framed) {
            Some((id, datum)) if id == self.value_schema.0 => Ok(datum),
            _ => Err(undecodable()),
        }
    }
}

impl Field {
    fn of(item: &Item) -> Self {
        let mut values = item.values.clone();
        values.sort();
        let mut label = Vec::with_capacity(item.name.len() + 3);
        label.push(b'"');
        label.extend_from_slice(item.name.as_bytes());
        label.extend_from_slice(b"\":");
        Self {
            name: item.name.clone(),
            avro: item.avro(),
            nullable: item.nullable,
            length: item.length,
            values,
            label,
        }
    }
}

/// A record in the log that its schema cannot read: never the publisher's doing, as the gate checks before it writes.
pub(super) fn undecodable() -> Refusal {
    Refusal::new(
        Code::Internal,
        "日志中的一条记录无法按其模式解码",
        "a record in the log cannot be decoded by its schema",
    )
}
