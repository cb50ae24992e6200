//! A publish body taken apart: every record checked and encoded, or set aside with what is wrong with it.

use bytes::{Bytes, BytesMut};
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::{BatchId, SchemaId};
use changtong_catalog::partition;
use changtong_catalog::resource::Kind;

use super::binary;
use super::container::{self, Room};
use super::plan::Plan;
use super::problem::{Problem, Reason};
use super::row::Row;
use super::scalar::NULL;
use super::{csv, json};

/// The most bytes that values share at first; where a body has more of them, room is made anew.
const ROOM: usize = 64 << 10;

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
        values: BytesMut::with_capacity(body.len().min(ROOM)),
        key: Vec::new(),
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
    /// Values share their memory: they are appended together and forgotten together.
    values: BytesMut,
    /// The key that is being made. Each is kept in memory of its own, as some outlive their batch.
    key: Vec<u8>,
}

impl Sink<'_> {
    /// Place of the next record.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Takes the next record; `raw` is asked for only when it is set aside.
    pub fn take(&mut self, length: usize, row: &mut Row, raw: impl FnOnce() -> Bytes) -> Result<(), Refusal> {
        let index = self.index;
        self.index += 1;
        if index >= self.limits.records {
            return Err(too_many(self.limits.records, self.index));
        }
        if length > self.limits.record_bytes {
            return Err(too_large(index, length, self.limits.record_bytes));
        }
        if row.is_readable() {
            self.require(row);
        }
        if row.problems.is_empty() {
            let checked = self.encode(index, row)?;
            self.body.records.push(checked);
        } else {
            let problems = std::mem::take(&mut row.problems);
            self.body.bad.push(BadRecord { index, raw: raw(), problems });
        }
        Ok(())
    }

    fn require(&self, row: &mut Row) {
        if row.delete && self.plan.kind == Kind::Stream {
            return row.wrong(Reason::DeleteOfStream);
        }
        if row.whole().is_some() {
            return;
        }
        // Whatever is to be done with a record of a table takes its key.
        let key_alone = row.delete || row.has_no_operation();
        for (at, field) in self.plan.fields.iter().enumerate() {
            let wanted = if key_alone { field.key } else { !field.nullable };
            if wanted && !row.has(at) {
                row.problem(field.name(), Reason::Missing);
            }
        }
    }

    fn encode(&mut self, index: usize, row: &Row) -> Result<Checked, Refusal> {
        let key = self.plan.key_schema().map(|schema| self.key(schema, row));
        let value = (!row.delete).then(|| self.value(row));
        let size = key.as_ref().map_or(0, Bytes::len) + value.as_ref().map_or(0, Bytes::len);
        if size > self.limits.record_bytes {
            return Err(too_large(index, size, self.limits.record_bytes));
        }
        let partition = key.as_ref().map_or(self.keyless, |key| partition::of_key(key, self.plan.partitions));
        Ok(Checked { index, partition, key, value })
    }

    fn key(&mut self, schema: SchemaId, row: &Row) -> Bytes {
        self.key.clear();
        self.key.extend_from_slice(&binary::frame(schema));
        for &at in &self.plan.key {
            self.key.extend_from_slice(row.value(at).unwrap_or(&[NULL]));
        }
        Bytes::copy_from_slice(&self.key)
    }

    fn value(&mut self, row: &Row) -> Bytes {
        self.values.extend_from_slice(&binary::frame(self.plan.value_schema));
        match row.whole() {
            Some(datum) => self.values.extend_from_slice(datum),
            None => {
                for at in 0..self.plan.fields.len() {
                    self.values.extend_from_slice(row.value(at).unwrap_or(&[NULL]));
                }
            }
        }
        self.values.split().freeze()
    }
}

pub(super) fn malformed(zh: String, en: String) -> Refusal {
    Refusal::new(Code::BadRequest, zh, en)
}

/// What follows is not read, so nobody knows how many there are.
fn too_many(most: usize, read: usize) -> Refusal {
    Refusal::new(
        Code::BatchTooLarge,
        format!("一次至多 {most} 条记录,本批至少有 {read} 条,请分批"),
        format!("at most {most} records a batch, and this one has at least {read}; send several"),
    )
    .with("limit", most)
    .with("at_least", read)
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
