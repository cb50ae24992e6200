//! Whole records as raw bytes, in chunks, with the digest, the bytes and the lines of everything taken so far.

use std::io::{self, Read};

use changtong_catalog::error::Refusal;
use sha2::{Digest as _, Sha256};

use super::position::digest;
use super::refusals;
use super::split::Splitter;
use crate::root::unreadable;

const READ: usize = 256 << 10;

/// Bytes of one record, before any rule of the resource looks at it.
pub(super) const RECORD_BYTES: usize = 4 << 20;

pub(super) struct RawRecords<R> {
    input: R,
    label: String,
    splitter: Splitter,
    /// Bytes read and not taken yet; the splitter has gone through the first `scanned` of them.
    buffer: Vec<u8>,
    scanned: usize,
    sha: Sha256,
    bytes: u64,
    lines: u64,
}

/// Some whole records.
#[derive(Debug)]
pub(super) struct Chunk {
    pub raw: Vec<u8>,
    /// Lines before it.
    pub line: u64,
}

impl<R: Read> RawRecords<R> {
    pub fn new(input: R, label: &str, splitter: Splitter) -> Self {
        Self {
            input,
            label: label.to_owned(),
            splitter,
            buffer: Vec::new(),
            scanned: 0,
            sha: Sha256::new(),
            bytes: 0,
            lines: 0,
        }
    }

    /// The next whole records, at least one and about at most so many; `None` when no whole one is left.
    pub fn next(&mut self, records: usize, bytes: usize) -> Result<Option<Chunk>, Refusal> {
        let (mut found, mut end) = (0, 0);
        while found < records && end < bytes {
            match self.splitter.end(&self.buffer[self.scanned..]) {
                Some(length) => {
                    self.scanned += length;
                    end = self.scanned;
                    found += 1;
                }
                None => {
                    self.scanned = self.buffer.len();
                    if self.scanned - end > RECORD_BYTES {
                        let line = self.lines + count_lines(&self.buffer[..end]) + 1;
                        return Err(refusals::too_long(&self.label, line, RECORD_BYTES));
                    }
                    if self.fill()? == 0 {
                        break;
                    }
                }
            }
        }
        if end == 0 {
            return Ok(None);
        }
        let raw: Vec<u8> = self.buffer.drain(..end).collect();
        self.scanned -= end;
        let line = self.lines;
        self.take(&raw);
        Ok(Some(Chunk { raw, line }))
    }

    /// Takes in what was read an earlier time, up to so many bytes in all. False if there are fewer.
    pub fn skip_to(&mut self, bytes: u64) -> Result<bool, Refusal> {
        while self.bytes < bytes {
            if self.buffer.is_empty() && self.fill()? == 0 {
                return Ok(false);
            }
            let wanted = usize::try_from(bytes - self.bytes).unwrap_or(usize::MAX);
            let piece: Vec<u8> = self.buffer.drain(..wanted.min(self.buffer.len())).collect();
            self.scanned = 0;
            self.take(&piece);
        }
        Ok(self.bytes == bytes)
    }

    fn take(&mut self, raw: &[u8]) {
        self.sha.update(raw);
        self.bytes += raw.len() as u64;
        self.lines += count_lines(raw);
    }

    fn fill(&mut self) -> Result<usize, Refusal> {
        let old = self.buffer.len();
        self.buffer.resize(old + READ, 0);
        loop {
            match self.input.read(&mut self.buffer[old..]) {
                Ok(count) => {
                    self.buffer.truncate(old + count);
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.buffer.truncate(old);
                    return Err(unreadable(&self.label, &error));
                }
            }
        }
    }

    /// Bytes taken.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Lines taken.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Bytes seen behind the last whole record.
    pub fn rest(&self) -> u64 {
        self.buffer.len() as u64
    }

    /// SHA-256 of the bytes taken, in hex.
    pub fn digest(&self) -> String {
        digest(&self.sha.clone().finalize())
    }
}

fn count_lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}
