//! The outside of a file: its head (magic, schema, codec, marker) and the blocks behind it.

use std::ops::Range;

use changtong_catalog::error::{Code, Refusal};

use super::super::body::malformed;
use super::cursor::{Broken, Cursor};

pub(super) const MAGIC: &[u8; 4] = b"Obj\x01";
pub(super) const SYNC: usize = 16;
/// Entries of a head's metadata; the two that count, and what writers like to add.
const MOST_ENTRIES: u64 = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    Null,
    Deflate,
}

/// A file's head, and how far it was read.
#[derive(Debug)]
pub struct Layout<'a> {
    file: &'a [u8],
    pub(super) schema: &'a [u8],
    pub(super) codec: Codec,
    sync: &'a [u8],
    at: usize,
}

/// One block: what it says of itself, and where it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    pub records: u64,
    /// Of the file: from its count to behind its marker.
    pub whole: Range<usize>,
    pub(super) data: Range<usize>,
}

impl<'a> Layout<'a> {
    /// Reads the head.
    pub fn of(file: &'a [u8]) -> Result<Self, Refusal> {
        match Self::begun(file)? {
            Some(layout) => Ok(layout),
            None if file.len() < MAGIC.len() => Err(no_container()),
            None => Err(damaged(file.len(), Broken::Short)),
        }
    }

    /// Reads the head of a file that may still be being written; `None` where it ends within the head.
    pub fn begun(file: &'a [u8]) -> Result<Option<Self>, Refusal> {
        let Some(rest) = file.strip_prefix(MAGIC) else {
            return if MAGIC.starts_with(file) { Ok(None) } else { Err(no_container()) };
        };
        let mut cursor = Cursor::new(rest);
        let read = Metadata::read(&mut cursor).and_then(|meta| Ok((meta, cursor.take(SYNC as u64)?)));
        let (meta, sync) = match read {
            Ok(read) => read,
            Err(Broken::Short) => return Ok(None),
            Err(broken) => return Err(damaged(MAGIC.len() + cursor.at, broken)),
        };
        if meta.twice {
            return Err(head_wrong(
                "avro.schema 或 avro.codec 出现了两次",
                "avro.schema or avro.codec is there twice",
            ));
        }
        let schema = meta.schema.ok_or_else(|| head_wrong("没有 avro.schema", "it has no avro.schema"))?;
        let codec = match meta.codec {
            None | Some(b"null") => Codec::Null,
            Some(b"deflate") => Codec::Deflate,
            Some(other) => return Err(unknown_codec(other)),
        };
        Ok(Some(Self { file, schema, codec, sync, at: MAGIC.len() + cursor.at }))
    }

    /// The text of its schema.
    #[must_use]
    pub fn schema(&self) -> &'a [u8] {
        self.schema
    }

    /// Bytes of the head.
    #[must_use]
    pub fn head(&self) -> usize {
        self.at
    }

    /// The next block; `None` at the end of the file, which may only be behind a whole block.
    pub fn block(&mut self) -> Result<Option<Block>, Refusal> {
        let start = self.at;
        let rest = &self.file[start..];
        if rest.is_empty() {
            return Ok(None);
        }
        let mut cursor = Cursor::new(rest);
        let read = (|| {
            let records = cursor.length()?;
            let size = cursor.length()?;
            let data = cursor.at;
            cursor.take(size)?;
            let sync = cursor.take(SYNC as u64)?;
            Ok((records, data, sync))
        })();
        let (records, data, sync) = read.map_err(|broken| damaged(start + cursor.at, broken))?;
        let end = start + cursor.at;
        if sync != self.sync {
            return Err(malformed(
                format!("容器文件第 {} 字节处的同步标记不符,文件已损坏", end - SYNC),
                format!(
                    "the marker at byte {} of the container file is not the file's own: it is damaged",
                    end - SYNC
                ),
            ));
        }
        self.at = end;
        Ok(Some(Block { records, whole: start..end, data: start + data..end - SYNC }))
    }
}

/// What of a head's metadata counts.
#[derive(Default)]
struct Metadata<'a> {
    schema: Option<&'a [u8]>,
    codec: Option<&'a [u8]>,
    twice: bool,
}

impl<'a> Metadata<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, Broken> {
        let mut meta = Self::default();
        let mut entries = 0_u64;
        while let Some(block) = cursor.elements()? {
            cursor.each_has_bytes(&block)?;
            entries = entries.saturating_add(block.count);
            if entries > MOST_ENTRIES {
                return Err(Broken::Count);
            }
            for _ in 0..block.count {
                let (name, value) = (cursor.counted()?, cursor.counted()?);
                let place = match name {
                    b"avro.schema" => &mut meta.schema,
                    b"avro.codec" => &mut meta.codec,
                    _ => continue,
                };
                meta.twice |= place.replace(value).is_some();
            }
            cursor.ends(&block)?;
        }
        Ok(meta)
    }
}

pub(super) fn damaged(at: usize, broken: Broken) -> Refusal {
    if broken == Broken::Short {
        return malformed(
            format!("容器文件在第 {at} 字节处中断,文件不完整"),
            format!("the container file breaks off at byte {at}: it is not complete"),
        );
    }
    malformed(
        format!("容器文件在第 {at} 字节处无法读取"),
        format!("the container file cannot be read at byte {at}"),
    )
}

pub(super) fn behind_records(block: &Block) -> Refusal {
    malformed(
        format!("容器文件第 {} 字节处的数据块在其记录之后还有多余的字节", block.whole.start),
        format!("the block at byte {} of the container file has bytes behind its records", block.whole.start),
    )
}

fn no_container() -> Refusal {
    malformed(
        "不是 Avro 容器文件(开头应为 Obj 和 0x01)".to_owned(),
        "this is no Avro object container file (it begins with Obj and 0x01)".to_owned(),
    )
}

fn head_wrong(zh: &str, en: &str) -> Refusal {
    malformed(format!("容器文件的文件头有误:{zh}"), format!("the container file's head is wrong: {en}"))
}

fn unknown_codec(name: &[u8]) -> Refusal {
    // The name is the sender's: shown only as far as it can be one.
    let shown: String =
        name.iter().take(32).filter(|b| b.is_ascii_graphic()).map(|b| char::from(*b)).collect();
    Refusal::new(
        Code::UnsupportedMediaType,
        format!("容器文件的压缩方式 {shown} 不受支持;可用 null 或 deflate"),
        format!("the container file's codec {shown} is not taken; write it with null or deflate"),
    )
    .with("codec", shown)
}
