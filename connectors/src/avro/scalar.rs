//! One value of one item, from JSON or text: checked against the item (type, range, length, values, decimals without
//! loss, dates and timestamps in their one form, interface.md 5) and encoded with its branch. What a value that does
//! not fit leaves behind in `out` counts for nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use changtong_catalog::literal;
use changtong_catalog::resource::AvroType;

use super::binary::{put_bytes, put_decimal, put_long};
use super::json::{Token, unescape};
use super::plan::Field;
use super::problem::Reason;

/// 0000-01-01 and 9999-12-31, in days since 1970-01-01.
const FIRST_DAY: i32 = -719_528;
const LAST_DAY: i32 = 2_932_896;
const DAY_MS: i64 = 86_400_000;
/// Digits that an `i64` holds, whatever they are.
const FEW_DIGITS: usize = 18;

/// The branches of a nullable item, as a union has them.
pub(super) const NULL: u8 = 0;
pub(super) const VALUE: u8 = 2;

/// Whether a value was written.
type Written = Result<(), Reason>;

/// A value from JSON. `unescaped` is for a string that does not say itself what it holds.
#[inline(always)]
pub(super) fn from_json(
    field: &Field,
    token: Token<'_>,
    unescaped: &mut String,
    out: &mut Vec<u8>,
) -> Written {
    match (field.avro, token) {
        (_, Token::Null) => null(field, out),
        // Without escapes JSON has no way to say U+0000.
        (AvroType::String, Token::Text(text)) => checked_text(field, text, out),
        (AvroType::Int | AvroType::Long, Token::Number(digits)) => integer(field, digits, out),
        (AvroType::Float | AvroType::Double, Token::Number(digits)) => float(field, digits, out),
        (AvroType::Decimal { .. }, Token::Number(digits)) => decimal(field, digits, out),
        (AvroType::Boolean, Token::Bool(value)) => boolean(field, value, out),
        (_, Token::Text(text)) => from_string(field, text, out),
        (_, Token::Escaped(inner)) => {
            from_string(field, unescape(inner, unescaped).ok_or(Reason::NotJson)?, out)
        }
        _ => Err(Reason::Type(wanted(field.avro))),
    }
}

/// A value that JSON has in quotes.
fn from_string(field: &Field, string: &str, out: &mut Vec<u8>) -> Written {
    match field.avro {
        AvroType::String => text(field, string, out),
        AvroType::Bytes => base64(field, string, out),
        AvroType::Decimal { .. } => decimal(field, string, out),
        AvroType::Date => date(field, string, out),
        AvroType::TimestampMillis => timestamp(field, string, out),
        _ => Err(Reason::Type(wanted(field.avro))),
    }
}

/// A value from a CSV field; an empty one is null where the item may be null.
pub(super) fn from_text(field: &Field, raw: &str, out: &mut Vec<u8>) -> Written {
    if raw.is_empty() && (field.nullable || !matches!(field.avro, AvroType::String | AvroType::Bytes)) {
        return null(field, out);
    }
    match field.avro {
        AvroType::Boolean => match raw {
            "true" | "TRUE" | "True" | "1" => boolean(field, true, out),
            "false" | "FALSE" | "False" | "0" => boolean(field, false, out),
            _ => Err(Reason::Type("boolean")),
        },
        AvroType::Int | AvroType::Long => integer(field, raw, out),
        AvroType::Float | AvroType::Double => float(field, raw, out),
        _ => from_string(field, raw, out),
    }
}

/// The item's type for messages.
pub(super) fn wanted(avro: AvroType) -> &'static str {
    match avro {
        AvroType::String => "string",
        AvroType::Int => "int",
        AvroType::Long => "long",
        AvroType::Float => "float",
        AvroType::Double => "double",
        AvroType::Boolean => "boolean",
        AvroType::Bytes => "base64",
        AvroType::Decimal { .. } => "decimal",
        AvroType::Date => "date",
        AvroType::TimestampMillis => "timestamp",
    }
}

/// Before a value of an item that may be null.
#[inline(always)]
fn branch(field: &Field, out: &mut Vec<u8>) {
    if field.nullable {
        out.push(VALUE);
    }
}

