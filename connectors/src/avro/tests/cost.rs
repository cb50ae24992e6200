//! What a record and a plan cost in memory: told by counting, not by clocks.

use allocation_counter::measure;
use changtong_catalog::mask::Mask;

use super::views::{grant, keys};
use super::*;
use crate::log::LogRecord;

const RECORDS: u64 = 500;

/// Every item of every record; with an escape, so that no text is the one in the body.
fn lines(records: u64) -> String {
    let record = |n: u64| {
        format!(
            r#"{{"id":"n{n}","n":{n},"big":9007199254740993,"money":"12.50","day":"2013-01-31","at":"2013-01-01T18:00:00.120+08:00","flag":true,"raw":"AP8=","ratio":0.25,"small":0.5,"note":"甲\n乙","place":"JFK"}}"#
        )
    };
    (0..records).map(|n| record(n) + "\n").collect()
}

fn stored(plan: &Plan) -> Vec<LogRecord> {
    let body = read(plan, Format::Ndjson, &lines(RECORDS));
    let record = |record: Checked| LogRecord {
        partition: 0,
        offset: 0,
        appended_ms: 0,
        key: record.key,
        value: record.value,
    };
    body.records.into_iter().map(record).collect()
}

/// Pieces of memory taken for each record more.
fn for_each(of: impl Fn(u64) -> Vec<u8>, plan: &Plan, format: Format) -> f64 {
    let taken = |records: u64| {
        let body = of(records);
        let read = || try_read(plan, format, &body, &LIMITS).unwrap();
        assert_eq!(read().records.len() as u64, records);
        measure(|| drop(read())).count_total as f64
    };
    (taken(RECORDS) - taken(10)) / (RECORDS - 10) as f64
}

#[test]
fn a_field_costs_no_memory_of_its_own() {
    let plan = plan("table", &["id"], ALL_TYPES);
    let json = |records: u64| lines(records).into_bytes();
    let csv = |records: u64| {
        let rows: String = (0..records).map(|n| format!("n{n},{n},乙\n")).collect();
        format!("id,n,note\n{rows}").into_bytes()
    };
    let schema = schema_text(&items(ALL_TYPES));
    let all = stored(&plan);
    let file = |records: u64| {
        let mut file = container::head(schema.as_bytes(), [7; 16]);
        let data = |record: &LogRecord| record.value.as_ref().unwrap()[5..].to_vec();
        let data: Vec<u8> = all.iter().take(records as usize).flat_map(data).collect();
        container::put_block(records, &data, [7; 16], &mut file);
        file
    };
    // One piece is the key's, which is kept alone; the rest is shared by all.
    assert!(for_each(json, &plan, Format::Ndjson) < 1.1);
    assert!(for_each(csv, &plan, Format::Csv) < 1.1);
    assert!(for_each(file, &plan, Format::Avro) < 1.1);
}

#[test]
fn a_record_that_leaves_costs_no_memory_of_its_own() {
    let plan = plan("table", &["id"], ALL_TYPES);
    let records = stored(&plan);
    let names: Vec<_> = plan.fields.iter().map(Field::name).collect();
    let mut granted = grant(&names, Some("n >= 0"), Some("place == 'JFK' && money > 1"));
    granted.masks.insert("id".to_owned(), Mask::First);
    let view = View::compile(plan.clone(), &items(ALL_TYPES), &granted, keys()).unwrap();
    let (mut places, mut out) = (Places::default(), Vec::with_capacity(1 << 20));
    let mut all = || {
        out.clear();
        for record in &records {
            assert_eq!(view.line(Generation(1), record, true, &mut places, &mut out).unwrap(), Passed::Sent);
            assert_eq!(view.datum(Generation(1), record, true, &mut places, &mut out).unwrap(), Passed::Sent);
            plan.owner_line(Generation(1), record, &mut places, &mut out).unwrap();
        }
    };
    all();
    assert_eq!(measure(all).count_total, 0);
}

#[test]
fn a_plan_of_two_hundred_items_is_small() {
    let kinds = ["C", "M", "I", "B", "D", "T", "L", "G"];
    let item = |n: usize| {
        format!(
            "[[items]]\nname = \"information_item_{n:03}\"\ntitle = \"信息项目第{n}号\"\ntype = \"{}\"\nnullable = true\n",
            kinds[n % 8]
        )
    };
    let file = file("stream", &[], &(0..200).map(item).collect::<String>());
    let mut plan = None;
    let taken = measure(|| plan = Some(Plan::of(&file, SchemaId(7), None, 3)));
    assert_eq!(plan.unwrap().fields.len(), 200);
    assert!(taken.bytes_current <= 64 << 10, "{} bytes", taken.bytes_current);
}
