//! JSON to a tree of values, in the forms that `json.rs` writes. A member that is not there is null.

use apache_avro::types::Value;
use apache_avro::{Decimal, Duration, Uuid};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use changtong_catalog::error::Text;
use changtong_catalog::literal;
use chrono::DateTime;
use serde_json::{Map, Value as Json};

use super::super::schema::{Id, Meaning, Record, Schema, Type};

const UUID: Meaning = Meaning::Other("uuid");
/// Of an enum's symbols so many are told.
const SYMBOLS: usize = 8;

/// What does not fit, and where it stands in its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub path: String,
    pub text: Text,
}

impl Fault {
    pub fn of(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { path: String::new(), text: Text::new(zh, en) }
    }

    fn at(mut self, place: &str) -> Self {
        let between = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{place}{between}{}", self.path);
        self
    }
}

/// The tree that a line means.
pub(super) fn tree(schema: &Schema, json: &Json) -> Result<Value, Fault> {
    any(schema, schema.top, json)
}

/// Calls go as deep as the schema is nested, which holds itself nowhere.
fn any(schema: &Schema, id: Id, json: &Json) -> Result<Value, Fault> {
    match (schema.of(id), json) {
        (Type::Union(branches), _) => union(schema, branches, json),
        (Type::Record(fields), Json::Object(members)) => record(schema, fields, members),
        (Type::Array(items), Json::Array(list)) => {
            let values = list
                .iter()
                .enumerate()
                .map(|(at, json)| any(schema, *items, json).map_err(|fault| fault.at(&format!("[{at}]"))));
            values.collect::<Result<_, _>>().map(Value::Array)
        }
        (Type::Map(values), Json::Object(members)) => {
            let values = members.iter().map(|(name, json)| {
                let value = any(schema, *values, json).map_err(|fault| fault.at(name))?;
                Ok((name.clone(), value))
            });
            values.collect::<Result<_, _>>().map(Value::Map)
        }
        (kind, json) => leaf(kind, json).ok_or_else(|| unlike(kind, schema.name(id))),
    }
}

fn record(schema: &Schema, record: &Record, members: &Map<String, Json>) -> Result<Value, Fault> {
    if let Some(other) = members.keys().find(|name| !record.fields.iter().any(|(field, _)| field == *name)) {
        return Err(Fault::of("模式没有这个字段", "the schema has no such field").at(other));
    }
    let fields = record.fields.iter().map(|(name, id)| {
        let value = match members.get(name) {
            Some(json) => any(schema, *id, json),
            None => any(schema, *id, &Json::Null).map_err(|_| Fault::of("缺少", "it is missing")),
        };
        Ok((name.clone(), value.map_err(|fault| fault.at(name))?))
    });
    fields.collect::<Result<_, _>>().map(Value::Record)
}

/// The first branch that takes it.
fn union(schema: &Schema, branches: &[Id], json: &Json) -> Result<Value, Fault> {
    let mut faults = Vec::new();
    for (at, id) in (0..).zip(branches) {
        match any(schema, *id, json) {
            Ok(value) => return Ok(Value::Union(at, Box::new(value))),
            Err(_) if matches!(schema.of(*id), Type::Null) => {}
            Err(fault) => faults.push(fault),
        }
    }
    let names: Vec<_> = branches.iter().map(|id| schema.name(*id)).collect();
    let names = names.join(", ");
    match faults.pop().filter(|_| faults.is_empty()) {
        Some(only) => Err(only),
        None => Err(Fault::of(format!("不是以下任何一种:{names}"), format!("it is none of {names}"))),
    }
}

