//! Avro schemas made from items: value schema and key schema of a resource, derived schema of a grant. The text is
//! canonical as Java's `Schema.toString` writes it (minified; type, name, namespace, fields; name, type, default,
//! properties), so equal items give equal text, fingerprint and id.

mod adopt;
pub mod read;
mod write;

use std::collections::{BTreeMap, HashSet};

use crate::audit::Digest;
use crate::avro::json::Json;
use crate::error::{Code, Refusal};
use crate::ids::{GrantNumber, ResourceNumber};
use crate::mask::Mask;
use crate::resource::{Item, ItemType};

pub use adopt::adopt;

/// Bytes of one schema's text.
pub const MOST_BYTES: usize = 256 * 1024;

/// An item as it stands in a value or derived schema.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Field<'a> {
    pub item: &'a Item,
    pub mask: Option<Mask>,
    /// A masked item that is no string becomes nullable, and null.
    pub nullable: bool,
}

impl<'a> Field<'a> {
    fn new(item: &'a Item, mask: Option<Mask>) -> Self {
        let blanked = mask.is_some() && !matches!(item.kind, ItemType::C | ItemType::M);
        Self { item, mask, nullable: item.nullable || blanked }
    }

    /// What a reader of its own is to take where the item is missing. A masked item has none: it would show a value that no
    /// record may.
    fn default(&self) -> Json {
        let own = self.item.default_value().filter(|_| self.mask.is_none());
        own.and_then(Result::ok).map_or(Json::Null, |value| value.in_schema())
    }

    /// A masked value is none of the values allowed, so the list goes with the mask.
    fn values(&self) -> &'a [String] {
        if self.mask.is_some() { &[] } else { &self.item.values }
    }
}

/// The schema of a resource's records.
pub fn value_schema(resource: ResourceNumber, items: &[Item]) -> Result<String, Refusal> {
    let fields: Vec<_> = items.iter().map(|item| Field::new(item, None)).collect();
    limited(write::record(&format!("ct.r{resource}"), "Value", &fields, write::Detail::Full))
}

/// The schema of a resource's keys: names and types only, in key order, so that its text and id stay the same for
/// the whole generation whatever becomes of titles and grades. `None` without a key.
pub fn key_schema(
    resource: ResourceNumber,
    items: &[Item],
    key: &[String],
) -> Result<Option<String>, Refusal> {
    if key.is_empty() {
        return Ok(None);
    }
    let find = |name: &String| items.iter().find(|item| item.name == *name);
    let fields: Vec<_> = key.iter().filter_map(find).map(|item| Field::new(item, None)).collect();
    if fields.len() != key.len() {
        return Err(Refusal::new(
            Code::SchemaRejected,
            "主键项不在信息项之中",
            "the key names an item that does not exist",
        )
        .with("path", "key"));
    }
    limited(write::record(&format!("ct.r{resource}"), "Key", &fields, write::Detail::Bare)).map(Some)
}

/// What of the resource's items a grant shows, in the resource's order.
#[must_use]
pub fn derived_fields<'a>(
    items: &'a [Item],
    granted: &[String],
    masks: &BTreeMap<String, Mask>,
) -> Vec<Field<'a>> {
    let granted: HashSet<&str> = granted.iter().map(String::as_str).collect();
    let shown = items.iter().filter(|item| granted.contains(item.name.as_str()));
    shown.map(|item| Field::new(item, masks.get(&item.name).copied())).collect()
}

/// The schema of the records that a grant delivers: projection and masks.
pub fn derived_schema(
    grant: GrantNumber,
    items: &[Item],
    granted: &[String],
    masks: &BTreeMap<String, Mask>,
) -> Result<String, Refusal> {
    let fields = derived_fields(items, granted, masks);
    limited(write::record(&format!("ct.g{grant}"), "Value", &fields, write::Detail::Full))
}

/// Hex SHA-256 of a schema's text.
#[must_use]
pub fn fingerprint(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn limited(text: String) -> Result<String, Refusal> {
    if text.len() <= MOST_BYTES {
        return Ok(text);
    }
    Err(Refusal::new(
        Code::SchemaRejected,
        format!("模式有 {} 字节,最多 {MOST_BYTES};请减少信息项或允许值", text.len()),
        format!("the schema has {} bytes, at most {MOST_BYTES}; use fewer items or values", text.len()),
    )
    .with("path", "items"))
}

#[cfg(test)]
mod tests;
