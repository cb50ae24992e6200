//! Tags that a text gives its records and fields, in the property that clients write them in.

use std::collections::HashSet;

use crate::avro::json::{Json, Members};
use crate::avro::{Kind, Schema};

const PROPERTY: &str = "confluent:tags";
/// Asks for every tag.
const ANY: &str = "*";

/// What has tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tagged {
    /// The full name of a record, or that with the name of its field.
    pub path: String,
    pub field: bool,
    pub tags: Vec<String>,
}

/// Records and fields that have one of these tags, each once, from the top down.
#[must_use]
pub fn tagged(schema: &Schema, wanted: &[String]) -> Vec<Tagged> {
    let (mut found, mut met, mut todo) = (Vec::new(), HashSet::new(), vec![schema.top()]);
    while let Some(id) = todo.pop() {
        if !met.insert(id) {
            continue;
        }
        let kind = schema.kind(id);
        if let Kind::Record(named, record) = kind {
            let path = named.name.full();
            add(&mut found, &path, None, &schema.of(id).properties, wanted);
            for field in &record.fields {
                add(&mut found, &path, Some(&field.name), &field.properties, wanted);
            }
        }
        todo.extend(kind.children().into_iter().rev());
    }
    found
}

fn add(found: &mut Vec<Tagged>, record: &str, field: Option<&str>, properties: &Members, wanted: &[String]) {
    let Some(Json::Array(tags)) = properties.get(PROPERTY) else { return };
    let is_wanted = |tag: &&str| wanted.iter().any(|wanted| wanted == ANY || wanted == tag);
    let tags: Vec<String> = tags.iter().filter_map(Json::text).filter(is_wanted).map(str::to_owned).collect();
    if !tags.is_empty() {
        let path = field.map_or_else(|| record.to_owned(), |field| format!("{record}.{field}"));
        found.push(Tagged { path, field: field.is_some(), tags });
    }
}
