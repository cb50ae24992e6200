//! A file's schema against the resource's.

use apache_avro::types::Value;
use changtong_catalog::error::Code;
use serde_json::json;

use super::*;

/// A file of the two required items and one more.
fn with(name: &str, kind: &str, value: Value) -> Vec<u8> {
    let schema = record(&[&field("id", "\"string\""), &field("n", "\"int\""), &field(name, kind)]);
    let fields = [("id", Value::String("a".into())), ("n", Value::Int(1)), (name, value)];
    written(&schema, vec![row(fields)], false)
}

fn row<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Record(fields.map(|(name, value)| (name.to_owned(), value)).into())
}

fn union(branch: u32, value: Value) -> Value {
    Value::Union(branch, Box::new(value))
}

#[test]
fn numbers_are_promoted() {
    let plan = table();
    let double = 0.1_f64;
    for (name, kind, value, wanted) in [
        ("big", "\"int\"", Value::Int(-7), json!(-7)),
        ("big", "\"long\"", Value::Long(i64::MAX), json!(i64::MAX)),
        ("ratio", "\"int\"", Value::Int(3), json!(3.0)),
        ("ratio", "\"long\"", Value::Long(3), json!(3.0)),
        ("ratio", "\"float\"", Value::Float(0.5), json!(0.5)),
        ("ratio", "\"double\"", Value::Double(double), json!(double)),
        ("small", "\"int\"", Value::Int(16_777_217), json!(16_777_216.0)),
        ("small", "\"long\"", Value::Long(16_777_217), json!(16_777_216.0)),
        ("note", "\"bytes\"", Value::Bytes("甲".into()), json!("甲")),
        ("raw", "\"string\"", Value::String("甲".into()), json!("55Sy")),
        ("day", "\"int\"", Value::Int(15_736), json!("2013-01-31")),
        ("at", "\"int\"", Value::Int(500), json!("1970-01-01T00:00:00.500Z")),
        ("at", "\"long\"", Value::Long(-1), json!("1969-12-31T23:59:59.999Z")),
    ] {
        let found = only(&plan, &with(name, kind, value));
        let shown = &found[name];
        assert_eq!(shown.as_f64(), wanted.as_f64(), "{name} {kind}: {shown}");
        assert!(shown.is_number() || *shown == wanted, "{name} {kind}: {shown}");
    }
}

