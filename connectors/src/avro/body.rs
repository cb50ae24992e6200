//! A publish body taken apart: every record checked and encoded, or set aside with what is wrong with it.

use bytes::Bytes;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::BatchId;
use changtong_catalog::partition;

use super::binary;
use super::container::{self, Room};
use super::plan::Plan;
use super::problem::{Problem, Reason};
use super::scalar::Value;
use super::{csv, json};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// `application/x-ndjson`
    Ndjson,
    /// `application/json`: an array
    JsonArray,
    /// `text/csv` with a header row
    Csv,
    /// `application/avro`: an object container file
    Avro,
}

#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// Records of one batch.
    pub records: usize,
    /// Bytes of one record, as sent and as stored.
    pub record_bytes: usize,
    /// Bytes of a container file's blocks once inflated.
    pub decompressed: usize,
    /// How many times larger than they lie in the file.
    pub ratio: usize,
}

/// A record that fits: framed key and value, no value for a delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Its place in the body, from 0.
    pub index: usize,
    pub partition: i32,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
}

/// A record that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRecord {
    pub index: usize,
    /// As it came, readable alone: a JSON line, a CSV header and one row; of a container file the datum, readable
    /// behind the body's `head`.
    pub raw: Bytes,
    pub problems: Vec<Problem>,
}

#[derive(Debug, Default)]
pub struct Body {
    pub records: Vec<Checked>,
    pub bad: Vec<BadRecord>,
    /// Of a container file: what makes each bad record a file of its own.
    pub head: Bytes,
}

/// One record's values by item, as its format's reader found them.
#[derive(Debug, Default)]
pub(super) struct Found<'a> {
    pub delete: bool,
    /// By index of the item; `None` where it was absent or wrong.
    pub values: Vec<Option<Value<'a>>>,
    pub problems: Vec<Problem>,
}

impl Found<'_> {
    pub fn empty(fields: usize) -> Self {
        let mut values = Vec::with_capacity(fields);
        values.resize_with(fields, || None);
        Self { delete: false, values, problems: Vec::new() }
    }
}

/// Reads a whole body. A body that is not of its format is refused; a record that is not of the schema is set aside.
/// `room` is asked for each piece by which a container file's blocks make the body longer than it came.
pub fn read_body(
    plan: &Plan,
    format: Format,
    body: &[u8],
    limits: &BodyLimits,
    batch: BatchId,
    room: Room<'_>,
) -> Result<Body, Refusal> {
    let mut sink = Sink {
        plan,
        limits,
        keyless: partition::of_batch(batch, plan.partitions),
        body: Body::default(),
        index: 0,
        scratch: Vec::new(),
        spans: Vec::new(),
    };
    match format {
        Format::Ndjson => json::read_lines(&mut sink, body)?,
        Format::JsonArray => json::read_array(&mut sink, body)?,
        Format::Csv => csv::read_rows(&mut sink, body)?,
        Format::Avro => sink.body.head = container::read(&mut sink, body, room)?,
    }
    Ok(sink.body)
}

/// Where a format's reader puts its records.
pub(super) struct Sink<'p> {
    pub plan: &'p Plan,
    pub limits: &'p BodyLimits,
    keyless: i32,
    body: Body,
    index: usize,
    scratch: Vec<u8>,
    /// Where in the value each item's datum begins, for the key.
    spans: Vec<(usize, usize)>,
}

impl Sink<'_> {
    /// Place of the next record.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Takes the next record; `raw` is asked for only when the record is set aside.
    pub fn take(
        &mut self,
        length: usize,
        found: Found<'_>,
        raw: impl FnOnce() -> Bytes,
    ) -> Result<(), Refusal> {
        let index = self.index;
        self.index += 1;
        if index >= self.limits.records {
            return Err(too_many(self.limits.records));
        }
        if length > self.limits.record_bytes {
            return Err(too_large(index, length, self.limits.record_bytes));
        }
        let mut problems = found.problems;
        if problems.is_empty() {
            self.require(found.delete, &found.values, &mut problems);
        }
        if problems.is_empty() {
            let checked = self.encode(index, found.delete, &found.values)?;
            self.body.records.push(checked);
        } else {
            self.body.bad.push(BadRecord { index, raw: raw(), problems });
        }
        Ok(())
    }

    fn require(&self, delete: bool, values: &[Option<Value<'_>>], problems: &mut Vec<Problem>) {
        if delete && self.plan.kind == changtong_catalog::resource::Kind::Stream {
            problems.push(Problem::whole(Reason::DeleteOfStream));
            return;
        }
        for (at, field) in self.plan.fields.iter().enumerate() {
            let wanted = if delete { self.plan.is_key(at) } else { !field.nullable };
            if wanted && values[at].is_none() {
                problems.push(Problem::at(&field.name, Reason::Missing));
            }
        }
    }

    fn encode(
        &mut self,
        index: usize,
        delete: bool,
        values: &[Option<Value<'_>>],
    ) -> Result<Checked, Refusal> {
        let value = (!delete).then(|| self.value(values));
        let key = self.plan.key_schema.map(|id| {
            self.scratch.clear();
            binary::frame(id, &mut self.scratch);
            for &at in &self.plan.key {
                match &value {
                    Some(bytes) => self.scratch.extend_from_slice(&bytes[self.spans[at].0..self.spans[at].1]),
                    None => put(self.plan, at, values, &mut self.scratch),
                }
            }
            Bytes::copy_from_slice(&self.scratch)
        });
        let size = key.as_ref().map_or(0, Bytes::len) + value.as_ref().map_or(0, Vec::len);
        if size > self.limits.record_bytes {
            return Err(too_large(index, size, self.limits.record_bytes));
        }
        let partition = key.as_ref().map_or(self.keyless, |key| partition::of_key(key, self.plan.partitions));
        Ok(Checked { index, partition, key, value: value.map(Bytes::from) })
    }

    fn value(&mut self, values: &[Option<Value<'_>>]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.scratch.capacity().max(64));
        binary::frame(self.plan.value_schema, &mut out);
        self.spans.clear();
        for at in 0..self.plan.fields.len() {
            let start = out.len();
            put(self.plan, at, values, &mut out);
            self.spans.push((start, out.len()));
        }
        out
    }
}

fn put(plan: &Plan, at: usize, values: &[Option<Value<'_>>], out: &mut Vec<u8>) {
    let cell = values[at].as_ref().map_or(changtong_catalog::cell::Cell::Null, Value::cell);
    binary::put_cell(&plan.fields[at], &cell, out);
}

pub(super) fn malformed(zh: String, en: String) -> Refusal {
    Refusal::new(Code::BadRequest, zh, en)
}

fn too_many(most: usize) -> Refusal {
    Refusal::new(
        Code::BatchTooLarge,
        format!("一次至多 {most} 条记录,请分批"),
        format!("at most {most} records a batch; send several"),
    )
    .with("limit", most)
}

pub(super) fn too_large(index: usize, size: usize, most: usize) -> Refusal {
    Refusal::new(
        Code::RecordTooLarge,
        format!("第 {index} 条记录有 {size} 字节,至多 {most}"),
        format!("record {index} has {size} bytes, at most {most} are taken"),
    )
    .with("index", index)
    .with("limit", most)
    .with("actual", size)
}
