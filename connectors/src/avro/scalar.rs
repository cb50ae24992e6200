//! One value of one item, from JSON or text, checked against the item: type, range, length, values, decimals without
//! loss, dates and timestamps in their one form (interface.md 5).

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use changtong_catalog::cell::Cell;
use changtong_catalog::literal;
use changtong_catalog::resource::AvroType;

use super::plan::Field;
use super::problem::Reason;

/// 0000-01-01 and 9999-12-31, in days since 1970-01-01.
const FIRST_DAY: i32 = -719_528;
const LAST_DAY: i32 = 2_932_896;
const DAY_MS: i64 = 86_400_000;

/// A value that may own what had to be unescaped or decoded.
#[derive(Debug)]
pub(super) enum Value<'a> {
    Plain(Cell<'a>),
    Text(Cow<'a, str>),
    Bytes(Vec<u8>),
}

impl Value<'_> {
    pub fn cell(&self) -> Cell<'_> {
        match self {
            Value::Plain(cell) => *cell,
            Value::Text(text) => Cell::Text(text),
            Value::Bytes(bytes) => Cell::Bytes(bytes),
        }
    }
}

/// A value from its raw JSON text.
pub(super) fn from_json<'a>(field: &Field, raw: &'a str) -> Result<Value<'a>, Reason> {
    let first = raw.as_bytes().first().copied().unwrap_or(b' ');
    if first == b'n' {
        return if field.nullable { Ok(Value::Plain(Cell::Null)) } else { Err(Reason::Null) };
    }
    let number = first == b'-' || first.is_ascii_digit();
    match field.avro {
        AvroType::String => text(field, string(raw, first, "string")?),
        AvroType::Bytes => {
            STANDARD.decode(&*string(raw, first, "base64")?).map(Value::Bytes).map_err(|_| Reason::Base64)
        }
        AvroType::Boolean => match raw {
            "true" => Ok(Value::Plain(Cell::Bool(true))),
            "false" => Ok(Value::Plain(Cell::Bool(false))),
            _ => Err(Reason::Type("boolean")),
        },
        AvroType::Int | AvroType::Long if number => integer(field, raw),
        AvroType::Int => Err(Reason::Type("int")),
        AvroType::Long => Err(Reason::Type("long")),
        AvroType::Float | AvroType::Double if number => float(field, raw),
        AvroType::Float => Err(Reason::Type("float")),
        AvroType::Double => Err(Reason::Type("double")),
        AvroType::Decimal { .. } if number => decimal(field, raw),
        AvroType::Decimal { .. } => decimal(field, &string(raw, first, "decimal")?),
        AvroType::Date => date(&string(raw, first, "date")?),
        AvroType::TimestampMillis => timestamp(&string(raw, first, "timestamp")?),
    }
}

/// A value from a CSV field; an empty one is null where the item may be null.
pub(super) fn from_text<'a>(field: &Field, raw: &'a str) -> Result<Value<'a>, Reason> {
    if raw.is_empty() && field.nullable {
        return Ok(Value::Plain(Cell::Null));
    }
    if raw.is_empty() && field.avro != AvroType::String && field.avro != AvroType::Bytes {
        return Err(Reason::Null);
    }
    match field.avro {
        AvroType::String => text(field, Cow::Borrowed(raw)),
        AvroType::Bytes => STANDARD.decode(raw).map(Value::Bytes).map_err(|_| Reason::Base64),
        AvroType::Boolean => match raw {
            "true" | "TRUE" | "True" | "1" => Ok(Value::Plain(Cell::Bool(true))),
            "false" | "FALSE" | "False" | "0" => Ok(Value::Plain(Cell::Bool(false))),
            _ => Err(Reason::Type("boolean")),
        },
        AvroType::Int | AvroType::Long => integer(field, raw),
        AvroType::Float | AvroType::Double => float(field, raw),
        AvroType::Decimal { .. } => decimal(field, raw),
        AvroType::Date => date(raw),
        AvroType::TimestampMillis => timestamp(raw),
    }
}

fn string<'a>(raw: &'a str, first: u8, wanted: &'static str) -> Result<Cow<'a, str>, Reason> {
    if first != b'"' {
        return Err(Reason::Type(wanted));
    }
    let inner = &raw[1..raw.len() - 1];
    if !inner.as_bytes().contains(&b'\\') {
        return Ok(Cow::Borrowed(inner));
    }
    serde_json::from_str(raw).map(Cow::Owned).map_err(|_| Reason::NotJson)
}