#[test]
fn logical_types_mean_what_they_say() {
    let plan = table();
    let decimal =
        |scale: u32| format!(r#"{{"type":"bytes","logicalType":"decimal","precision":12,"scale":{scale}}}"#);
    let cents = Value::Decimal(vec![0x30, 0x39].into());
    assert_eq!(only(&plan, &with("money", &decimal(2), cents.clone()))["money"], "123.45");
    let fixed = r#"{"type":"fixed","name":"F","size":8,"logicalType":"decimal","precision":12,"scale":2}"#;
    let long = Value::Decimal(vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xcf, 0xc7].into());
    assert_eq!(only(&plan, &with("money", fixed, long))["money"], "-123.45");
    let micros = r#"{"type":"long","logicalType":"timestamp-micros"}"#;
    let at = only(&plan, &with("at", micros, Value::TimestampMicros(1_500_000)))["at"].take();
    assert_eq!(at, "1970-01-01T00:00:01.500Z");
    let finer = with("at", micros, Value::TimestampMicros(1_500_001));
    assert_eq!(reasons(&plan, &finer), [("at".to_owned(), "timestamp")]);
    // One that nobody knows, or that does not fit its type, means nothing.
    let odd = r#"{"type":"long","logicalType":"date"}"#;
    assert_eq!(only(&plan, &with("big", odd, Value::Long(5)))["big"], 5);
    let refused = [
        ("money", decimal(3), Value::Decimal(vec![1].into())),
        ("money", "\"bytes\"".to_owned(), Value::Bytes(vec![1])),
        ("money", "\"string\"".to_owned(), Value::String("1.00".into())),
        ("day", "\"long\"".to_owned(), Value::Long(1)),
        ("day", r#"{"type":"int","logicalType":"time-millis"}"#.to_owned(), Value::TimeMillis(1)),
        (
            "at",
            r#"{"type":"long","logicalType":"local-timestamp-millis"}"#.to_owned(),
            Value::LocalTimestampMillis(1),
        ),
        ("at", r#"{"type":"int","logicalType":"date"}"#.to_owned(), Value::Date(1)),
        ("big", "\"double\"".to_owned(), Value::Double(1.0)),
        ("small", "\"double\"".to_owned(), Value::Double(1.0)),
        ("note", r#"{"type":"enum","name":"E","symbols":["A"]}"#.to_owned(), Value::Enum(0, "A".into())),
        ("note", decimal(2), Value::Decimal(vec![1].into())),
        ("flag", "\"int\"".to_owned(), Value::Int(1)),
        ("raw", r#"{"type":"fixed","name":"F","size":1}"#.to_owned(), Value::Fixed(1, vec![1])),
    ];
    for (name, kind, value) in refused {
        let refusal = refusal(&plan, &with(name, &kind, value));
        assert_eq!((refusal.code, path(&refusal)), (Code::SchemaRejected, name), "{kind}");
    }
}

#[test]
fn fields_are_found_by_name_and_what_is_missing_is_null_where_it_may_be() {
    let plan = table();
    let nested = r#"{"type":"array","items":{"type":"map","values":["null","string",{"type":"record","name":"In","fields":[{"name":"x","type":"long"}]}]}}"#;
    let schema = record(&[
        &field("extra", nested),
        &field("n", "\"int\""),
        &field("again", "[\"null\",\"In\"]"),
        &field("id", "\"string\""),
    ]);
    let inner = row([("x", Value::Long(5))]);
    let map = [("k".to_owned(), union(2, inner.clone())), ("l".to_owned(), union(0, Value::Null))];
    let value = row([
        ("extra", Value::Array(vec![Value::Map(map.into_iter().collect()), Value::Map(Default::default())])),
        ("n", Value::Int(-4)),
        ("again", union(1, inner)),
        ("id", Value::String("乙".into())),
    ]);
    for deflate in [false, true] {
        let found = only(&plan, &written(&schema, vec![value.clone()], deflate));
        assert_eq!((&found["id"], &found["n"], &found["note"]), (&json!("乙"), &json!(-4), &json!(null)));
    }
    let lacking = written(
        &record(&[&field("id", "\"string\"")]),
        vec![row([("id", Value::String("a".into()))])],
        false,
    );
    let refusal = refusal(&plan, &lacking);
    assert_eq!((refusal.code, path(&refusal)), (Code::SchemaRejected, "n"));
}

#[test]
fn a_union_is_read_branch_by_branch() {
    let plan = table();
    let kind = r#"["null","string","long",{"type":"array","items":"int"}]"#;
    assert_eq!(only(&plan, &with("big", kind, union(0, Value::Null)))["big"], json!(null));
    assert_eq!(only(&plan, &with("big", kind, union(2, Value::Long(9))))["big"], 9);
    let text = with("big", kind, union(1, Value::String("9".into())));
    assert_eq!(reasons(&plan, &text), [("big".to_owned(), "type")]);
    let list = with("big", kind, union(3, Value::Array(vec![Value::Int(1)])));
    assert_eq!(reasons(&plan, &list), [("big".to_owned(), "type")]);
    let none = with("flag", r#"["string","long"]"#, union(1, Value::Long(1)));
    assert_eq!(refusal(&plan, &none).code, Code::SchemaRejected, "no branch is a boolean");
    let required = record(&[&field("id", r#"["null","string"]"#), &field("n", "\"int\"")]);
    let null = written(&required, vec![row([("id", union(0, Value::Null)), ("n", Value::Int(1))])], false);
    assert_eq!(reasons(&plan, &null), [("id".to_owned(), "null")]);
}

#[test]
fn the_outermost_type_may_be_a_union_of_records() {
    let plan = table();
    let ours = record(&[&field("id", "\"string\""), &field("n", "\"int\"")]);
    let schema = format!(r#"["null",{ours}]"#);
    let body = read(&plan, &made(&schema, 2, b"\x02\x02a\x02\x00")).unwrap();
    assert_eq!((body.records.len(), body.bad.len(), body.bad[0].index), (1, 1, 1));
    assert_eq!(body.bad[0].problems[0].reason.as_str(), "type");
    for top in ["\"string\"", r#"["null","string"]"#] {
        assert_eq!(refusal(&plan, &made(top, 0, b"")).code, Code::SchemaRejected, "{top}");
    }
}

#[test]
fn values_are_checked_as_in_every_other_format() {
    let plan = table();
    let kind = |word: &str| format!("\"{word}\"");
    for (name, kind, value, reason) in [
        ("note", kind("string"), Value::String("a\0b".into()), "nul"),
        ("note", kind("bytes"), Value::Bytes(vec![0xff]), "not_utf8"),
        ("place", kind("string"), Value::String("ORD".into()), "not_in_values"),
        ("ratio", kind("double"), Value::Double(f64::NAN), "not_finite"),
        ("ratio", kind("float"), Value::Float(f32::INFINITY), "not_finite"),
        ("small", kind("float"), Value::Float(f32::NAN), "not_finite"),
        ("day", kind("int"), Value::Int(2_932_897), "date"),
        ("at", kind("long"), Value::Long(i64::MAX), "timestamp"),
        (
            "money",
            r#"{"type":"bytes","logicalType":"decimal","precision":38,"scale":2}"#.into(),
            Value::Decimal(vec![1, 0, 0, 0, 0, 0].into()),
            "decimal",
        ),
    ] {
        assert_eq!(reasons(&plan, &with(name, &kind, value)), [(name.to_owned(), reason)]);
    }
    let schema = record(&[&field("id", "\"string\""), &field("n", "\"int\"")]);
    // A text too long and a number of ten digits in one record: both are said.
    let wrong = row([("id", Value::String("x".repeat(9))), ("n", Value::Int(1_000_000_000))]);
    let found = reasons(&plan, &written(&schema, vec![wrong], false));
    assert_eq!(found, [("id".to_owned(), "length"), ("n".to_owned(), "length")]);
}

#[test]
fn keys_end_in_canonical_bytes_whatever_came_in() {
    const ITEMS: &str = "[[items]]\nname = \"sum\"\ntitle = \"和\"\ntype = \"N\"\nprecision = 30\nscale = 0\n[[items]]\nname = \"n\"\ntitle = \"数\"\ntype = \"I\"\n";
    let plan = plan("table", &["sum", "n"], ITEMS);
    let schema = record(&[
        &field("sum", r#"{"type":"bytes","logicalType":"decimal","precision":30,"scale":0}"#),
        &field("n", "\"long\""),
    ]);
    let short = read(&plan, &made(&schema, 1, b"\x02\x05\x02")).unwrap();
    // Five in twenty bytes; one in a varint of three.
    let long = [&[40_u8][..], &[0; 19], &[5], b"\x82\x80\x00"].concat();
    let padded = read(&plan, &made(&schema, 1, &long)).unwrap();
    assert_eq!(short.records, padded.records);
    assert_eq!(short.records[0].key.as_deref(), Some(&b"\0\0\0\0\x08\x02\x05\x02"[..]));
}

#[test]
fn a_file_without_an_item_is_read_with_its_default_and_one_with_another_name_by_its_alias() {
    const ITEMS: &str = r#"
[[items]]
name = "id"
title = "编号"
type = "C"
[[items]]
name = "kind"
title = "类"
type = "C"
default = "甲"
[[items]]
name = "big"
title = "大数"
type = "I"
aliases = ["old", "older"]
[[items]]
name = "note"
title = "备注"
type = "M"
nullable = true
default = "无"
"#;
    let plan = plan("table", &["id"], ITEMS);
    let id = ("id", Value::String("a".into()));
    let by = |name: &str, kind: &str, value: Value| {
        let schema = record(&[&field("id", "\"string\""), &field(name, kind)]);
        written(&schema, vec![row([id.clone(), (name, value)])], false)
    };
    for (name, kind, value) in [
        ("big", "\"long\"", Value::Long(7)),
        ("older", "\"long\"", Value::Long(7)),
        ("old", "\"int\"", Value::Int(7)),
    ] {
        let found = only(&plan, &by(name, kind, value));
        assert_eq!((&found["kind"], &found["big"], &found["note"]), (&json!("甲"), &json!(7), &json!("无")));
    }
    // What is there counts, even null.
    let schema = record(&[
        &field("id", "\"string\""),
        &field("old", "\"long\""),
        &field("kind", "\"string\""),
        &field("note", "[\"null\",\"string\"]"),
    ]);
    let whole = row([
        id.clone(),
        ("old", Value::Long(1)),
        ("kind", Value::String("乙".into())),
        ("note", union(0, Value::Null)),
    ]);
    let found = only(&plan, &written(&schema, vec![whole], false));
    assert_eq!((&found["kind"], &found["note"]), (&json!("乙"), &json!(null)));
    for (name, kind, value, at) in
        [("other", "\"long\"", Value::Long(7), "big"), ("old", "\"double\"", Value::Double(7.0), "big")]
    {
        let refusal = refusal(&plan, &by(name, kind, value));
        assert_eq!((refusal.code, path(&refusal)), (Code::SchemaRejected, at));
    }
    let schema = record(&[&field("id", "\"string\""), &field("old", "\"long\""), &field("big", "\"long\"")]);
    let twice = row([id, ("old", Value::Long(1)), ("big", Value::Long(2))]);
    let refusal = refusal(&plan, &written(&schema, vec![twice], false));
    assert_eq!((refusal.code, path(&refusal)), (Code::SchemaRejected, "big"), "which it is, nothing says");
}

#[test]
fn a_publisher_in_json_or_csv_says_every_item_that_has_a_default_for_readers() {
    const ITEMS: &str = "[[items]]\nname = \"a\"\ntitle = \"甲\"\ntype = \"I\"\ndefault = 5\naliases = [\"b\"]\n[[items]]\nname = \"c\"\ntitle = \"丙\"\ntype = \"I\"\nnullable = true\ndefault = 6\n";
    let plan = plan("stream", &[], ITEMS);
    for (format, body, wrong) in [
        (Format::Ndjson, r#"{"c":1}"#, &[("a", "missing")][..]),
        (Format::Ndjson, r#"{"b":1}"#, &[("b", "unknown_item"), ("a", "missing")]),
        (Format::Csv, "c\n1\n", &[("a", "missing")]),
    ] {
        let read = try_read(&plan, format, body.as_bytes(), &LIMITS).unwrap();
        let told =
            read.bad[0].problems.iter().map(|problem| (problem.path.as_str(), problem.reason.as_str()));
        assert_eq!(told.collect::<Vec<_>>(), wrong, "{body}");
    }
    let left_out = try_read(&plan, Format::Ndjson, br#"{"a":1}"#, &LIMITS).unwrap();
    assert_eq!(left_out.records[0].value.as_deref(), Some(&b"\0\0\0\0\x07\x02\0"[..]), "it is null");
}
