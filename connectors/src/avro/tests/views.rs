//! What leaves under a grant: projection, masks, filters of three values, delete lines (protocol.md 8).

use changtong_catalog::grant::Grant;
use changtong_catalog::mask::Mask;

use super::*;
pub(super) use crate::fuzz::sample::{grant, keys};
use crate::log::LogRecord;

pub(super) const ITEMS: &str = r#"
[[items]]
name = "origin"
title = "出发机场"
type = "C"
[[items]]
name = "flight"
title = "航班号"
type = "I"
length = 5
[[items]]
name = "delay"
title = "延误"
type = "I"
length = 5
nullable = true
[[items]]
name = "tail"
title = "机尾号"
type = "C"
nullable = true
"#;

/// The line of one published record under a grant; `None` if it is passed over.
fn line(grant: &Grant, deletes: bool, body: &str) -> Option<serde_json::Value> {
    let plan = plan("table", &["origin", "flight"], ITEMS);
    let record = read(&plan, Format::Ndjson, body).records.remove(0);
    let stored = LogRecord {
        partition: record.partition,
        offset: 4,
        appended_ms: 0,
        key: record.key,
        value: record.value,
    };
    let view = View::compile(plan, &items(ITEMS), grant, keys()).unwrap();
    let mut out = Vec::new();
    match view.line(Generation(1), &stored, deletes, &mut Places::default(), &mut out).unwrap() {
        Passed::Sent => Some(serde_json::from_slice(&out).unwrap()),
        Passed::Over => {
            assert!(out.is_empty());
            None
        }
    }
}

pub(super) const LATE: &str = r#"{"origin":"JFK","flight":1,"delay":30,"tail":"N14228"}"#;
pub(super) const UNKNOWN: &str = r#"{"origin":"JFK","flight":1,"delay":null,"tail":null}"#;
pub(super) const GONE: &str = r#"{"$op":"delete","origin":"JFK","flight":1}"#;

#[test]
fn only_granted_items_leave_in_their_order() {
    let line = line(&grant(&["flight", "delay"], None, None), true, LATE).unwrap();
    assert_eq!(line["record"], serde_json::json!({"flight":1,"delay":30}));
    assert_eq!(line["op"], "upsert");
    let names: Vec<_> = line.as_object().unwrap().keys().cloned().collect();
    let wanted = ["id", "op", "k", "published_at", "record"];
    assert!(
        wanted.iter().all(|name| names.iter().any(|found| found == name)) && names.len() == 5,
        "{names:?}"
    );
}

#[test]
fn masks_leave_strings_strings_and_the_rest_null() {
    let mut grant = grant(&["delay", "tail"], None, None);
    grant.masks.insert("delay".to_owned(), Mask::Blank);
    grant.masks.insert("tail".to_owned(), Mask::First);
    let shown = line(&grant, true, LATE).unwrap();
    assert_eq!(shown["record"]["delay"], serde_json::Value::Null);
    let tail = shown["record"]["tail"].as_str().unwrap();
    assert!(tail.starts_with('N') && !tail.contains("14228"), "{tail}");
    assert_eq!(line(&grant, true, UNKNOWN).unwrap()["record"]["tail"], serde_json::Value::Null);
}

#[test]
fn a_row_outside_the_filter_is_a_delete_or_nothing() {
    let by_value = grant(&["flight"], None, Some("delay > 15"));
    assert_eq!(
        line(&grant(&["flight", "delay"], None, Some("delay > 15")), true, LATE).unwrap()["op"],
        "upsert"
    );
    // Unknown does not pass: the copy loses the row.
    let left = line(&by_value, true, UNKNOWN).unwrap();
    assert_eq!(left["op"], "delete");
    assert!(left.get("record").is_none());
    assert_eq!(line(&by_value, false, UNKNOWN), None);
    assert_eq!(line(&by_value, true, GONE).unwrap()["op"], "delete");
    assert_eq!(line(&by_value, false, GONE), None);
    let mut silent = by_value;
    silent.delete_lines = false;
    assert_eq!(line(&silent, true, GONE), None);
}

#[test]
fn a_row_outside_by_its_key_is_never_shown() {
    let elsewhere = grant(&["flight"], Some("origin == \"EWR\""), None);
    for body in [LATE, UNKNOWN, GONE] {
        assert_eq!(line(&elsewhere, true, body), None, "{body}");
    }
    let either = grant(&["flight"], Some("origin == \"EWR\" || delay > 15"), None);
    assert_eq!(line(&either, true, LATE).unwrap()["op"], "upsert");
    assert_eq!(line(&either, true, GONE).unwrap()["op"], "delete");
    let both = grant(&["flight"], Some("origin == \"EWR\""), Some("delay > 15"));
    assert_eq!(line(&both, true, LATE), None);
}

