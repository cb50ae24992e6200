//! Records of one version read in the shape of another: as apache-avro resolves them, on schemas without end, and by hand
//! where a change is no promotion.

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use bytes::Bytes;
use changtong_catalog::resource::ItemType;

use super::differential::stored;
use super::family;
use super::made::{Choices, avro, record, resource};
use super::rules::rule;
use super::views::{grant, keys};
use super::*;
use crate::log::LogRecord;

/// Version 1 with schema 7, then version 2 with schema 70, which is in force.
fn standing_of(old: &[Item], new: &[Item]) -> ResourceStanding {
    let mut file = file("stream", &[], "items = []\n");
    file.items = old.to_vec();
    let mut standing = standing(file);
    let text = SchemaText { id: SchemaId(70), text: schema_text(new), fingerprint: String::new() };
    let mut versions = standing.versions.to_vec();
    versions.push(SchemaVersion { version: 2, schema: text, items: new.to_vec() });
    standing.versions = versions.into();
    standing.resource.file.items = new.to_vec();
    standing
}

/// What becomes of the items: some that may be null go, others come, numbers widen, all stand elsewhere.
fn evolved(choices: &mut Choices, items: &[Item]) -> Vec<Item> {
    let mut evolved: Vec<Item> = items.to_vec();
    evolved.retain(|item| !item.nullable || !choices.one_in(3));
    for item in &mut evolved {
        match (item.kind, choices.below(3)) {
            (ItemType::I, 0) => item.length = None,
            (ItemType::I, 1) | (ItemType::F, 0) => (item.kind, item.length) = (ItemType::B, None),
            (ItemType::C, 0) if item.values.is_empty() => item.kind = ItemType::M,
            (ItemType::N | ItemType::Y, 0) => {
                item.precision =
                    item.precision.map(|digits| digits + choices.below(39 - u64::from(digits)) as u32);
            }
            _ => {}
        }
        item.nullable |= choices.one_in(3);
    }
    for (n, item) in resource(choices).items.into_iter().enumerate().take(3) {
        evolved.push(Item { name: format!("new_{n}"), nullable: true, ..item });
    }
    choices.shuffle(&mut evolved);
    evolved
}

/// Decimals as the bytes that they are: apache-avro 0.22 resolves none that takes fewer bytes than its precision may need,
/// though the specification asks for no more than its number does.
fn with_bytes(items: &[Item]) -> Vec<Item> {
    let bytes = |item: &Item| match item.kind {
        ItemType::N | ItemType::Y => Item { kind: ItemType::G, precision: None, scale: None, ..item.clone() },
        _ => item.clone(),
    };
    items.iter().map(bytes).collect()
}

/// Members of a record, without their unions.
fn members(record: &Value) -> Vec<Value> {
    let Value::Record(members) = record else { panic!("no record") };
    let bare = |value: &Value| match value {
        Value::Union(_, inner) => (**inner).clone(),
        value => value.clone(),
    };
    members.iter().map(|(_, value)| bare(value)).collect()
}

fn schema_of(items: &[Item]) -> Schema {
    Schema::parse_str(&schema_text(&with_bytes(items))).unwrap()
}

/// Schemas, and old records of each.
const SCHEMAS: u64 = 300;
const RECORDS: usize = 60;

