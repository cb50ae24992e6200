//! Avro's binary encoding (specification 1.12, section "Binary encoding") of the types that items have, and the
//! Confluent frame before it. Readers are bounded by the slice they are given.

use changtong_catalog::cell::Cell;
use changtong_catalog::ids::SchemaId;
use changtong_catalog::resource::AvroType;

use super::plan::Field;

pub(super) fn frame(id: SchemaId, out: &mut Vec<u8>) {
    out.push(0);
    out.extend_from_slice(&id.0.to_be_bytes());
}

pub(super) fn unframe(bytes: &[u8]) -> Option<(i32, &[u8])> {
    match bytes {
        [0, a, b, c, d, datum @ ..] => Some((i32::from_be_bytes([*a, *b, *c, *d]), datum)),
        _ => None,
    }
}

pub(super) fn put_long(value: i64, out: &mut Vec<u8>) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

pub(super) fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_long(bytes.len() as i64, out);
    out.extend_from_slice(bytes);
}

/// Two's complement, big-endian, in the fewest bytes (protocol.md 2: key bytes must be one for one value).
fn put_decimal(unscaled: i128, out: &mut Vec<u8>) {
    let bytes = unscaled.to_be_bytes();
    let filler = if unscaled < 0 { 0xff } else { 0 };
    let mut start = 0;
    while start < 15 && bytes[start] == filler && (bytes[start + 1] ^ filler) & 0x80 == 0 {
        start += 1;
    }
    put_bytes(&bytes[start..], out);
}

/// Writes a checked value of the field, with its union branch.
pub(super) fn put_cell(field: &Field, cell: &Cell<'_>, out: &mut Vec<u8>) {
    if field.nullable {
        out.push(if matches!(cell, Cell::Null) { 0 } else { 2 });
    }
    match *cell {
        Cell::Null | Cell::Unknown => {}
        Cell::Bool(value) => out.push(u8::from(value)),
        Cell::Int(value) | Cell::Timestamp(value) => put_long(value, out),
        Cell::Date(days) => put_long(i64::from(days), out),
        Cell::Float(value) if field.avro == AvroType::Float => {
            out.extend_from_slice(&(value as f32).to_le_bytes())
        }
        Cell::Float(value) => out.extend_from_slice(&value.to_le_bytes()),
        Cell::Decimal(unscaled, _) => put_decimal(unscaled, out),
        Cell::Text(text) => put_bytes(text.as_bytes(), out),
        Cell::Bytes(bytes) => put_bytes(bytes, out),
    }
}

/// A place in a datum; every step is checked against its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn long(&mut self) -> Option<i64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
            }
        }
        None
    }

    fn counted(&mut self) -> Option<&'a [u8]> {
        let count = usize::try_from(self.long()?).ok()?;
        self.take(count)
    }

    pub fn skip(&mut self, field: &Field) -> Option<()> {
        if field.nullable && self.take(1)?[0] == 0 {
            return Some(());
        }
        match field.avro {
            AvroType::String | AvroType::Bytes | AvroType::Decimal { .. } => self.counted().map(drop),
            AvroType::Int | AvroType::Long | AvroType::Date | AvroType::TimestampMillis => {
                self.long().map(drop)
            }
            AvroType::Float => self.take(4).map(drop),
            AvroType::Double => self.take(8).map(drop),
            AvroType::Boolean => self.take(1).map(drop),
        }
    }

    pub fn cell(&mut self, field: &Field) -> Option<Cell<'a>> {
        if field.nullable && self.take(1)?[0] == 0 {
            return Some(Cell::Null);
        }
        Some(match field.avro {
            AvroType::String => Cell::Text(std::str::from_utf8(self.counted()?).ok()?),
            AvroType::Bytes => Cell::Bytes(self.counted()?),
            AvroType::Decimal { scale, .. } => Cell::Decimal(decimal(self.counted()?)?, scale),
            AvroType::Int | AvroType::Long => Cell::Int(self.long()?),
            AvroType::Date => Cell::Date(i32::try_from(self.long()?).ok()?),
            AvroType::TimestampMillis => Cell::Timestamp(self.long()?),
            AvroType::Float => Cell::Float(f64::from(f32::from_le_bytes(self.take(4)?.try_into().ok()?))),
            AvroType::Double => Cell::Float(f64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            AvroType::Boolean => Cell::Bool(self.take(1)?[0] != 0),
        })
    }
}

pub(super) fn decimal(bytes: &[u8]) -> Option<i128> {
    if bytes.is_empty() || bytes.len() > 16 {
        return None;
    }
    let filler = if bytes[0] & 0x80 == 0 { 0 } else { 0xff };
    let mut wide = [filler; 16];
    wide[16 - bytes.len()..].copy_from_slice(bytes);
    Some(i128::from_be_bytes(wide))
}