/// A text of the item's length and values.
pub(super) fn text<'a>(field: &Field, value: Cow<'a, str>) -> Result<Value<'a>, Reason> {
    if value.as_bytes().contains(&0) {
        return Err(Reason::Nul);
    }
    if let Some(most) = field.length
        && value.len() > most as usize
        && value.chars().count() > most as usize
    {
        return Err(Reason::Length(most));
    }
    if !field.values.is_empty() && field.values.binary_search_by(|known| known.as_str().cmp(&value)).is_err()
    {
        return Err(Reason::NotInValues);
    }
    Ok(Value::Text(value))
}

fn integer(field: &Field, raw: &str) -> Result<Value<'static>, Reason> {
    let name = if field.avro == AvroType::Int { "int" } else { "long" };
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Reason::Type(name));
    }
    of_integer(field, raw.parse().map_err(|_| Reason::Range(name))?)
}

/// A whole number of the item's range and digits.
pub(super) fn of_integer(field: &Field, value: i64) -> Result<Value<'static>, Reason> {
    if field.avro == AvroType::Int && i32::try_from(value).is_err() {
        return Err(Reason::Range("int"));
    }
    let digits = value.unsigned_abs().checked_ilog10().map_or(0, |power| power + 1);
    match field.length {
        Some(most) if digits > most => Err(Reason::Length(most)),
        _ => Ok(Value::Plain(Cell::Int(value))),
    }
}

fn float(field: &Field, raw: &str) -> Result<Value<'static>, Reason> {
    let name = if field.avro == AvroType::Float { "float" } else { "double" };
    // "inf" and "nan" parse as floats and are refused: JSON has no way to say them.
    if !raw.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E')) {
        return Err(Reason::Type(name));
    }
    let value: f64 = raw.parse().map_err(|_| Reason::Type(name))?;
    // Digits alone say no infinity, only more than there is room for.
    of_float(field, value).map_err(|_| Reason::Range(name))
}

/// A number that is one: neither NaN nor an infinity.
pub(super) fn of_float(field: &Field, value: f64) -> Result<Value<'static>, Reason> {
    let fits = if field.avro == AvroType::Float { (value as f32).is_finite() } else { value.is_finite() };
    if fits { Ok(Value::Plain(Cell::Float(value))) } else { Err(Reason::NotFinite) }
}

/// An unscaled number of the item's scale.
pub(super) fn of_decimal(field: &Field, unscaled: i128) -> Result<Value<'static>, Reason> {
    let AvroType::Decimal { precision, scale } = field.avro else { return Err(Reason::Type("decimal")) };
    let fits = literal::rescale((unscaled, scale), precision, scale);
    fits.map(|value| Value::Plain(Cell::Decimal(value, scale))).ok_or(Reason::Decimal { precision, scale })
}

/// Days since 1970-01-01, of the years 0000 to 9999 that a date can be written in.
pub(super) fn of_days(days: i32) -> Result<Value<'static>, Reason> {
    let written = FIRST_DAY..=LAST_DAY;
    if written.contains(&days) { Ok(Value::Plain(Cell::Date(days))) } else { Err(Reason::Date) }
}

/// Milliseconds since 1970-01-01T00:00:00Z, of the same years.
pub(super) fn of_millis(millis: i64) -> Result<Value<'static>, Reason> {
    let written = i64::from(FIRST_DAY) * DAY_MS..(i64::from(LAST_DAY) + 1) * DAY_MS;
    if written.contains(&millis) { Ok(Value::Plain(Cell::Timestamp(millis))) } else { Err(Reason::Timestamp) }
}

/// Digits, point and exponent to an unscaled integer of the item's scale; refused if anything would be lost.
fn decimal(field: &Field, raw: &str) -> Result<Value<'static>, Reason> {
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
    let fits =
        at_exponent(unscaled, digits, exponent).and_then(|number| literal::rescale(number, precision, scale));
    fits.map(|value| Value::Plain(Cell::Decimal(value, scale))).ok_or(lossy)
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

fn date(raw: &str) -> Result<Value<'static>, Reason> {
    literal::date(raw).map(|days| Value::Plain(Cell::Date(days))).ok_or(Reason::Date)
}

fn timestamp(raw: &str) -> Result<Value<'static>, Reason> {
    literal::timestamp_millis(raw)
        .map(|millis| Value::Plain(Cell::Timestamp(millis)))
        .ok_or(Reason::Timestamp)
}
