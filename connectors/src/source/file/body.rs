//! Rows as a publish takes them: decoded, null spellings emptied, columns left out, each with its line in the file.

use changtong_catalog::error::Refusal;

use super::decode::decode;
use super::layout::{Column, Layout};
use super::raw::Chunk;
use super::refusals;
use super::spec::FileSourceSpec;
use crate::avro::Format;

/// What rows are made with.
pub(super) struct Shape<'a> {
    pub spec: &'a FileSourceSpec,
    pub label: &'a str,
    /// `None`: NDJSON.
    pub layout: Option<Layout>,
}

/// Rows of one chunk.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub bytes: Vec<u8>,
    /// Where each row ends.
    pub ends: Vec<usize>,
    /// The line on which each row begins.
    pub lines: Vec<u64>,
}

impl Rows {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn row(&self, at: usize) -> &[u8] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.bytes[start..self.ends[at]]
    }

    pub fn push(&mut self, row: &[u8], line: u64) {
        self.bytes.extend_from_slice(row);
        self.ends.push(self.bytes.len());
        self.lines.push(line);
    }
}

impl Shape<'_> {
    pub fn format(&self) -> Format {
        if self.layout.is_some() { Format::Csv } else { Format::Ndjson }
    }

    /// The header of a body; nothing in NDJSON.
    pub fn header(&self) -> &[u8] {
        self.layout.as_ref().map_or(&[], |layout| &layout.header)
    }

    pub fn body(&self, rows: &[u8]) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.header().len() + rows.len());
        body.extend_from_slice(self.header());
        body.extend_from_slice(rows);
        body
    }

    pub fn rows(&self, chunk: &Chunk) -> Result<Rows, Refusal> {
        let text = decode(self.spec.encoding, &chunk.raw)
            .map_err(|line| refusals::undecodable(self.label, chunk.line + line + 1))?;
        match &self.layout {
            Some(layout) => self.csv(&text, chunk.line, layout),
            None => Ok(ndjson(&text, chunk.line)),
        }
    }

    fn csv(&self, text: &str, before: u64, layout: &Layout) -> Result<Rows, Refusal> {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(layout.delimiter)
            .from_reader(text.as_bytes());
        let mut rows = Rows { bytes: Vec::with_capacity(text.len()), ..Rows::default() };
        let mut row = csv::ByteRecord::new();
        loop {
            let line = before + reader.position().line();
            match reader.read_byte_record(&mut row) {
                Ok(false) => return Ok(rows),
                Ok(true) => {
                    self.put(layout, &row, &mut rows.bytes);
                    rows.ends.push(rows.bytes.len());
                    rows.lines.push(line);
                }
                Err(_) => return Err(refusals::unparsable(self.label, line)),
            }
        }
    }

    fn put(&self, layout: &Layout, row: &csv::ByteRecord, out: &mut Vec<u8>) {
        let begin = out.len();
        let wanted = layout.columns.iter().filter(|column| **column != Column::Ignored).count();
        let whole = row.len() == layout.columns.len();
        let mut kept = 0;
        for (at, bytes) in row.iter().enumerate() {
            let column = layout.columns.get(at).copied();
            if whole && column == Some(Column::Ignored) {
                continue;
            }
            let null = column == Some(Column::Nullable) && self.is_null(bytes);
            put_field(kept, if null { b"" } else { bytes }, out);
            kept += 1;
        }
        // A row with another number of columns than the header must not pass because some were left out.
        if !whole && kept == wanted {
            put_field(kept, b"", out);
        }
        if out.len() == begin {
            // A line with nothing on it would be no row at all.
            out.extend_from_slice(b"\"\"");
        }
        out.push(b'\n');
    }

    fn is_null(&self, field: &[u8]) -> bool {
        self.spec.null.iter().any(|spelling| spelling.as_bytes() == field)
    }
}

fn ndjson(text: &str, before: u64) -> Rows {
    let mut rows = Rows { bytes: Vec::with_capacity(text.len()), ..Rows::default() };
    for (at, line) in text.lines().enumerate() {
        let line = super::decode::without_mark(line).trim();
        if !line.is_empty() {
            rows.bytes.extend_from_slice(line.as_bytes());
            rows.bytes.push(b'\n');
            rows.ends.push(rows.bytes.len());
            rows.lines.push(before + at as u64 + 1);
        }
    }
    rows
}

/// A CSV field (RFC 4180), behind so many of its row.
fn put_field(before: usize, field: &[u8], out: &mut Vec<u8>) {
    if before > 0 {
        out.push(b',');
    }
    if !field.iter().any(|byte| matches!(byte, b'"' | b',' | b'\n' | b'\r')) {
        out.extend_from_slice(field);
        return;
    }
    out.push(b'"');
    for &byte in field {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}
