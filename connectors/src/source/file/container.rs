//! `append` of Avro container files: whole blocks behind the stored position, each batch a file of its own behind the
//! file's head. What the blocks hold is the bus's to check; here they are only found, within bounds.

use std::io::{self, Read};

use bytes::Bytes;
use cap_std::fs::File;
use changtong_catalog::error::Refusal;
use sha2::{Digest as _, Sha256};

use super::position::{Appended, digest};
use super::refusals;
use super::spec::{BATCH_BYTES, FileSourceSpec, MOST_RECORDS};
use crate::avro::Format;
use crate::avro::container::Layout;
use crate::root::unreadable;
use crate::source::{Reading, Sender, Step};

const READ: usize = 256 << 10;
/// The longest head, and the longest block: a batch holds at least one.
const HEAD_BYTES: usize = 1 << 20;
const BLOCK_BYTES: u64 = 16 << 20;
/// Of the marker behind each block.
const MARKER: u64 = 16;

pub(super) fn read(
    spec: &FileSourceSpec,
    label: &str,
    file: File,
    position: &str,
) -> Result<Reading, Refusal> {
    let from = Appended::parse(position).ok_or_else(|| refusals::not_our_position(label))?;
    let (most, label) = (spec.batch_records as u64, label.to_owned());
    Ok(Reading::ahead(move |steps| send(most, &label, file, &from, steps)))
}

fn send(most: u64, label: &str, file: File, from: &Appended, steps: &Sender) -> Result<(), Refusal> {
    let size = file.metadata().map_err(|error| unreadable(label, &error))?.len();
    if size < from.bytes {
        return Err(refusals::truncated(label, from.bytes, size));
    }
    if size == 0 {
        return Ok(());
    }
    let mut blocks = Blocks::new(file, label);
    let Some(head) = blocks.head()? else {
        // Still being written; one of which blocks were read had a whole head then.
        steps.left(blocks.buffer.len() as u64);
        return if from.bytes > 0 { Err(refusals::changed(label, from.bytes)) } else { Ok(()) };
    };
    if from.bytes > 0 && !(blocks.skip_to(from.bytes)? && blocks.digest() == from.digest) {
        return Err(refusals::changed(label, from.bytes));
    }
    blocks.records = from.lines;
    while let Some((body, records)) = blocks.batch(&head, most)? {
        // Writers flush blocks without records; they are passed with the next that has some.
        if records == 0 {
            continue;
        }
        let to = Appended { bytes: blocks.bytes, lines: blocks.records, digest: blocks.digest() };
        let step = Step {
            body: Bytes::from(body),
            format: Format::Avro,
            records,
            deletes: 0,
            to: to.to_text(),
            left: size.saturating_sub(blocks.bytes),
            lines: Vec::new(),
        };
        if !steps.send(step) {
            return Ok(());
        }
    }
    steps.left(blocks.buffer.len() as u64);
    Ok(())
}

/// A file as it is taken in: what was read and not taken yet, and the digest of what was.
struct Blocks<R> {
    input: R,
    label: String,
    buffer: Vec<u8>,
    sha: Sha256,
    bytes: u64,
    records: u64,
}

/// What a block says of itself, before all of it is there.
struct Said {
    records: u64,
    /// From its count to behind its marker.
    length: usize,
}

impl<R: Read> Blocks<R> {
    fn new(input: R, label: &str) -> Self {
        let label = label.to_owned();
        Self { input, label, buffer: Vec::new(), sha: Sha256::new(), bytes: 0, records: 0 }
    }

    /// `None` where the file ends within it.
    fn head(&mut self) -> Result<Option<Vec<u8>>, Refusal> {
        loop {
            let begun = Layout::begun(&self.buffer).map(|layout| layout.map(|layout| layout.head()));
            if let Some(length) = begun.map_err(|refusal| refusals::container(&self.label, &refusal))? {
                return Ok(Some(self.take(length)));
            }
            if self.buffer.len() > HEAD_BYTES {
                return Err(refusals::long_head(&self.label, HEAD_BYTES));
            }
            if !self.more()? {
                return Ok(None);
            }
        }
    }

