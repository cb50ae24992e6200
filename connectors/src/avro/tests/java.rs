//! Records that Apache Avro 1.12 for Java wrote (`java.jsonl`, made by tests/scripts/schemas.sh): what a publisher writes
//! in JSON becomes the same bytes here, and Java's file is read as the same records. What Java read with the schema of
//! later items (`resolved.jsonl`) is what a consumer of those is shown.

use std::collections::BTreeMap;

use changtong_catalog::resource::{Item, ItemType};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::versions::{standing_of, written_as};
use super::views::{grant, keys};
use super::*;
use crate::log::LogRecord;

const WRITTEN: &str = include_str!("java.jsonl");
const RESOLVED: &str = include_str!("resolved.jsonl");

/// Records of one list of items.
#[derive(Deserialize)]
struct Family {
    items: Vec<Item>,
    /// As Java writes JSON: a reader on the way might round its numbers.
    records: Vec<Box<RawValue>>,
    data: Vec<String>,
    file: String,
}

/// What an owner reads.
#[derive(Deserialize)]
struct Line<'l> {
    #[serde(borrow)]
    record: BTreeMap<&'l str, &'l RawValue>,
}

/// The same value, though Java may write a number or an escape in another form.
fn same(kind: ItemType, ours: &str, javas: &str) -> bool {
    let text = |json| serde_json::from_str::<String>(json).ok();
    match kind {
        _ if ours == javas => true,
        ItemType::B => ours.parse::<f64>().unwrap() == javas.parse::<f64>().unwrap(),
        ItemType::F => ours.parse::<f32>().unwrap() == javas.parse::<f32>().unwrap(),
        _ => text(ours).is_some() && text(ours) == text(javas),
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn our_bytes_are_javas_and_javas_file_is_read() {
    let mut records = 0;
    for (n, line) in WRITTEN.lines().enumerate() {
        let family: Family = serde_json::from_str(line).unwrap();
        let mut file = file("stream", &[], "items = []\n");
        file.items = family.items;
        let plan = Plan::of(&file, SchemaId(7), None, 3);
        let lines: Vec<_> = family.records.iter().map(|record| record.get()).collect();
        let from_json = read(&plan, Format::Ndjson, &lines.join("\n"));
        let from_file = try_read(&plan, Format::Avro, &bytes(&family.file), &LIMITS).unwrap();
        assert_eq!((&from_json.bad, &from_file.bad), (&vec![], &vec![]), "line {n}");
        let wanted: Vec<_> =
            family.data.iter().map(|hex| [&[0, 0, 0, 0, 7][..], &bytes(hex)].concat()).collect();
        for read in [from_json, from_file] {
            let found: Vec<_> =
                read.records.into_iter().map(|record| record.value.unwrap().to_vec()).collect();
            assert_eq!(found, wanted, "line {n}");
        }
        for (value, record) in wanted.into_iter().zip(&family.records) {
            let stored =
                LogRecord { partition: 0, offset: 0, appended_ms: 0, key: None, value: Some(value.into()) };
            let mut out = Vec::new();
            plan.owner_line(Generation(1), &stored, &mut Places::default(), &mut out).unwrap();
            let line: Line<'_> = serde_json::from_slice(&out).unwrap();
            let told: BTreeMap<&str, &RawValue> = serde_json::from_str(record.get()).unwrap();
            for Item { name, kind, .. } in &file.items {
                let (ours, javas) = (line.record[name.as_str()].get(), told[name.as_str()].get());
                assert!(same(*kind, ours, javas), "line {n}: {ours} is not {javas}");
            }
            assert_eq!(line.record.len(), told.len());
            records += 1;
        }
    }
    assert!(records >= 200, "{records}");
}

/// Records of one list of items, and what they are as records of another, whose defaults a schema has like this.
#[derive(Deserialize)]
struct Resolved {
    old: Vec<Item>,
    new: Vec<Item>,
    defaults: BTreeMap<String, serde_json::Value>,
    written: Vec<String>,
    read: Vec<String>,
}

/// The defaults in our text of a schema.
fn defaults(items: &[Item]) -> BTreeMap<String, serde_json::Value> {
    let schema: serde_json::Value = serde_json::from_str(&schema_text(items)).unwrap();
    let fields = schema["fields"].as_array().unwrap();
    let default =
        |field: &serde_json::Value| Some((field["name"].as_str()?.to_owned(), field.get("default")?.clone()));
    fields.iter().filter_map(default).collect()
}

#[test]
fn an_old_record_is_shown_as_java_reads_it_with_the_later_schema() {
    let (mut records, mut renamed, mut lacked) = (0, 0, 0);
    for (n, line) in RESOLVED.lines().enumerate() {
        let Resolved { old, new, defaults: javas, written, read } = serde_json::from_str(line).unwrap();
        assert_eq!(defaults(&new), javas, "line {n}");
        let plan = Arc::new(Plan::compile(&standing_of(&old, &new), 3).unwrap());
        let names: Vec<_> = new.iter().map(|item| item.name.as_str()).collect();
        let view = View::compile(plan, &new, &grant(&names, None, None), keys()).unwrap();
        for (written, read) in written.iter().zip(&read) {
            let (mut out, mut places) = (Vec::new(), Places::default());
            let record = written_as(7, &bytes(written));
            let passed = view.datum(Generation(1), &record, true, &mut places, &mut out).unwrap();
            assert_eq!(passed, Passed::Sent);
            // Behind what every delivered record begins with.
            assert!(out.ends_with(&bytes(read)), "line {n}: {read} is not the end of {out:02x?}");
            records += 1;
        }
        assert_eq!(written.len(), read.len());
        let found = |item: &&Item| old.iter().any(|old| item.aliases.contains(&old.name));
        renamed += new.iter().filter(found).count();
        lacked += new.iter().filter(|item| item.default.is_some() && item.name.starts_with("new")).count();
    }
    assert!(records >= 300 && renamed > 40 && lacked > 40, "{records}, {renamed} renamed, {lacked} defaults");
}