#[test]
fn an_old_record_is_read_and_filtered_as_apache_avro_resolves_it() {
    let mut sent = 0;
    family::run("versions", SCHEMAS, SCHEMAS as usize * RECORDS, |choices, held| {
        let old = resource(choices).items;
        let new = evolved(choices, &old);
        let plan = Arc::new(Plan::compile(&standing_of(&old, &new), 3).unwrap());
        let (written, wanted) = (schema_of(&old), schema_of(&new));
        let writer = GenericDatumWriter::builder(&written).build().unwrap();
        let resolved = GenericDatumReader::builder(&written).reader_schema(&wanted).build().unwrap();
        let datum = |_| writer.write_value_to_vec(in_bytes(avro(&old, &record(choices, &old)))).unwrap();
        let data: Vec<_> = (0..RECORDS).map(datum).collect();
        let theirs: Vec<_> = data.iter().map(|datum| resolved.read_value(&mut &datum[..]).unwrap()).collect();
        let values: Vec<_> = theirs.iter().map(members).collect();
        let filter = (!new.is_empty() && choices.one_in(2)).then(|| rule(choices, &new, &values, 2));
        let names: Vec<_> = new.iter().map(|item| item.name.as_str()).collect();
        let granted = grant(&names, None, filter.as_ref().map(|rule| rule.text(&new)).as_deref());
        let view = View::compile(plan, &new, &granted, keys()).unwrap();
        let shown = with_bytes(&new);
        let derived = schema::derived_schema(granted.number, &shown, &granted.items, &granted.masks).unwrap();
        let delivered = Schema::parse_str(&view.delivered_schema(&derived)).unwrap();
        let reader = GenericDatumReader::builder(&delivered).build().unwrap();
        let mut places = Places::default();
        for ((datum, theirs), values) in data.iter().zip(&theirs).zip(&values) {
            let mut out = Vec::new();
            let passed =
                view.datum(Generation(1), &stored(None, datum), true, &mut places, &mut out).unwrap();
            let passes = filter.as_ref().is_none_or(|rule| rule.judge(values, &|_| true) == Some(true));
            assert_eq!(passed == Passed::Sent, passes, "{:?} {values:?}", granted.consumer_filter);
            if passes {
                let mut rest = &out[..];
                let Value::Record(members) = reader.read_value(&mut rest).unwrap() else {
                    panic!("no record")
                };
                assert!(rest.is_empty());
                assert_eq!(&members.last().unwrap().1, theirs);
                sent += 1;
            }
            *held += 1;
        }
    });
    assert!(sent > RECORDS * 100, "{sent} passed");
}

/// A record with its decimals as bytes.
fn in_bytes(record: Value) -> Value {
    match record {
        Value::Record(members) => {
            Value::Record(members.into_iter().map(|(name, value)| (name, in_bytes(value))).collect())
        }
        Value::Union(branch, inner) => Value::Union(branch, Box::new(in_bytes(*inner))),
        Value::Decimal(decimal) => Value::Bytes(Vec::try_from(&decimal).unwrap()),
        value => value,
    }
}

/// A record of two old items under a plan of two new ones.
fn read_as(old: &str, new: &str, datum: &[u8]) -> Result<serde_json::Value, Refusal> {
    let plan = Plan::compile(&standing_of(&items(old), &items(new)), 3).unwrap();
    let framed = [&[0, 0, 0, 0, 7], datum].concat();
    let stored =
        LogRecord { partition: 0, offset: 0, appended_ms: 0, key: None, value: Some(Bytes::from(framed)) };
    let mut out = Vec::new();
    plan.owner_line(Generation(1), &stored, &mut Places::default(), &mut out)?;
    let line: serde_json::Value = serde_json::from_slice(&out).unwrap();
    Ok(line["record"].clone())
}

fn one(kind: &str) -> String {
    format!("[[items]]\nname = \"a\"\ntitle = \"a\"\n{kind}\n")
}

#[test]
fn a_change_of_meaning_is_no_promotion() {
    let money = |scale: u32| one(&format!("type = \"Y\"\nprecision = 9\nscale = {scale}"));
    let long = one("type = \"I\"");
    assert_eq!(read_as(&money(2), &money(2), b"\x02\x05").unwrap()["a"], "0.05");
    assert_eq!(read_as(&one("type = \"I\"\nlength = 9"), &long, b"\x0a").unwrap()["a"], 5);
    assert_eq!(read_as(&one("type = \"C\""), &one("type = \"G\""), b"\x02a").unwrap()["a"], "YQ==");
    assert_eq!(read_as(&one("type = \"G\""), &one("type = \"C\""), b"\x02a").unwrap()["a"], "a");
    for (old, new, datum) in [
        (money(2), money(3), &b"\x02\x05"[..]),
        (one("type = \"D\""), long.clone(), b"\x0a"),
        (one("type = \"T\""), long.clone(), b"\x0a"),
        (long.clone(), one("type = \"I\"\nlength = 9"), b"\x0a"),
        // Null where there may be none, text that is none.
        (one("type = \"I\"\nnullable = true"), long.clone(), b"\x00"),
        (one("type = \"G\""), one("type = \"C\""), b"\x02\xff"),
    ] {
        assert!(read_as(&old, &new, datum).is_err(), "{old} as {new}");
    }
    // One that may be null is read where it is not.
    assert_eq!(read_as(&one("type = \"I\"\nnullable = true"), &long, b"\x02\x0a").unwrap()["a"], 5);
}
