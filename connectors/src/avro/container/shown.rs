//! A record of a foreign file as JSON that a person can read, and mend: dates and decimals as a publish takes them, and
//! what JSON has no form for (NaN, text that is no UTF-8) in words or base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use changtong_catalog::literal;
use chrono::{DateTime, NaiveDate, SecondsFormat};
use serde_json::{Map, Number, Value, json};

use super::super::line;
use super::cursor::{Broken, Cursor};
use super::file::Layout;
use super::schema::{Id, Meaning, Schema, Type};

/// Values of a record that are shown; nulls take no bytes, so the bytes alone are no bound.
const MOST_VALUES: usize = 50_000;
/// 1970-01-01, in days of the common era.
const UNIX_DAY: i32 = 719_163;

/// The first record of a file that holds it without compression, as those set aside do. `None`: not such a file, or
/// more than a person can look at.
#[must_use]
pub fn shown(file: &[u8]) -> Option<Value> {
    let mut layout = Layout::of(file).ok()?;
    let schema = Schema::read(layout.schema).ok()?;
    let block = layout.block().ok()??;
    let mut cursor = Cursor::new(file.get(block.data)?);
    let mut printer = Printer { schema: &schema, left: MOST_VALUES };
    printer.value(schema.top, &mut cursor).ok()
}

struct Printer<'s> {
    schema: &'s Schema,
    left: usize,
}

impl Printer<'_> {
    fn value(&mut self, id: Id, cursor: &mut Cursor<'_>) -> Result<Value, Broken> {
        self.left = self.left.checked_sub(1).ok_or(Broken::Count)?;
        Ok(match self.schema.of(id) {
            Type::Null => Value::Null,
            Type::Boolean => match cursor.array()? {
                [0] => Value::Bool(false),
                [1] => Value::Bool(true),
                [other] => json!(other),
            },
            Type::Int(meaning) | Type::Long(meaning) => number(*meaning, cursor.long()?),
            // Each by its own shortest digits.
            Type::Float => digits(&f32::from_le_bytes(cursor.array()?).to_string()),
            Type::Double => digits(&f64::from_le_bytes(cursor.array()?).to_string()),
            Type::String(_) => text(cursor.counted()?),
            Type::Bytes(meaning) => bytes(*meaning, cursor.counted()?),
            Type::Fixed(size, meaning) => bytes(*meaning, cursor.take(*size)?),
            Type::Enum(symbols) => {
                let at = cursor.long()?;
                let symbol = usize::try_from(at).ok().and_then(|at| symbols.get(at));
                symbol.map_or_else(|| json!(at), |symbol| json!(symbol))
            }
            Type::Union(branches) => {
                let branch = cursor.branch(branches.len())?;
                self.value(branches[branch], cursor)?
            }
            Type::Record(record) => {
                let mut members = Map::new();
                for (name, id) in &record.fields {
                    members.insert(name.clone(), self.value(*id, cursor)?);
                }
                Value::Object(members)
            }
            Type::Array(items) => self.list(*items, cursor)?,
            Type::Map(values) => self.entries(*values, cursor)?,
        })
    }

    fn list(&mut self, items: Id, cursor: &mut Cursor<'_>) -> Result<Value, Broken> {
        let mut list = Vec::new();
        while let Some(block) = cursor.elements()? {
            for _ in 0..block.count {
                list.push(self.value(items, cursor)?);
            }
        }
        Ok(list.into())
    }

    fn entries(&mut self, values: Id, cursor: &mut Cursor<'_>) -> Result<Value, Broken> {
        let mut members = Map::new();
        while let Some(block) = cursor.elements()? {
            for _ in 0..block.count {
                let name = String::from_utf8_lossy(cursor.counted()?).into_owned();
                members.insert(name, self.value(values, cursor)?);
            }
        }
        Ok(members.into())
    }
}

pub(super) fn number(meaning: Meaning, number: i64) -> Value {
    let written = match meaning {
        Meaning::Date => i32::try_from(number)
            .ok()
            .and_then(|days| NaiveDate::from_num_days_from_ce_opt(days.checked_add(UNIX_DAY)?))
            .map(|day| day.to_string()),
        Meaning::Millis => DateTime::from_timestamp_millis(number)
            .map(|time| time.to_rfc3339_opts(SecondsFormat::Millis, true)),
        Meaning::Micros => DateTime::from_timestamp_micros(number)
            .map(|time| time.to_rfc3339_opts(SecondsFormat::Micros, true)),
        _ => None,
    };
    written.map_or_else(|| json!(number), Value::String)
}

fn digits(written: &str) -> Value {
    written.parse::<Number>().map_or_else(|_| json!(written), Value::Number)
}

fn text(bytes: &[u8]) -> Value {
    std::str::from_utf8(bytes).map_or_else(|_| base64(bytes), |text| json!(text))
}

pub(super) fn bytes(meaning: Meaning, bytes: &[u8]) -> Value {
    let number = match meaning {
        Meaning::Decimal { scale, .. } => literal::unscaled(bytes).map(|number| (number, scale)),
        _ => None,
    };
    let Some((number, scale)) = number else { return base64(bytes) };
    let mut written = Vec::new();
    line::put_decimal(number, scale, &mut written);
    json!(String::from_utf8_lossy(&written))
}

fn base64(bytes: &[u8]) -> Value {
    json!(STANDARD.encode(bytes))
}
