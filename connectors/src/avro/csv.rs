//! Records from CSV (RFC 4180) with a header row of item names or titles; a column `$op` says what is done.

use bytes::Bytes;
use changtong_catalog::error::Refusal;

use super::body::{Sink, malformed};
use super::plan::Plan;
use super::problem::Reason;
use super::row::Row;
use super::scalar;

/// What a column of the header is.
#[derive(Clone, Copy)]
enum Column {
    Item(usize),
    Operation,
}

pub(super) fn read_rows(sink: &mut Sink<'_>, body: &[u8]) -> Result<(), Refusal> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    all_quotes_closed(body)?;
    let mut reader = ::csv::ReaderBuilder::new().has_headers(true).flexible(true).from_reader(body);
    let header = reader.byte_headers().map_err(|e| broken(&e))?.clone();
    let columns = columns(sink.plan, &header)?;
    let mut fields = ::csv::ByteRecord::new();
    let mut row = Row::default();
    while reader.read_byte_record(&mut fields).map_err(|e| broken(&e))? {
        record(sink.plan, &columns, &fields, &mut row);
        sink.take(fields.as_slice().len(), &mut row, || alone(&header, &fields))?;
    }
    Ok(())
}

/// A body cut off inside a quoted field would otherwise be read as if it ended there.
fn all_quotes_closed(body: &[u8]) -> Result<(), Refusal> {
    let quotes = body.iter().filter(|byte| **byte == b'"').count();
    if quotes.is_multiple_of(2) {
        return Ok(());
    }
    let last = body.iter().rposition(|byte| *byte == b'"').unwrap_or(0);
    let line = body[..last].iter().filter(|byte| **byte == b'\n').count() + 1;
    Err(malformed(
        format!("CSV 的引号不成对(最后一个引号在第 {line} 行),文件可能不完整"),
        format!(
            "a quote of the CSV is never closed (the last one is in line {line}); it may have been cut off"
        ),
    ))
}

fn columns(plan: &Plan, header: &::csv::ByteRecord) -> Result<Vec<Column>, Refusal> {
    let mut columns = Vec::with_capacity(header.len());
    let mut seen = vec![false; plan.fields.len()];
    for (place, name) in header.iter().enumerate() {
        let name = std::str::from_utf8(name).unwrap_or("").trim();
        let column = if name == "$op" {
            Column::Operation
        } else {
            Column::Item(plan.index(name).or_else(|| plan.index_of_title(name)).ok_or_else(|| {
                malformed(
                    format!("表头第 {} 列不是该资源的信息项", place + 1),
                    format!("column {} of the header is not an item of the resource", place + 1),
                )
            })?)
        };
        let twice = match column {
            Column::Item(at) => std::mem::replace(&mut seen[at], true),
            Column::Operation => columns.iter().any(|column| matches!(column, Column::Operation)),
        };
        if twice {
            return Err(malformed(
                format!("表头中信息项 {name} 出现了两次"),
                format!("the header has the item {name} twice"),
            ));
        }
        columns.push(column);
    }
    Ok(columns)
}

fn record(plan: &Plan, columns: &[Column], fields: &::csv::ByteRecord, row: &mut Row) {
    row.begin(plan.fields.len());
    if fields.len() != columns.len() {
        return row.wrong(Reason::Columns { found: fields.len(), wanted: columns.len() });
    }
    row.delete = columns
        .iter()
        .zip(fields)
        .any(|(column, raw)| matches!(column, Column::Operation) && raw == b"delete");
    for (column, raw) in columns.iter().zip(fields) {
        match column {
            Column::Operation if matches!(raw, b"" | b"upsert" | b"delete") => {}
            Column::Operation => row.problem("$op", Reason::Operation),
            Column::Item(at) => item(plan, *at, raw, row),
        }
    }
}

fn item(plan: &Plan, at: usize, raw: &[u8], row: &mut Row) {
    let field = &plan.fields[at];
    if plan.passes_over(at, row.delete) {
        return row.put(at, field, |_| Ok(()));
    }
    row.put(at, field, |out| match std::str::from_utf8(raw) {
        Ok(text) => scalar::from_text(field, text, out),
        Err(_) => Err(Reason::NotUtf8),
    });
}

/// Header and row as a body of their own.
fn alone(header: &::csv::ByteRecord, row: &::csv::ByteRecord) -> Bytes {
    let mut writer = ::csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    let written = writer.write_byte_record(header).and_then(|()| writer.write_byte_record(row));
    match (written, writer.into_inner()) {
        (Ok(()), Ok(bytes)) => Bytes::from(bytes),
        // Writing into memory does not fail; were it to, the row alone is still what came.
        _ => Bytes::copy_from_slice(row.as_slice()),
    }
}

fn broken(error: &::csv::Error) -> Refusal {
    let line = error.position().map_or(0, ::csv::Position::line);
    malformed(format!("CSV 第 {line} 行无法读取"), format!("the CSV cannot be read at line {line}"))
}
