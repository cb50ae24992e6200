//! Records of one version read in the shape of another: as apache-avro resolves them, on schemas without end, and by hand
//! where a change is no promotion.

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use bytes::Bytes;
use changtong_catalog::resource::ItemType;
use proptest::prelude::*;

use super::made::{Choices, avro, record, resource};
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

/// Decimals are left out: apache-avro 0.22 resolves none that takes fewer bytes than its precision may need, though the
/// specification asks for no more than its number does.
fn without_decimals(choices: &mut Choices) -> Vec<Item> {
    let mut items = resource(choices).items;
    items.retain(|item| !matches!(item.kind, ItemType::N | ItemType::Y));
    items
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
            _ => {}
        }
        item.nullable |= choices.one_in(3);
    }
    for (n, item) in without_decimals(choices).into_iter().enumerate().take(3) {
        evolved.push(Item { name: format!("new_{n}"), nullable: true, ..item });
    }
    choices.shuffle(&mut evolved);
    evolved
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 0, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn an_old_record_is_read_as_apache_avro_resolves_it(seed: u64) {
        let choices = &mut Choices(seed);
        let old = without_decimals(choices);
        let new = evolved(choices, &old);
        let plan = Arc::new(Plan::compile(&standing_of(&old, &new), 3).unwrap());
        let (written, wanted) = (schema_text(&old), schema_text(&new));
        let (written, wanted) = (Schema::parse_str(&written).unwrap(), Schema::parse_str(&wanted).unwrap());
        let writer = GenericDatumWriter::builder(&written).build().unwrap();
        let resolved = GenericDatumReader::builder(&written).reader_schema(&wanted).build().unwrap();
        let names: Vec<_> = new.iter().map(|item| item.name.as_str()).collect();
        let granted = grant(&names, None, None);
        let view = View::compile(plan, &new, &granted, keys()).unwrap();
        let derived = schema::derived_schema(granted.number, &new, &granted.items, &granted.masks).unwrap();
        let delivered = Schema::parse_str(&view.delivered_schema(&derived)).unwrap();
        let reader = GenericDatumReader::builder(&delivered).build().unwrap();
        let mut places = Places::default();
        for _ in 0..60 {
            let made = record(choices, &old);
            let datum = writer.write_value_to_vec(avro(&old, &made)).unwrap();
            let framed = [&[0, 0, 0, 0, 7], &datum[..]].concat();
            let stored = LogRecord { partition: 0, offset: 0, appended_ms: 0, key: None, value: Some(Bytes::from(framed)) };
            let mut out = Vec::new();
            view.datum(Generation(1), &stored, true, &mut places, &mut out).unwrap();
            let mut rest = &out[..];
            let Value::Record(members) = reader.read_value(&mut rest).unwrap() else { panic!("no record") };
            prop_assert!(rest.is_empty());
            let theirs = resolved.read_value(&mut &datum[..]).unwrap();
            prop_assert_eq!(&members.last().unwrap().1, &theirs);
        }
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
