//! Values as JSON text, in their one form (interface.md 5): decimals as strings, longs as numbers, timestamps in UTC
//! with three decimals and `Z`, bytes in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use changtong_catalog::cell::Cell;
use changtong_catalog::resource::AvroType;
use chrono::{DateTime, Datelike, NaiveDate, Timelike};

use super::binary::Reader;
use super::json::plain;
use super::plan::Field;

const UNIX_DAY: i32 = 719_163;

/// Whether a line is text. The texts that are stored are not looked at one by one but here, all together with the quotes
/// around them: none of them could lend its neighbour a byte.
pub(super) fn is_text(line: &[u8]) -> bool {
    simdutf8::basic::from_utf8(line).is_ok()
}

/// A value as the item has it in Avro, most of them without a `Cell` in between; whether its text is one, `is_text` says.
pub(super) fn put_value(field: &Field, value: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut reader = Reader::new(value);
    match field.avro {
        AvroType::String => put_text(reader.counted()?, out),
        AvroType::Int | AvroType::Long => put_integer(reader.long()?, out),
        AvroType::TimestampMillis => put_timestamp(reader.long()?, out),
        AvroType::Boolean => put_truth(reader.truth()?, out),
        _ => put_cell(field, &reader.cell(field.avro)?, out),
    }
    Some(())
}

pub(super) fn put_cell(field: &Field, cell: &Cell<'_>, out: &mut Vec<u8>) {
    match *cell {
        Cell::Null | Cell::Unknown => out.extend_from_slice(b"null"),
        Cell::Bool(value) => put_truth(value, out),
        Cell::Int(value) => put_integer(value, out),
        Cell::Float(value) => put_float(field, value, out),
        Cell::Decimal(unscaled, scale) => {
            out.push(b'"');
            put_decimal(unscaled, scale, out);
            out.push(b'"');
        }
        Cell::Date(days) => {
            out.push(b'"');
            if let Some(date) = NaiveDate::from_num_days_from_ce_opt(days.saturating_add(UNIX_DAY)) {
                put_date(date, out);
            }
            out.push(b'"');
        }
        Cell::Timestamp(millis) => put_timestamp(millis, out),
        Cell::Text(text) => put_text(text.as_bytes(), out),
        Cell::Bytes(bytes) => put_base64(bytes, out),
    }
}

fn put_truth(value: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

fn put_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    put_escaped(text, out);
    out.push(b'"');
}

/// A text that is made where it goes.
pub(super) fn put_made(out: &mut Vec<u8>, make: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    let start = out.len();
    make(out);
    if plain(&out[start..]) < out.len() - start {
        let made = out.split_off(start);
        put_escaped(&made, out);
    }
    out.push(b'"');
}

fn put_escaped(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut rest = text;
    loop {
        let (as_it_is, behind) = rest.split_at(plain(rest));
        out.extend_from_slice(as_it_is);
        let Some((byte, behind)) = behind.split_first() else { break };
        let short = match byte {
            b'"' | b'\\' => *byte,
            0x08 => b'b',
            0x09 => b't',
            0x0a => b'n',
            0x0c => b'f',
            0x0d => b'r',
            _ => b'u',
        };
        out.extend_from_slice(&[b'\\', short]);
        if short == b'u' {
            let [high, low] = [byte >> 4, byte & 0xf].map(|digit| HEX[usize::from(digit)]);
            out.extend_from_slice(&[b'0', b'0', high, low]);
        }
        rest = behind;
    }
}

fn put_base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, b'=');
    // The room is what base64 takes, so nothing is left out.
    let _ = STANDARD.encode_slice(bytes, &mut out[start..]);
    out.push(b'"');
}

/// `"2013-01-01T10:00:00.000Z"`
pub(super) fn put_timestamp(millis: i64, out: &mut Vec<u8>) {
    out.push(b'"');
    if let Some(time) = DateTime::from_timestamp_millis(millis) {
        put_date(time.date_naive(), out);
        out.push(b'T');
        put_digits::<2>(time.hour(), out);
        out.push(b':');
        put_digits::<2>(time.minute(), out);
        out.push(b':');
        put_digits::<2>(time.second(), out);
        out.push(b'.');
        put_digits::<3>(time.timestamp_subsec_millis(), out);
        out.push(b'Z');
    }
    out.push(b'"');
}

fn put_date(date: NaiveDate, out: &mut Vec<u8>) {
    if (0..=9999).contains(&date.year()) {
        put_digits::<4>(date.year().cast_unsigned(), out);
    } else {
        put_integer(i64::from(date.year()), out);
    }
    out.push(b'-');
    put_digits::<2>(date.month(), out);
    out.push(b'-');
    put_digits::<2>(date.day(), out);
}

/// The last `N` digits of a number.
fn put_digits<const N: usize>(value: u32, out: &mut Vec<u8>) {
    let mut digits = [0; N];
    let mut rest = value;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&digits);
}

pub(super) fn put_integer(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    put_natural(value.unsigned_abs(), 1, out);
}

/// At least so many digits.
fn put_natural(value: u64, least: usize, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    let mut rest = value;
    while rest > 0 {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&digits[start.min(digits.len() - least.min(digits.len()))..]);
}

fn put_float(field: &Field, value: f64, out: &mut Vec<u8>) {
    // A float is printed with the digits that tell it from its neighbours as a float, not as a double. Writing into a
    // Vec does not fail.
    let _ = if field.avro == AvroType::Float {
        serde_json::to_writer(&mut *out, &(value as f32))
    } else {
        serde_json::to_writer(&mut *out, &value)
    };
}

pub(super) fn put_decimal(unscaled: i128, scale: u32, out: &mut Vec<u8>) {
    if unscaled < 0 {
        out.push(b'-');
    }
    let start = out.len();
    put_digits_of(unscaled.unsigned_abs(), scale as usize + 1, out);
    if scale > 0 {
        out.push(b'.');
        let point = out.len() - 1 - scale as usize;
        out[point.max(start)..].rotate_right(1);
    }
}

/// At least so many digits.
fn put_digits_of(value: u128, least: usize, out: &mut Vec<u8>) {
    match u64::try_from(value) {
        Ok(value) if least <= 20 => put_natural(value, least, out),
        _ => out.extend_from_slice(format!("{value:0>least$}").as_bytes()),
    }
}
