//! A CSV file as requests: the header in item names, spellings of "no value" made empty.

use std::io::Read;

use changtong_catalog::resource::{Item, ItemType};
use changtong_connectors::source::infer::NULLS;
use csv::{ByteRecord, Reader, ReaderBuilder, Writer, WriterBuilder};

use super::super::failure::{Done, Failure};
use super::Input;
use super::chunk::{Chunk, MOST_BYTES};

pub struct Chunks<'a> {
    reader: Reader<Quotes>,
    header: ByteRecord,
    /// What each column reads as "no value".
    nulls: Vec<Vec<&'a str>>,
    batch: u32,
    first: u64,
    /// A row that did not fit into the request before.
    waiting: Option<ByteRecord>,
    ended: bool,
}

impl<'a> Chunks<'a> {
    pub fn of(input: Input, items: &'a [Item], nulls: &'a [String], batch: u32) -> Done<Self> {
        let mut reader = ReaderBuilder::new().flexible(true).from_reader(Quotes { input, open: false });
        let found = reader.headers().map_err(|error| unreadable(&error))?.clone();
        let columns = columns(&found, items)?;
        let header =
            columns.iter().map(|column| column.map_or("$op", |item| item.name.as_str())).collect::<Vec<_>>();
        let nulls = columns
            .iter()
            .map(|column| column.map_or_else(Vec::new, |item| spellings(item, nulls)))
            .collect();
        Ok(Self {
            reader,
            header: ByteRecord::from(header),
            nulls,
            batch,
            first: 0,
            waiting: None,
            ended: false,
        })
    }

    fn chunk(&mut self) -> Done<Option<Chunk>> {
        let mut writer = WriterBuilder::new().flexible(true).from_writer(Vec::with_capacity(MOST_BYTES / 4));
        let failed = |error: csv::Error| Failure::Failed(error.to_string());
        writer.write_byte_record(&self.header).map_err(failed)?;
        let (mut rows, mut bytes) = (0_u32, 0);
        let mut row = ByteRecord::new();
        while rows < self.batch {
            match self.waiting.take() {
                Some(waiting) => row = waiting,
                None if self.reader.read_byte_record(&mut row).map_err(|error| unreadable(&error))? => {}
                None if self.reader.get_ref().open => return Err(cut_off()),
                None => {
                    self.ended = true;
                    break;
                }
            }
            if rows > 0 && bytes + row.as_slice().len() > MOST_BYTES {
                self.waiting = Some(row);
                break;
            }
            bytes += row.as_slice().len() + row.len();
            self.write(&row, &mut writer).map_err(failed)?;
            rows += 1;
        }
        if rows == 0 {
            return Ok(None);
        }
        let body = writer.into_inner().map_err(|error| Failure::Failed(error.to_string()))?;
        let chunk = Chunk {
            media_type: "text/csv",
            body: body.into(),
            first: self.first,
            read: self.reader.position().byte(),
        };
        self.first += u64::from(rows);
        Ok(Some(chunk))
    }

    fn write(&self, row: &ByteRecord, writer: &mut Writer<Vec<u8>>) -> csv::Result<()> {
        // A row with too few or too many cells goes as it is: the server says what is wrong with it.
        if row.len() != self.nulls.len() {
            return writer.write_byte_record(row);
        }
        for (cell, nulls) in row.iter().zip(&self.nulls) {
            let null = nulls.iter().any(|spelling| spelling.as_bytes() == cell);
            writer.write_field(if null { &[][..] } else { cell })?;
        }
        writer.write_record(None::<&[u8]>)
    }
}

/// Knows whether a quote is open: a file cut off inside a quoted field would otherwise be read as if it ended there.
struct Quotes {
    input: Input,
    open: bool,
}

impl Read for Quotes {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let count = self.input.read(bytes)?;
        let quotes = bytes[..count].iter().filter(|byte| **byte == b'"').count();
        self.open ^= !quotes.is_multiple_of(2);
        Ok(count)
    }
}

fn cut_off() -> Failure {
    Failure::Failed("a quote of the CSV is never closed; the file may have been cut off".to_owned())
}

impl Iterator for Chunks<'_> {
    type Item = Done<Chunk>;

    fn next(&mut self) -> Option<Done<Chunk>> {
        if self.ended {
            return None;
        }
        let chunk = self.chunk();
        self.ended |= chunk.is_err();
        chunk.transpose()
    }
}

/// The item of each column, by name, else by title; `None` is `$op`.
fn columns<'a>(header: &csv::StringRecord, items: &'a [Item]) -> Done<Vec<Option<&'a Item>>> {
    let mut columns: Vec<Option<&Item>> = Vec::with_capacity(header.len());
    for (at, name) in header.iter().enumerate() {
        let name = if at == 0 { name.trim_start_matches('\u{feff}') } else { name }.trim();
        if name == "$op" {
            columns.push(None);
            continue;
        }
        let free = |item: &&Item| !columns.iter().flatten().any(|taken| taken.name == item.name);
        let by_name = items.iter().filter(free).find(|item| item.name == name);
        let found = by_name.or_else(|| items.iter().filter(free).find(|item| item.title == name));
        columns.push(Some(found.ok_or_else(|| {
            let known: Vec<&str> = items.iter().map(|item| item.name.as_str()).collect();
            Failure::Failed(format!(
                "column {} of the header, \"{name}\", is no item of the resource; its items: {}",
                at + 1,
                known.join(", ")
            ))
        })?));
    }
    Ok(columns)
}

/// What an item reads as "no value": what was said; and where the item is no text, the usual spellings, which could
/// be nothing else.
fn spellings<'a>(item: &Item, said: &'a [String]) -> Vec<&'a str> {
    let text = matches!(item.kind, ItemType::C | ItemType::M);
    let usual = NULLS.into_iter().filter(|_| !text);
    said.iter().map(String::as_str).chain(usual).collect()
}

fn unreadable(error: &csv::Error) -> Failure {
    let line = error.position().map_or(1, csv::Position::line);
    match error.kind() {
        csv::ErrorKind::Io(error) => Failure::Failed(format!("the file cannot be read: {error}")),
        _ => Failure::Failed(format!("the CSV cannot be read at line {line}: {error}")),
    }
}
