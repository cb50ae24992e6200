//! Values as JSON text, in their one form (interface.md 5): decimals as strings, longs as numbers, timestamps in UTC
//! with three decimals and `Z`, bytes in base64.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use changtong_catalog::cell::Cell;
use changtong_catalog::resource::AvroType;
use chrono::{DateTime, Datelike, NaiveDate, Timelike};

use super::plan::Field;

const UNIX_DAY: i32 = 719_163;

pub(super) fn put_cell(field: &Field, cell: &Cell<'_>, out: &mut Vec<u8>) {
    match *cell {
        Cell::Null | Cell::Unknown => out.extend_from_slice(b"null"),
        Cell::Bool(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
        Cell::Int(value) => put_integer(i128::from(value), out),
        Cell::Float(value) => put_float(field, value, out),
        Cell::Decimal(unscaled, scale) => {
            out.push(b'"');
            put_decimal(unscaled, scale, out);
            out.push(b'"');
        }
        Cell::Date(days) => {
            out.push(b'"');
            if let Some(date) = NaiveDate::from_num_days_from_ce_opt(days + UNIX_DAY) {
                put_date(date, out);
            }
            out.push(b'"');
        }
        Cell::Timestamp(millis) => put_timestamp(millis, out),
        Cell::Text(text) => put_text(text, out),
        Cell::Bytes(bytes) => {
            out.push(b'"');
            out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
            out.push(b'"');
        }
    }
}

pub(super) fn put_text(text: &str, out: &mut Vec<u8>) {
    // Writing into a Vec does not fail, and every str is a JSON string.
    let _ = serde_json::to_writer(&mut *out, text);
}

/// `"2013-01-01T10:00:00.000Z"`
pub(super) fn put_timestamp(millis: i64, out: &mut Vec<u8>) {
    out.push(b'"');
    if let Some(time) = DateTime::from_timestamp_millis(millis) {
        put_date(time.date_naive(), out);
        out.push(b'T');
        put_digits(time.hour(), 2, out);
        out.push(b':');
        put_digits(time.minute(), 2, out);
        out.push(b':');
        put_digits(time.second(), 2, out);
        out.push(b'.');
        put_digits(time.timestamp_subsec_millis(), 3, out);
        out.push(b'Z');
    }
    out.push(b'"');
}

fn put_date(date: NaiveDate, out: &mut Vec<u8>) {
    if (0..=9999).contains(&date.year()) {
        put_digits(date.year().cast_unsigned(), 4, out);
    } else {
        put_integer(i128::from(date.year()), out);
    }
    out.push(b'-');
    put_digits(date.month(), 2, out);
    out.push(b'-');
    put_digits(date.day(), 2, out);
}

fn put_digits(value: u32, width: u32, out: &mut Vec<u8>) {
    for place in (0..width).rev() {
        out.push(b'0' + (value / 10_u32.pow(place) % 10) as u8);
    }
}

pub(super) fn put_integer(value: i128, out: &mut Vec<u8>) {
    let _ = write!(out, "{value}");
}

fn put_float(field: &Field, value: f64, out: &mut Vec<u8>) {
    // A float is printed with the digits that tell it from its neighbours as a float, not as a double.
    let _ = if field.avro == AvroType::Float {
        serde_json::to_writer(&mut *out, &(value as f32))
    } else {
        serde_json::to_writer(&mut *out, &value)
    };
}

pub(super) fn put_decimal(unscaled: i128, scale: u32, out: &mut Vec<u8>) {
    let scale = scale as usize;
    if unscaled < 0 {
        out.push(b'-');
    }
    let digits = unscaled.unsigned_abs().to_string();
    if scale == 0 {
        out.extend_from_slice(digits.as_bytes());
        return;
    }
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    out.extend_from_slice(whole.as_bytes());
    out.push(b'.');
    out.extend_from_slice(fraction.as_bytes());
}