fn leaf(kind: &Type, json: &Json) -> Option<Value> {
    Some(match (kind, json) {
        (Type::Null, Json::Null) => Value::Null,
        (Type::Boolean, Json::Bool(truth)) => Value::Boolean(*truth),
        (Type::Int(Meaning::Date), Json::String(text)) => Value::Date(literal::date(text)?),
        (Type::Int(Meaning::Plain | Meaning::Other(_)), json) => {
            Value::Int(i32::try_from(json.as_i64()?).ok()?)
        }
        (Type::Long(Meaning::Millis), Json::String(text)) => {
            Value::TimestampMillis(literal::timestamp_millis(text)?)
        }
        (Type::Long(Meaning::Micros), Json::String(text)) => {
            let time = DateTime::parse_from_rfc3339(text).ok()?;
            (time.timestamp_subsec_nanos() % 1000 == 0)
                .then_some(Value::TimestampMicros(time.timestamp_micros()))?
        }
        (Type::Long(meaning @ (Meaning::Plain | Meaning::Other(_))), json) => long(*meaning, json.as_i64()?),
        (Type::Float, json) => {
            Value::Float(real(json).map(|real| real as f32).filter(|real| fits(json, *real))?)
        }
        (Type::Double, json) => Value::Double(real(json)?),
        (Type::Enum(symbols), Json::String(text)) => {
            let at = symbols.iter().position(|symbol| symbol == text)?;
            Value::Enum(u32::try_from(at).ok()?, text.clone())
        }
        (Type::Bytes(Meaning::Decimal { precision, scale }), json) => decimal(json, *precision, *scale)?,
        (Type::Fixed(_, Meaning::Decimal { precision, scale }), json) => decimal(json, *precision, *scale)?,
        (Type::String(UUID) | Type::Fixed(_, UUID), Json::String(text)) => {
            Value::Uuid(Uuid::parse_str(text).ok()?)
        }
        (Type::String(_), Json::String(text)) => Value::String(text.clone()),
        (Type::Bytes(_), Json::String(text)) => Value::Bytes(STANDARD.decode(text).ok()?),
        (Type::Fixed(size, meaning), Json::String(text)) => {
            let plain = STANDARD.decode(text).ok().filter(|plain| plain.len() as u64 == *size)?;
            match (meaning, <[u8; 12]>::try_from(&plain[..])) {
                (Meaning::Other("duration"), Ok(plain)) => Value::Duration(Duration::from(plain)),
                _ => Value::Fixed(plain.len(), plain),
            }
        }
        _ => return None,
    })
}

fn long(meaning: Meaning, number: i64) -> Value {
    match meaning {
        Meaning::Other("timestamp-nanos") => Value::TimestampNanos(number),
        Meaning::Other("local-timestamp-nanos") => Value::LocalTimestampNanos(number),
        _ => Value::Long(number),
    }
}

/// A number, or the words of those that JSON has not.
fn real(json: &Json) -> Option<f64> {
    match json {
        Json::String(word) => match word.as_str() {
            "NaN" => Some(f64::NAN),
            "inf" => Some(f64::INFINITY),
            "-inf" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        json => json.as_f64(),
    }
}

/// Whether a number is still one as a float.
fn fits(json: &Json, real: f32) -> bool {
    real.is_finite() || json.is_string()
}

/// A text, as digits behind a point are no safe number in JSON; a whole number may be one.
fn decimal(json: &Json, precision: u32, scale: u32) -> Option<Value> {
    let written = match json {
        Json::String(text) => literal::decimal(text)?,
        json => (i128::from(json.as_i64()?), 0),
    };
    let unscaled = literal::rescale(written, precision, scale)?;
    let plain = &unscaled.to_be_bytes()[literal::first_byte(unscaled)..];
    Some(Value::Decimal(Decimal::from(plain)))
}

fn unlike(kind: &Type, name: &str) -> Fault {
    let form = match kind {
        Type::Int(Meaning::Date) => "\"2026-01-31\"".to_owned(),
        Type::Long(Meaning::Millis | Meaning::Micros) => "\"2026-01-31T08:00:00Z\"".to_owned(),
        Type::Bytes(Meaning::Decimal { precision, scale })
        | Type::Fixed(_, Meaning::Decimal { precision, scale }) => format!("{precision}, {scale}; \"12.5\""),
        Type::String(UUID) | Type::Fixed(_, UUID) => return Fault::of("不是 uuid", "it is no uuid"),
        Type::Bytes(_) => "base64".to_owned(),
        Type::Fixed(size, _) => format!("{size}; base64"),
        Type::Enum(symbols) => symbols.iter().take(SYMBOLS).cloned().collect::<Vec<_>>().join(", "),
        _ => return Fault::of(format!("不是 {name}"), format!("it is no {name}")),
    };
    Fault::of(format!("不是 {name}({form})"), format!("it is no {name} ({form})"))
}
