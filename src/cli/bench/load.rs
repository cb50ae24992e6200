//! What a bench publishes: rows of a table, about 150 bytes each. Bodies are made before the clock starts, so that
//! making them is not measured; equal rows published again are upserts like any other.

use std::fmt::Write as _;

use bytes::Bytes;
use clap::ValueEnum;
use serde_json::{Value, json};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Ndjson,
    Csv,
}

impl Format {
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv",
        }
    }
}

/// What a consumer asks for that does not need everything: some of the items, the long one among them, and a filter that
/// every row passes.
pub const SOME_ITEMS: [&str; 5] = ["id", "origin", "delay", "fare", "note"];
pub const FILTER: &str = r#"delay >= -30 && origin in ["JFK", "LGA", "EWR"]"#;

/// Bodies that take turns.
const BODIES: u32 = 16;

/// The resource, as its file would say it.
pub fn resource(provider: &str, class: &str) -> Value {
    let item = |name: &str, kind: &str, more: Value| {
        let mut item = json!({ "name": name, "title": name, "type": kind });
        if let (Some(item), Some(more)) = (item.as_object_mut(), more.as_object()) {
            item.extend(more.clone());
        }
        item
    };
    json!({
        "class": class, "title": "bench", "provider": provider, "kind": "table", "share_type": "unconditional",
        "update_cycle": "irregular", "key": ["id"],
        "items": [
            item("id", "I", json!({ "length": 18 })),
            item("carrier", "C", json!({ "length": 8 })),
            item("origin", "C", json!({ "length": 8 })),
            item("delay", "I", json!({ "length": 9, "nullable": true })),
            item("fare", "N", json!({ "precision": 12, "scale": 2 })),
            item("at", "T", json!({})),
            item("note", "C", json!({ "length": 200 })),
        ],
    })
}

pub fn bodies(format: Format, records: u32) -> Vec<Bytes> {
    (0..BODIES).map(|body| self::body(format, body * records, records)).collect()
}

pub fn body(format: Format, first: u32, records: u32) -> Bytes {
    let mut out = String::new();
    if format == Format::Csv {
        out.push_str("id,carrier,origin,delay,fare,at,note\n");
    }
    for id in first..first + records {
        let row = Row::of(id);
        // Writing into a String does not fail.
        let _ = match format {
            Format::Csv => writeln!(
                out,
                "{id},{},{},{},{},{},{}",
                row.carrier, row.origin, row.delay, row.fare, row.at, row.note
            ),
            Format::Ndjson => writeln!(
                out,
                r#"{{"id":{id},"carrier":"{}","origin":"{}","delay":{},"fare":"{}","at":"{}","note":"{}"}}"#,
                row.carrier, row.origin, row.delay, row.fare, row.at, row.note
            ),
        };
    }
    Bytes::from(out)
}

struct Row {
    carrier: &'static str,
    origin: &'static str,
    delay: i64,
    fare: String,
    at: String,
    note: String,
}

impl Row {
    fn of(id: u32) -> Self {
        let pick = |list: &[&'static str; 4]| list[(id % 4) as usize];
        Self {
            carrier: pick(&["UA", "AA", "B6", "DL"]),
            origin: pick(&["JFK", "LGA", "EWR", "JFK"]),
            delay: i64::from(id % 240) - 30,
            fare: format!("{}.{:02}", id % 10_000, id % 100),
            at: format!("2013-01-{:02}T{:02}:{:02}:00Z", 1 + id % 28, id % 24, id % 60),
            note: format!("row {id} of the bench with some text that makes it as long as rows usually are"),
        }
    }
}

#[cfg(test)]
mod tests {
    use changtong_catalog::resource::ResourceFile;

    use super::*;

    #[test]
    fn the_resource_and_its_rows_are_what_the_catalog_takes() {
        let file: ResourceFile = serde_json::from_value(resource("bench-1", "300000")).unwrap();
        changtong_catalog::resource::check::check(&file).unwrap();
        let lines = bodies(Format::Ndjson, 3);
        assert_eq!(lines.len(), BODIES as usize);
        let first = std::str::from_utf8(&lines[1]).unwrap().lines().next().unwrap();
        let row: Value = serde_json::from_str(first).unwrap();
        assert_eq!(row["id"], 3);
        let names: Vec<&str> = file.items.iter().map(|item| item.name.as_str()).collect();
        assert!(row.as_object().unwrap().keys().all(|name| names.contains(&name.as_str())));
        assert!(SOME_ITEMS.iter().all(|name| names.contains(name)));
        changtong_catalog::filter::parse(FILTER).unwrap().check(&file.items).unwrap();
        let csv = bodies(Format::Csv, 3);
        assert_eq!(std::str::from_utf8(&csv[0]).unwrap().lines().next().unwrap(), names.join(","));
    }
}