pub(super) fn null(field: &Field, out: &mut Vec<u8>) -> Written {
    if !field.nullable {
        return Err(Reason::Null);
    }
    out.push(NULL);
    Ok(())
}

/// What counts where there is no such item.
pub(super) fn default(field: &Field, out: &mut Vec<u8>) -> Written {
    let Some(value) = &field.default else { return null(field, out) };
    branch(field, out);
    out.extend_from_slice(value);
    Ok(())
}

pub(super) fn boolean(field: &Field, value: bool, out: &mut Vec<u8>) -> Written {
    branch(field, out);
    out.push(u8::from(value));
    Ok(())
}

#[inline(always)]
pub(super) fn bytes(field: &Field, bytes: &[u8], out: &mut Vec<u8>) -> Written {
    branch(field, out);
    put_bytes(bytes, out);
    Ok(())
}

/// A text of the item's length and values.
pub(super) fn text(field: &Field, value: &str, out: &mut Vec<u8>) -> Written {
    if value.as_bytes().contains(&0) {
        return Err(Reason::Nul);
    }
    checked_text(field, value, out)
}

#[inline(always)]
fn checked_text(field: &Field, value: &str, out: &mut Vec<u8>) -> Written {
    if let Some(most) = field.length
        && value.len() > most as usize
        && value.chars().count() > most as usize
    {
        return Err(Reason::Length(most));
    }
    if !field.values.is_empty() && field.values.binary_search_by(|known| (**known).cmp(value)).is_err() {
        return Err(Reason::NotInValues);
    }
    bytes(field, value.as_bytes(), out)
}

fn integer(field: &Field, raw: &str, out: &mut Vec<u8>) -> Written {
    let name = wanted(field.avro);
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Reason::Type(name));
    }
    let value = if raw.len() <= FEW_DIGITS {
        let value = digits.bytes().fold(0_i64, |n, digit| n * 10 + i64::from(digit - b'0'));
        if digits.len() < raw.len() { -value } else { value }
    } else {
        raw.parse().map_err(|_| Reason::Range(name))?
    };
    of_integer(field, value, out)
}

/// A whole number of the item's range and digits.
#[inline]
pub(super) fn of_integer(field: &Field, value: i64, out: &mut Vec<u8>) -> Written {
    if field.avro == AvroType::Int && i32::try_from(value).is_err() {
        return Err(Reason::Range("int"));
    }
    if let Some(most) = field.length
        && value.unsigned_abs().checked_ilog10().map_or(0, |power| power + 1) > most
    {
        return Err(Reason::Length(most));
    }
    branch(field, out);
    put_long(value, out);
    Ok(())
}

fn float(field: &Field, raw: &str, out: &mut Vec<u8>) -> Written {
    let name = wanted(field.avro);
    // "inf" and "nan" parse as floats and are refused: JSON has no way to say them.
    if !raw.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E')) {
        return Err(Reason::Type(name));
    }
    // A float read by way of a double would at times be rounded twice.
    let value = match field.avro {
        AvroType::Float => raw.parse::<f32>().map(f64::from),
        _ => raw.parse::<f64>(),
    };
    // Digits alone say no infinity, only more than there is room for.
    of_float(field, value.map_err(|_| Reason::Type(name))?, out).map_err(|_| Reason::Range(name))
}

/// A number that is one: neither NaN nor an infinity.
pub(super) fn of_float(field: &Field, value: f64, out: &mut Vec<u8>) -> Written {
    let narrow = value as f32;
    let is_float = field.avro == AvroType::Float;
    if !(if is_float { narrow.is_finite() } else { value.is_finite() }) {
        return Err(Reason::NotFinite);
    }
    branch(field, out);
    if is_float {
        out.extend_from_slice(&narrow.to_le_bytes());
    } else {
        out.extend_from_slice(&value.to_le_bytes());
    }
    Ok(())
}

