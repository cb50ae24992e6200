//! What the resource holds: key → digest of the value, read from the resource as its owner. A cache: lost with the
//! process, and read again.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::BatchId;
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::avro::{self, BodyLimits, Checked, Format, Plan};
use crate::bus::Bus;

/// Half of the SHA-256 of a value's datum.
pub(in crate::source::file) type ValueDigest = [u8; 16];

pub(in crate::source::file) type Rows = HashMap<Bytes, ValueDigest>;

const FRAME: usize = 5;

#[derive(Default)]
pub(in crate::source::file) struct State {
    rows: Arc<Rows>,
    /// How far the resource was read.
    cursor: Option<String>,
}

/// A line of an owner's reading.
#[derive(Deserialize)]
struct Line<'a> {
    op: Option<&'a str>,
    #[serde(borrow)]
    record: Option<&'a RawValue>,
    next: Option<String>,
}

impl State {
    pub fn rows(&self) -> Arc<Rows> {
        self.rows.clone()
    }

    /// Reads what was published since, by whomever.
    pub async fn catch_up(&mut self, plan: &Plan, bus: &dyn Bus) -> Result<(), Refusal> {
        let read = self.read_on(plan, bus).await;
        if read.is_err() {
            // A new generation, a position that expired: begin anew next time.
            *self = Self::default();
        }
        read
    }

    async fn read_on(&mut self, plan: &Plan, bus: &dyn Bus) -> Result<(), Refusal> {
        loop {
            let page = bus.read_own(self.cursor.as_deref()).await?;
            let (body, next) = records_of(&page)?;
            if !body.is_empty() {
                let rows = Arc::make_mut(&mut self.rows);
                for record in encode(plan, Format::Ndjson, &body)? {
                    let Some(key) = record.key else { return Err(unreadable()) };
                    match record.value {
                        Some(value) => rows.insert(key, digest(&value)),
                        None => rows.remove(&key),
                    };
                }
            }
            let end = body.is_empty() && self.cursor.as_deref() == Some(next.as_str());
            let empty = body.is_empty();
            self.cursor = Some(next);
            if end || empty {
                return Ok(());
            }
        }
    }
}

/// The records of a page as a body to encode, and the cursor behind them.
fn records_of(page: &[u8]) -> Result<(Vec<u8>, String), Refusal> {
    let mut body = Vec::with_capacity(page.len());
    let mut next = None;
    for line in page.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let line: Line<'_> = serde_json::from_slice(line).map_err(|_| unreadable())?;
        if line.next.is_some() {
            next = line.next;
            continue;
        }
        let record = line.record.ok_or_else(unreadable)?.get();
        match line.op {
            Some("delete") => {
                body.extend_from_slice(br#"{"$op":"delete","#);
                body.extend_from_slice(&record.as_bytes()[1..]);
            }
            _ => body.extend_from_slice(record.as_bytes()),
        }
        body.push(b'\n');
    }
    Ok((body, next.ok_or_else(unreadable)?))
}

fn encode(plan: &Plan, format: Format, body: &[u8]) -> Result<Vec<Checked>, Refusal> {
    let body = read_all(plan, format, body)?;
    if body.bad.is_empty() { Ok(body.records) } else { Err(unreadable()) }
}

/// Checks and encodes rows without the limits of a publish.
pub(super) fn read_all(plan: &Plan, format: Format, body: &[u8]) -> Result<avro::Body, Refusal> {
    let limits = BodyLimits {
        records: usize::MAX,
        record_bytes: usize::MAX,
        decompressed: usize::MAX,
        ratio: usize::MAX,
    };
    avro::read_body(plan, format, body, &limits, BatchId(Uuid::nil()), &mut |_| Ok(()))
}

/// Without the frame, so that a schema's new id alone changes nothing.
pub(super) fn digest(value: &[u8]) -> ValueDigest {
    let mut half = [0; 16];
    half.copy_from_slice(&Sha256::digest(value.get(FRAME..).unwrap_or(value))[..16]);
    half
}

fn unreadable() -> Refusal {
    Refusal::new(
        Code::Internal,
        "资源自身的记录无法按其当前模式读取,无法比较全量文件",
        "the resource's own records cannot be read by its schema, so the file cannot be compared with them",
    )
}
