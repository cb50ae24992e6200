//! Records that Apache Avro 1.12 for Java wrote (`java.jsonl`, made by tests/scripts/schemas.sh): what a publisher writes
//! in JSON becomes the same bytes here, and Java's file is read as the same records.

use std::collections::BTreeMap;

use changtong_catalog::resource::{Item, ItemType};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::*;
use crate::log::LogRecord;

const WRITTEN: &str = include_str!("java.jsonl");

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
