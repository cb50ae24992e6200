//! A delivered record as Avro says what its line says: every item, mask and delete, read back by apache-avro.

use apache_avro::Schema;
use apache_avro::types::Value;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use changtong_catalog::grant::Grant;
use changtong_catalog::mask::Mask;

use super::views::{GONE, ITEMS, LATE, UNKNOWN, grant, keys};
use super::*;
use crate::log::LogRecord;

fn stored(plan: &Plan, body: &str) -> LogRecord {
    let record = read(plan, Format::Ndjson, body).records.remove(0);
    LogRecord { partition: 2, offset: 4, appended_ms: 1_500, key: record.key, value: record.value }
}

/// The record under a grant as apache-avro reads it, and its line.
fn both(kind: &str, granted: &Grant, body: &str) -> (Value, serde_json::Value) {
    let key: &[&str] = if kind == "table" { &["origin", "flight"] } else { &[] };
    let plan = plan(kind, key, ITEMS);
    let record = stored(&plan, body);
    let view = View::compile(plan, &items(ITEMS), granted, keys()).unwrap();
    let (mut datum, mut line) = (Vec::new(), Vec::new());
    let passed = view.datum(Generation(3), &record, true, &mut Places::default(), &mut datum).unwrap();
    assert_eq!(passed, view.line(Generation(3), &record, true, &mut Places::default(), &mut line).unwrap());
    let schema = Schema::parse_str(&view.delivered_schema(&derived(granted))).unwrap();
    let reader = apache_avro::reader::datum::GenericDatumReader::builder(&schema).build().unwrap();
    let mut rest = &datum[..];
    let value = reader.read_value(&mut rest).unwrap();
    assert!(rest.is_empty(), "bytes are left over");
    (value, serde_json::from_slice(&line).unwrap())
}

fn derived(granted: &Grant) -> String {
    schema::derived_schema(granted.number, &items(ITEMS), &granted.items, &granted.masks).unwrap()
}

fn member<'v>(record: &'v Value, name: &str) -> &'v Value {
    let Value::Record(fields) = record else { panic!("{record:?} is no record") };
    match &fields.iter().find(|(field, _)| field == name).unwrap_or_else(|| panic!("no {name}")).1 {
        Value::Union(_, inner) => inner,
        value => value,
    }
}

fn names(record: &Value) -> Vec<&str> {
    let Value::Record(fields) = record else { panic!("{record:?} is no record") };
    fields.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn an_upsert_says_what_its_line_says() {
    // Granted in another order than the resource's: the schema keeps the resource's.
    for body in [LATE, UNKNOWN] {
        let (value, line) = both("table", &grant(&["tail", "delay", "origin"], None, None), body);
        assert_eq!(names(&value), ["id", "op", "k", "published_at", "record"]);
        assert_eq!(member(&value, "id"), &Value::String("3.2.4".into()));
        assert_eq!(member(&value, "op"), &Value::Enum(0, "upsert".into()));
        assert_eq!(member(&value, "published_at"), &Value::TimestampMillis(1_500));
        let handle = URL_SAFE_NO_PAD.decode(line["k"].as_str().unwrap()).unwrap();
        assert_eq!(member(&value, "k"), &Value::Bytes(handle));
        let record = member(&value, "record");
        assert_eq!(names(record), ["origin", "delay", "tail"]);
        assert_eq!(member(record, "origin"), &Value::String("JFK".into()));
        let delay = line["record"]["delay"].as_i64();
        assert_eq!(member(record, "delay"), &delay.map_or(Value::Null, |delay| Value::Int(delay as i32)));
        let tail = line["record"]["tail"].as_str();
        assert_eq!(member(record, "tail"), &tail.map_or(Value::Null, |tail| Value::String(tail.into())));
    }
}

#[test]
fn a_delete_has_no_record_and_neither_has_a_row_that_left_the_filter() {
    let granted = grant(&["flight", "delay"], None, Some("delay > 60"));
    for body in [GONE, LATE] {
        let (value, line) = both("table", &granted, body);
        assert_eq!(line["op"], "delete");
        assert_eq!(member(&value, "op"), &Value::Enum(1, "delete".into()));
        assert_eq!(member(&value, "record"), &Value::Null);
    }
}

#[test]
fn masks_leave_strings_strings_and_the_rest_null() {
    let mut granted = grant(&["origin", "flight", "delay", "tail"], None, None);
    for (name, mask) in [("origin", Mask::First), ("flight", Mask::Blank), ("tail", Mask::Hmac)] {
        granted.masks.insert(name.to_owned(), mask);
    }
    for body in [LATE, UNKNOWN] {
        let (value, line) = both("table", &granted, body);
        let (record, line) = (member(&value, "record"), &line["record"]);
        for name in ["origin", "tail"] {
            let text = line[name].as_str();
            assert_eq!(member(record, name), &text.map_or(Value::Null, |text| Value::String(text.into())));
        }
        assert_eq!(member(record, "flight"), &Value::Null);
        assert!(!format!("{value:?}").contains("N14228"), "what is masked is nowhere");
    }
}

#[test]
fn a_streams_record_has_neither_op_nor_handle() {
    let (value, line) = both("stream", &grant(&["flight"], None, None), LATE);
    assert_eq!(names(&value), ["id", "published_at", "record"]);
    assert_eq!(member(member(&value, "record"), "flight"), &Value::Int(1));
    assert!(line.get("k").is_none());
}