    /// Takes in what was read an earlier time, up to so many bytes in all. False if there are fewer.
    fn skip_to(&mut self, bytes: u64) -> Result<bool, Refusal> {
        while self.bytes < bytes {
            if self.buffer.is_empty() && !self.more()? {
                return Ok(false);
            }
            let wanted = usize::try_from(bytes - self.bytes).unwrap_or(usize::MAX);
            self.take(wanted.min(self.buffer.len()));
        }
        Ok(self.bytes == bytes)
    }

    /// Whole blocks, at least one and about at most so many records, as a file of their own.
    fn batch(&mut self, head: &[u8], most: u64) -> Result<Option<(Vec<u8>, u64)>, Refusal> {
        let (mut body, mut records) = (head.to_vec(), 0_u64);
        while body.len() < BATCH_BYTES {
            let Some(block) = self.next()? else { break };
            if records > 0 && records.saturating_add(block.records) > most {
                break;
            }
            records = records.saturating_add(block.records);
            body.extend(self.take(block.length));
        }
        if body.len() == head.len() {
            return Ok(None);
        }
        self.check(&body)?;
        self.records = self.records.saturating_add(records);
        Ok(Some((body, records)))
    }

    /// That the blocks end as the head says.
    fn check(&self, body: &[u8]) -> Result<(), Refusal> {
        let whole = Layout::of(body).and_then(|mut layout| {
            while layout.block()?.is_some() {}
            Ok(())
        });
        whole.map_err(|refusal| refusals::container(&self.label, &refusal))
    }

    /// The next block, once all of it is there.
    fn next(&mut self) -> Result<Option<Said>, Refusal> {
        loop {
            if let Some(said) = self.said()?
                && said.length <= self.buffer.len()
            {
                return Ok(Some(said));
            }
            if !self.more()? {
                return Ok(None);
            }
        }
    }

    fn said(&self) -> Result<Option<Said>, Refusal> {
        let Some((records, behind)) = long(&self.buffer) else { return Ok(None) };
        let Some((size, data)) = long(&self.buffer[behind..]) else { return Ok(None) };
        let sizes = u64::try_from(records).ok().zip(u64::try_from(size).ok());
        let (records, size) = sizes.ok_or_else(|| refusals::bad_block(&self.label, self.bytes))?;
        let length = (behind + data) as u64 + size + MARKER;
        if size > BLOCK_BYTES {
            return Err(refusals::long_block(&self.label, self.bytes, BLOCK_BYTES));
        }
        if records > MOST_RECORDS as u64 {
            return Err(refusals::full_block(&self.label, self.bytes, MOST_RECORDS));
        }
        Ok(Some(Said { records, length: usize::try_from(length).unwrap_or(usize::MAX) }))
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let taken: Vec<u8> = self.buffer.drain(..count).collect();
        self.sha.update(&taken);
        self.bytes += taken.len() as u64;
        taken
    }

    /// False at the end of what there is.
    fn more(&mut self) -> Result<bool, Refusal> {
        let old = self.buffer.len();
        self.buffer.resize(old + READ, 0);
        loop {
            match self.input.read(&mut self.buffer[old..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => {
                    let count = read.map_err(|error| unreadable(&self.label, &error))?;
                    self.buffer.truncate(old + count);
                    return Ok(count > 0);
                }
            }
        }
    }

    fn digest(&self) -> String {
        digest(&self.sha.clone().finalize())
    }
}

/// A long at the beginning of these bytes, and its length; `None` if it is not all there, or too long to be one.
fn long(bytes: &[u8]) -> Option<(i64, usize)> {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f).checked_shl(7 * at as u32)?;
        if byte & 0x80 == 0 {
            let sign = (value & 1) as i64;
            return Some(((value >> 1) as i64 ^ -sign, at + 1));
        }
    }
    // Ten bytes that go on are no long: a negative one is refused.
    (bytes.len() >= 10).then_some((-1, 10))
}