/// Digits, point and exponent to an unscaled integer of the item's scale; refused if anything would be lost.
fn decimal(field: &Field, raw: &str, out: &mut Vec<u8>) -> Written {
    let AvroType::Decimal { precision, scale } = field.avro else { return Err(Reason::Type("decimal")) };
    let lossy = Reason::Decimal { precision, scale };
    let (mantissa, exponent) = match raw.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            (mantissa, exponent.parse::<i64>().map_err(|_| Reason::Type("decimal"))?)
        }
        None => (raw, 0),
    };
    let well_formed = mantissa.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'.'));
    let Some((unscaled, digits)) = literal::decimal(mantissa) else {
        return Err(if well_formed && mantissa.len() > literal::MOST_DIGITS as usize {
            lossy
        } else {
            Reason::Type("decimal")
        });
    };
    let (unscaled, digits) = at_exponent(unscaled, digits, exponent).ok_or(lossy)?;
    let value = literal::rescale((unscaled, digits), precision, scale).ok_or(lossy)?;
    branch(field, out);
    put_decimal(value, out);
    Ok(())
}

/// An unscaled number of the item's scale, of at most its digits.
pub(super) fn of_decimal(field: &Field, unscaled: i128, out: &mut Vec<u8>) -> Written {
    let AvroType::Decimal { precision, scale } = field.avro else { return Err(Reason::Type("decimal")) };
    let value = literal::rescale((unscaled, scale), precision, scale);
    let value = value.ok_or(Reason::Decimal { precision, scale })?;
    branch(field, out);
    put_decimal(value, out);
    Ok(())
}

/// `unscaled · 10^(exponent − digits)` as unscaled value and scale.
fn at_exponent(unscaled: i128, digits: u32, exponent: i64) -> Option<(i128, u32)> {
    if unscaled == 0 {
        return Some((0, 0));
    }
    let scale = i64::from(digits).checked_sub(exponent)?;
    match u32::try_from(scale) {
        Ok(scale) => Some((unscaled, scale)),
        Err(_) => {
            let power = 10_i128.checked_pow(u32::try_from(scale.unsigned_abs()).ok()?)?;
            Some((unscaled.checked_mul(power)?, 0))
        }
    }
}

fn date(field: &Field, raw: &str, out: &mut Vec<u8>) -> Written {
    let days = literal::date(raw).ok_or(Reason::Date)?;
    branch(field, out);
    put_long(i64::from(days), out);
    Ok(())
}

fn timestamp(field: &Field, raw: &str, out: &mut Vec<u8>) -> Written {
    let millis = literal::timestamp_millis(raw).ok_or(Reason::Timestamp)?;
    branch(field, out);
    put_long(millis, out);
    Ok(())
}

/// Days since 1970-01-01, of the years that a date can be written for.
pub(super) fn of_days(field: &Field, days: i64, out: &mut Vec<u8>) -> Written {
    if !(i64::from(FIRST_DAY)..=i64::from(LAST_DAY)).contains(&days) {
        return Err(Reason::Date);
    }
    branch(field, out);
    put_long(days, out);
    Ok(())
}

/// Milliseconds since 1970-01-01T00:00:00Z, of the same years.
pub(super) fn of_millis(field: &Field, millis: i64, out: &mut Vec<u8>) -> Written {
    let written = i64::from(FIRST_DAY) * DAY_MS..(i64::from(LAST_DAY) + 1) * DAY_MS;
    if !written.contains(&millis) {
        return Err(Reason::Timestamp);
    }
    branch(field, out);
    put_long(millis, out);
    Ok(())
}

fn base64(field: &Field, raw: &str, out: &mut Vec<u8>) -> Written {
    branch(field, out);
    // Its length, as base64 has it: a group of four for three bytes, the last perhaps for fewer.
    let padding = raw.bytes().rev().take(2).filter(|byte| *byte == b'=').count();
    let length = (raw.len() / 4 * 3).checked_sub(padding).ok_or(Reason::Base64)?;
    put_long(length as i64, out);
    let start = out.len();
    out.resize(start + length, 0);
    match STANDARD.decode_slice(raw, &mut out[start..]) {
        Ok(decoded) if decoded == length => Ok(()),
        _ => Err(Reason::Base64),
    }
}
