//! A tree of values as JSON, in the forms of a delivery (interface.md 5); what the bus has no form for is the number or the
//! bytes that it is.

use apache_avro::types::Value;
use changtong_catalog::literal;
use serde::ser::{Error as _, SerializeMap as _, SerializeSeq as _};
use serde::{Serialize, Serializer};

use super::super::super::line::put_decimal;
use super::super::schema::{Id, Meaning, Schema, Type};
use super::super::shown::{bytes, number};

pub(super) struct Shown<'v> {
    pub schema: &'v Schema,
    pub id: Id,
    pub value: &'v Value,
}

impl Shown<'_> {
    fn below<'v>(&'v self, id: Id, value: &'v Value) -> Shown<'v> {
        Shown { schema: self.schema, id, value }
    }
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match (self.value, self.schema.of(self.id)) {
            (Value::Union(branch, value), Type::Union(branches)) => match branches.get(*branch as usize) {
                Some(id) => self.below(*id, value).serialize(to),
                None => to.serialize_unit(),
            },
            (Value::Record(values), Type::Record(record)) => {
                let mut members = to.serialize_map(Some(values.len()))?;
                for ((name, value), (_, id)) in values.iter().zip(&record.fields) {
                    members.serialize_entry(name, &self.below(*id, value))?;
                }
                members.end()
            }
            (Value::Array(values), Type::Array(id)) => {
                let mut list = to.serialize_seq(Some(values.len()))?;
                for value in values {
                    list.serialize_element(&self.below(*id, value))?;
                }
                list.end()
            }
            (Value::Map(values), Type::Map(id)) => {
                let mut sorted: Vec<_> = values.iter().collect();
                sorted.sort_unstable_by_key(|(name, _)| *name);
                let mut members = to.serialize_map(Some(values.len()))?;
                for (name, value) in sorted {
                    members.serialize_entry(name, &self.below(*id, value))?;
                }
                members.end()
            }
            (value, kind) => leaf(value, kind, to),
        }
    }
}

fn leaf<S: Serializer>(value: &Value, kind: &Type, to: S) -> Result<S::Ok, S::Error> {
    match value {
        Value::Boolean(truth) => to.serialize_bool(*truth),
        Value::Int(number) | Value::TimeMillis(number) => to.serialize_i32(*number),
        Value::Long(number)
        | Value::TimeMicros(number)
        | Value::TimestampNanos(number)
        | Value::LocalTimestampMillis(number)
        | Value::LocalTimestampMicros(number)
        | Value::LocalTimestampNanos(number) => to.serialize_i64(*number),
        Value::Date(days) => number(Meaning::Date, i64::from(*days)).serialize(to),
        Value::TimestampMillis(millis) => number(Meaning::Millis, *millis).serialize(to),
        Value::TimestampMicros(micros) => number(Meaning::Micros, *micros).serialize(to),
        // JSON has no other numbers.
        Value::Float(number) if !number.is_finite() => to.collect_str(number),
        Value::Double(number) if !number.is_finite() => to.collect_str(number),
        Value::Float(number) => to.serialize_f32(*number),
        Value::Double(number) => to.serialize_f64(*number),
        Value::String(text) | Value::Enum(_, text) => to.serialize_str(text),
        Value::Uuid(uuid) => to.collect_str(uuid),
        Value::BigDecimal(decimal) => {
            let (digits, scale) = decimal.as_bigint_and_exponent();
            let scale = u32::try_from(scale).ok().filter(|scale| *scale <= literal::MOST_DIGITS);
            // Longer ones would take long to write.
            let number = literal::unscaled(&digits.to_signed_bytes_be()).zip(scale);
            let (number, scale) = number.ok_or_else(|| S::Error::custom("its big-decimal is too long"))?;
            let mut text = Vec::new();
            put_decimal(number, scale, &mut text);
            to.serialize_str(&String::from_utf8_lossy(&text))
        }
        Value::Bytes(plain) | Value::Fixed(_, plain) => bytes(Meaning::Plain, plain).serialize(to),
        Value::Duration(duration) => bytes(Meaning::Plain, &<[u8; 12]>::from(*duration)).serialize(to),
        Value::Decimal(decimal) => {
            let meaning = match kind {
                Type::Bytes(meaning) | Type::Fixed(_, meaning) => *meaning,
                _ => Meaning::Plain,
            };
            let plain = Vec::try_from(decimal).map_err(S::Error::custom)?;
            bytes(meaning, &plain).serialize(to)
        }
        Value::Null | Value::Union(..) | Value::Array(_) | Value::Map(_) | Value::Record(_) => {
            to.serialize_unit()
        }
    }
}
