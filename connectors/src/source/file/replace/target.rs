//! What a file says the resource should hold: key → digest and row, where the last line of a key counts.

use std::collections::{HashMap, HashSet};
use std::io::Read;

use bytes::Bytes;
use changtong_catalog::error::Refusal;

use super::state::{Rows as Held, ValueDigest, digest, read_all};
use crate::avro::{BadRecord, Plan};
use crate::source::file::append::open;
use crate::source::file::body::{Rows, Shape};
use crate::source::file::refusals;
use crate::source::file::spec::{BATCH_BYTES, FileSourceSpec};

/// Bad rows of which the reason is kept; of the others only the place is.
const EXPLAINED: usize = 100;

#[derive(Debug, Default)]
pub(super) struct Target {
    /// SHA-256 of the file, in hex.
    pub digest: String,
    rows: HashMap<Bytes, Latest>,
    /// The first bad rows, in order.
    pub bad: Vec<Bad>,
    /// Index of every bad row, in order.
    bad_rows: Vec<u64>,
    /// Keys of bad rows, as far as they can be read: what they name is not deleted.
    kept: HashSet<Bytes>,
    count: u64,
}

#[derive(Debug)]
struct Latest {
    digest: ValueDigest,
    row: u64,
}

#[derive(Debug)]
pub(super) struct Bad {
    pub line: u64,
    pub path: String,
    pub reason: String,
}

impl Target {
    pub fn read(spec: &FileSourceSpec, plan: &Plan, label: &str, file: impl Read) -> Result<Self, Refusal> {
        let (mut records, layout) = open(spec, plan, label, file)?;
        let shape = Shape { spec, label, layout };
        let mut target = Self::default();
        while let Some(chunk) = records.next(spec.batch_records, BATCH_BYTES)? {
            let rows = shape.rows(&chunk)?;
            if rows.len() > 0 {
                target.take(plan, &shape, &rows)?;
            }
        }
        if records.rest() > 0 {
            return Err(refusals::unfinished(label, records.lines() + 1));
        }
        target.digest = records.digest();
        Ok(target)
    }

    fn take(&mut self, plan: &Plan, shape: &Shape<'_>, rows: &Rows) -> Result<(), Refusal> {
        let body = read_all(plan, shape.format(), &shape.body(&rows.bytes))?;
        for record in body.records {
            let Some(key) = record.key else { return Err(refusals::streams_have_no_state()) };
            let row = self.count + record.index as u64;
            match record.value {
                Some(value) => self.rows.insert(key, Latest { digest: digest(&value), row }),
                None => self.rows.remove(&key),
            };
        }
        for bad in body.bad {
            self.bad_rows.push(self.count + bad.index as u64);
            self.kept.extend(key_of(plan, shape, rows.row(bad.index)));
            if self.bad.len() < EXPLAINED {
                self.bad.extend(explain(&bad, rows.lines[bad.index]));
            }
        }
        self.count += rows.len() as u64;
        Ok(())
    }

    /// Keys that the resource holds and the file does not.
    pub fn missing(&self, held: &Held) -> Vec<Bytes> {
        let gone = |key: &&Bytes| !self.rows.contains_key(*key) && !self.kept.contains(*key);
        let mut missing: Vec<Bytes> = held.keys().filter(gone).cloned().collect();
        missing.sort_unstable();
        missing
    }

    /// Which rows are published: new and changed ones, and the bad ones that were not set aside yet.
    pub fn wanted(&self, held: &Held, aside: u64) -> Vec<Wanted> {
        let rows = usize::try_from(self.count).unwrap_or(usize::MAX);
        let mut wanted = vec![Wanted::No; rows];
        for (key, latest) in &self.rows {
            if held.get(key) != Some(&latest.digest) {
                wanted[latest.row as usize] = Wanted::Record;
            }
        }
        for row in self.bad_rows.iter().skip(aside as usize) {
            wanted[*row as usize] = Wanted::Bad;
        }
        wanted
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    No,
    Record,
    Bad,
}

/// The key of a row that does not fit, if the key does: as a delete it needs nothing else.
fn key_of(plan: &Plan, shape: &Shape<'_>, row: &[u8]) -> Option<Bytes> {
    let body = if shape.layout.is_some() {
        let header = shape.header().strip_suffix(b"\n")?;
        [header, b",$op\n", row.strip_suffix(b"\n")?, b",delete\n"].concat()
    } else {
        let members = row.trim_ascii().strip_prefix(b"{")?;
        [b"{\"$op\":\"delete\",".as_slice(), members, b"\n"].concat()
    };
    let body = read_all(plan, shape.format(), &body).ok()?;
    body.records.into_iter().next()?.key
}

fn explain(bad: &BadRecord, line: u64) -> Option<Bad> {
    let problem = bad.problems.first()?;
    let reason = problem.reason.text();
    Some(Bad { line, path: problem.path.clone(), reason: format!("{} / {}", reason.zh, reason.en) })
}