#[test]
fn nothing_but_what_is_granted_or_filtered_by_is_looked_at() {
    let plan = plan("table", &["origin", "flight"], ITEMS);
    let record = read(&plan, Format::Ndjson, LATE).records.remove(0);
    let mut value = record.value.unwrap().to_vec();
    // The tail number is no text any more.
    *value.last_mut().unwrap() = 0xff;
    let stored =
        LogRecord { partition: 0, offset: 0, appended_ms: 0, key: record.key, value: Some(value.into()) };
    let line = |granted: &[&str], filter: &str| {
        let view = View::compile(plan.clone(), &items(ITEMS), &grant(granted, None, Some(filter)), keys());
        view.unwrap().line(Generation(1), &stored, true, &mut Places::default(), &mut Vec::new())
    };
    assert_eq!(line(&["flight"], "delay > 15"), Ok(Passed::Sent));
    assert!(line(&["tail"], "delay > 15").is_err());
    let mut out = Vec::new();
    let by_tail = grant(&["flight"], Some("tail == 'N14228'"), None);
    let view = View::compile(plan.clone(), &items(ITEMS), &by_tail, keys()).unwrap();
    view.line(Generation(1), &stored, true, &mut Places::default(), &mut out).unwrap();
    assert!(String::from_utf8(out).unwrap().contains("delete"), "unknown does not pass");
}

#[test]
fn the_handle_is_the_rows_and_the_grants() {
    let one = grant(&["flight"], None, None);
    let upsert = line(&one, true, LATE).unwrap();
    let delete = line(&one, true, GONE).unwrap();
    let other = line(&one, true, r#"{"origin":"JFK","flight":2}"#).unwrap();
    assert_eq!(upsert["k"], delete["k"]);
    assert_ne!(upsert["k"], other["k"]);
    assert_eq!(upsert["k"].as_str().unwrap().len(), 22);
}

#[test]
fn lines_of_a_stream_have_neither_op_nor_handle() {
    let plan = plan("stream", &["origin"], ITEMS);
    let record = read(&plan, Format::Ndjson, LATE).records.remove(0);
    let stored = LogRecord { partition: 0, offset: 0, appended_ms: 0, key: record.key, value: record.value };
    let compiled = |grant: &Grant| View::compile(plan.clone(), &items(ITEMS), grant, keys()).unwrap();
    let mut out = Vec::new();
    compiled(&grant(&["flight"], None, None))
        .line(Generation(2), &stored, true, &mut Places::default(), &mut out)
        .unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "{\"id\":\"2.0.0\",\"published_at\":\"1970-01-01T00:00:00.000Z\",\"record\":{\"flight\":1}}\n"
    );
    let mut out = Vec::new();
    let passed = compiled(&grant(&["flight"], None, Some("delay < 0"))).line(
        Generation(2),
        &stored,
        true,
        &mut Places::default(),
        &mut out,
    );
    assert_eq!((passed.unwrap(), out.len()), (Passed::Over, 0));
}

/// Texts are looked at together, with the line that they are in: halves of a character in neighbours are no character.
#[test]
fn a_text_that_is_none_leaves_nothing_in_a_line() {
    let plan = plan("table", &["origin", "flight"], &ITEMS.replace("nullable = true", ""));
    let body = r#"{"origin":"中","flight":1,"delay":1,"tail":"中"}"#;
    let record = read(&plan, Format::Ndjson, body).records.remove(0);
    let (key, value) = (record.key, record.value.unwrap());
    let (good, first, second) = ("中".as_bytes(), &[b'a', 0xe4, 0xb8], &[0xad, b'a', b'a']);
    for (origin, tail) in [(&first[..], good), (good, &second[..]), (&second[..], &first[..])] {
        let value = [&value[..6], origin, &value[9..12], tail].concat();
        let key = key.clone();
        let stored = LogRecord { partition: 0, offset: 0, appended_ms: 0, key, value: Some(value.into()) };
        let (mut places, mut out) = (Places::default(), Vec::new());
        assert!(plan.owner_line(Generation(1), &stored, &mut places, &mut out).is_err());
        for granted in [&["tail", "origin"][..], &["origin", "flight", "delay", "tail"]] {
            let view =
                View::compile(plan.clone(), &items(ITEMS), &grant(granted, None, None), keys()).unwrap();
            let line = view.line(Generation(1), &stored, true, &mut places, &mut out);
            assert!(line.is_err(), "{origin:?} {tail:?} {granted:?}");
        }
    }
}
