//! The bytes of one block, in reach of one record: as they lie in the file, or inflated piece by piece into a buffer
//! that is never longer than a record may be and one piece.

use changtong_catalog::error::{Code, Refusal};
use flate2::{Decompress, FlushDecompress, Status};

use super::super::body::{BodyLimits, malformed};
use super::file::Codec;

/// Bytes inflated at once.
const PIECE: usize = 32 << 10;
/// A small file may grow by more than the ratio.
const RATIO_FREE: u64 = 1 << 20;

/// Writers that take the stream out of zlib's wrapping leave some of its checksum behind it, fastavro three bytes.
const ZLIB_TAIL: usize = 4;

/// What a whole file was inflated to.
#[derive(Debug, Default)]
pub(super) struct Inflated {
    from: u64,
    to: u64,
}

/// Asked before memory is taken for that many more bytes of records.
pub type Room<'r> = &'r mut dyn FnMut(u64) -> Result<(), Refusal>;

pub(super) struct Window<'w, 'r> {
    source: Source<'w>,
    limits: &'w BodyLimits,
    inflated: &'w mut Inflated,
    room: Room<'r>,
}

enum Source<'w> {
    Plain(&'w [u8]),
    Deflate(Box<Inflating<'w>>),
}

struct Inflating<'w> {
    decoder: Decompress,
    input: &'w [u8],
    buffer: Vec<u8>,
    /// What lies before it was read.
    at: usize,
    ended: bool,
}

impl<'w, 'r> Window<'w, 'r> {
    pub fn new(
        codec: Codec,
        data: &'w [u8],
        limits: &'w BodyLimits,
        inflated: &'w mut Inflated,
        room: Room<'r>,
    ) -> Self {
        let source = match codec {
            Codec::Null => Source::Plain(data),
            Codec::Deflate => Source::Deflate(Box::new(Inflating {
                decoder: Decompress::new(false),
                input: data,
                buffer: Vec::new(),
                at: 0,
                ended: false,
            })),
        };
        Self { source, limits, inflated, room }
    }

    /// What is in reach: at most one byte more than a record may have.
    pub fn bytes(&self) -> &[u8] {
        let there = match &self.source {
            Source::Plain(data) => data,
            Source::Deflate(inflating) => &inflating.buffer[inflating.at..],
        };
        &there[..there.len().min(self.reach())]
    }

    /// Whether the record is longer than one may be, and not merely cut off.
    pub fn is_full(&self) -> bool {
        self.bytes().len() == self.reach()
    }

    fn reach(&self) -> usize {
        self.limits.record_bytes.saturating_add(1)
    }

    pub fn pass(&mut self, count: usize) {
        match &mut self.source {
            Source::Plain(data) => *data = &data[count..],
            Source::Deflate(inflating) => inflating.at += count,
        }
    }

    /// Brings more into reach; `false` if there is no more, or no more may be.
    pub fn more(&mut self) -> Result<bool, Refusal> {
        let (reach, there) = (self.reach(), self.bytes().len());
        let Source::Deflate(inflating) = &mut self.source else { return Ok(false) };
        if inflating.ended || there == reach {
            return Ok(false);
        }
        inflating.buffer.drain(..inflating.at);
        inflating.at = 0;
        // Each time as much again, so that a long record is looked at a few times only.
        let wanted = there.saturating_mul(2).clamp(PIECE, reach.max(PIECE));
        let (taken, given) = inflating.fill(wanted)?;
        self.inflated.from += taken;
        self.inflated.to += given;
        if self.inflated.to > self.limits.decompressed as u64 {
            return Err(too_large(self.limits.decompressed, self.inflated.to));
        }
        let allowed = self.inflated.from.saturating_mul(self.limits.ratio as u64).max(RATIO_FREE);
        if self.inflated.to > allowed {
            return Err(ratio_too_large(self.limits.ratio));
        }
        (self.room)(given)?;
        Ok(given > 0)
    }

    /// Bytes of memory it has.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        match &self.source {
            Source::Plain(_) => 0,
            Source::Deflate(inflating) => inflating.buffer.capacity(),
        }
    }

    /// Behind the last record the block must be at its end.
    pub fn is_done(&mut self) -> Result<bool, Refusal> {
        if !self.bytes().is_empty() || self.more()? {
            return Ok(false);
        }
        Ok(match &self.source {
            Source::Plain(_) => true,
            Source::Deflate(inflating) => inflating.ended && inflating.input.len() <= ZLIB_TAIL,
        })
    }
}

impl Inflating<'_> {
    /// Inflates until the buffer holds `wanted` bytes or the data end; bytes taken and given.
    fn fill(&mut self, wanted: usize) -> Result<(u64, u64), Refusal> {
        let (before, had) = (self.input.len(), self.buffer.len());
        self.buffer.reserve_exact(wanted.saturating_sub(had));
        while self.buffer.len() < wanted && !self.ended {
            let (read, written) = (self.decoder.total_in(), self.decoder.total_out());
            let status = self
                .decoder
                .decompress_vec(self.input, &mut self.buffer, FlushDecompress::None)
                .map_err(|_| does_not_inflate())?;
            let taken = (self.decoder.total_in() - read) as usize;
            self.input = &self.input[taken..];
            self.ended = status == Status::StreamEnd;
            if !self.ended && taken == 0 && self.decoder.total_out() == written {
                return Err(does_not_inflate());
            }
        }
        Ok(((before - self.input.len()) as u64, (self.buffer.len() - had) as u64))
    }
}

fn does_not_inflate() -> Refusal {
    malformed(
        "容器文件的一个数据块无法按 deflate 解压,文件已损坏或不完整".to_owned(),
        "a block of the container file does not inflate: it is damaged or cut off".to_owned(),
    )
}

fn too_large(most: usize, read: u64) -> Refusal {
    Refusal::new(
        Code::DecompressedTooLarge,
        format!("容器文件的数据块解压后至少有 {read} 字节,超过 {most} 字节;请分批发送"),
        format!(
            "the container file's blocks have at least {read} bytes once inflated, more than {most}; send it in parts"
        ),
    )
    .with("limit", "limits.decompressed")
    .with("value", most)
    .with("at_least", read)
}

fn ratio_too_large(most: usize) -> Refusal {
    Refusal::new(
        Code::DecompressedTooLarge,
        format!("容器文件的数据块解压后膨胀超过 {most} 倍"),
        format!("the container file's blocks grow more than {most} times when inflated"),
    )
    .with("limit", "limits.ratio")
    .with("value", most)
}
