//! Files of others in, our own out: resolution by the letter, bombs, damage, and apache-avro beside us on both ways.

mod hostile;
mod oracle;
mod resolution;
mod shapes;

use std::sync::Arc;

use apache_avro::types::Value;
use apache_avro::{Codec, DeflateSettings, Schema, Writer};
use changtong_catalog::error::Refusal;
use changtong_catalog::ids::Generation;

use super::super::Places;
use super::super::tests::{ALL_TYPES, LIMITS, items, plan, schema_text, try_read};
use super::super::{Body, BodyLimits, Format, Plan};
use super::*;
use crate::log::LogRecord;

const MARKER: [u8; 16] = *b"0123456789abcdef";

fn table() -> Arc<Plan> {
    plan("table", &["id", "n"], ALL_TYPES)
}

/// A record schema with these fields, as JSON.
fn record(fields: &[&str]) -> String {
    format!(
        r#"{{"type":"record","name":"Foreign","namespace":"gov.example","fields":[{}]}}"#,
        fields.join(",")
    )
}

/// `{"name":…,"type":…}`
fn field(name: &str, kind: &str) -> String {
    format!(r#"{{"name":"{name}","type":{kind}}}"#)
}

/// A file as apache-avro writes it.
fn written(schema: &str, records: Vec<Value>, deflate: bool) -> Vec<u8> {
    let schema = Schema::parse_str(schema).unwrap();
    let codec = if deflate { Codec::Deflate(DeflateSettings::default()) } else { Codec::Null };
    let mut writer =
        Writer::builder().schema(&schema).writer(Vec::new()).codec(codec).block_size(200).build().unwrap();
    for record in records {
        writer.append_value(record).unwrap();
    }
    writer.into_inner().unwrap()
}

/// A file of one block, made by hand.
fn made(schema: &str, records: u64, data: &[u8]) -> Vec<u8> {
    let mut file = head(schema.as_bytes(), MARKER);
    put_block(records, data, MARKER, &mut file);
    file
}

/// The same, its block deflated.
fn deflated(schema: &str, records: u64, data: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).unwrap();
    let plain = made(schema, records, &encoder.finish().unwrap());
    // "null" in the head becomes "deflate", whose length is 7.
    let at = plain.windows(5).position(|window| window == b"\x08null").unwrap();
    [&plain[..at], b"\x0edeflate", &plain[at + 5..]].concat()
}

fn read(plan: &Plan, file: &[u8]) -> Result<Body, Refusal> {
    try_read(plan, Format::Avro, file, &LIMITS)
}

fn refusal(plan: &Plan, file: &[u8]) -> Refusal {
    read(plan, file).map(|body| panic!("{} records", body.records.len())).unwrap_err()
}

fn path(refusal: &Refusal) -> &str {
    refusal.extra["path"].as_str().unwrap()
}

/// What an owner reads of the body's only record.
fn only(plan: &Plan, file: &[u8]) -> serde_json::Value {
    let body = read(plan, file).unwrap();
    assert_eq!(body.bad, vec![]);
    assert_eq!(body.records.len(), 1);
    let record = &body.records[0];
    let stored = LogRecord {
        partition: record.partition,
        offset: 0,
        appended_ms: 0,
        key: record.key.clone(),
        value: record.value.clone(),
    };
    let mut line = Vec::new();
    plan.owner_line(Generation(1), &stored, &mut Places::default(), &mut line).unwrap();
    serde_json::from_slice::<serde_json::Value>(&line).unwrap()["record"].take()
}

/// Why the only record was set aside.
fn reasons(plan: &Plan, file: &[u8]) -> Vec<(String, &'static str)> {
    let body = read(plan, file).unwrap();
    assert_eq!((body.records.len(), body.bad.len()), (0, 1));
    body.bad[0].problems.iter().map(|problem| (problem.path.clone(), problem.reason.as_str())).collect()
}
