//! One record of a file: its values by item, each checked as those of every other format are.

use std::borrow::Cow;

use changtong_catalog::cell::Cell;
use changtong_catalog::resource::AvroType;

use super::super::binary;
use super::super::body::Found;
use super::super::plan::{Field, Plan};
use super::super::problem::{Problem, Reason};
use super::super::scalar::{self, Value};
use super::cursor::{Broken, Cursor};
use super::resolve::{How, Reading, Step, wanted};
use super::schema::{Schema, Type};
use super::walk::skip;

/// Where the bytes stopped making sense.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault {
    pub broken: Broken,
    /// The item that was read, if it was one.
    pub item: Option<usize>,
}

pub(super) struct Reader<'r> {
    pub schema: &'r Schema,
    pub reading: &'r Reading,
    pub plan: &'r Plan,
}

impl Reader<'_> {
    /// The record at the beginning of the bytes, and how many of them it takes.
    pub fn record<'a>(&self, bytes: &'a [u8]) -> Result<(Found<'a>, usize), Fault> {
        let mut cursor = Cursor::new(bytes);
        let mut found = Found::empty(self.plan.fields.len());
        let whole = |broken| Fault { broken, item: None };
        let steps = match self.reading {
            Reading::Record(steps) => steps,
            Reading::Union(branches) => {
                let branch = cursor.branch(branches.len()).map_err(whole)?;
                match &branches[branch] {
                    Ok(steps) => steps,
                    Err(id) => {
                        skip(self.schema, *id, &mut cursor).map_err(whole)?;
                        found.problems.push(Problem::whole(Reason::Type("record")));
                        return Ok((found, cursor.at));
                    }
                }
            }
        };
        for step in steps {
            match step {
                Step::Skip(id) => skip(self.schema, *id, &mut cursor).map_err(whole)?,
                Step::Item { at, how } => {
                    let field = &self.plan.fields[*at];
                    let read = self.value(how, field, &mut cursor);
                    match read.map_err(|broken| Fault { broken, item: Some(*at) })? {
                        Ok(value) => found.values[*at] = Some(value),
                        Err(reason) => found.problems.push(Problem::at(&field.name, reason)),
                    }
                }
            }
        }
        Ok((found, cursor.at))
    }

    /// The outer error ends the file, the inner one sets the record aside.
    fn value<'a>(
        &self,
        how: &How,
        field: &Field,
        cursor: &mut Cursor<'a>,
    ) -> Result<Result<Value<'a>, Reason>, Broken> {
        Ok(match how {
            How::Null => Ok(Value::Plain(Cell::Null)),
            How::Boolean => match cursor.array()? {
                [0] => Ok(Value::Plain(Cell::Bool(false))),
                [1] => Ok(Value::Plain(Cell::Bool(true))),
                _ => Err(Reason::Type("boolean")),
            },
            How::Int => match i32::try_from(cursor.long()?) {
                Ok(number) => whole(field, i64::from(number)),
                Err(_) => Err(Reason::Range("int")),
            },
            How::Long => whole(field, cursor.long()?),
            How::Micros => match cursor.long()? {
                micros if micros % 1000 == 0 => scalar::of_millis(micros / 1000),
                _ => Err(Reason::Timestamp),
            },
            How::Float => scalar::of_float(field, f64::from(f32::from_le_bytes(cursor.array()?))),
            How::Double => scalar::of_float(field, f64::from_le_bytes(cursor.array()?)),
            How::Text => match std::str::from_utf8(cursor.counted()?) {
                Ok(text) => scalar::text(field, Cow::Borrowed(text)),
                Err(_) => Err(Reason::NotUtf8),
            },
            How::Bytes => Ok(Value::Plain(Cell::Bytes(cursor.counted()?))),
            How::Decimal => decimal(field, cursor.counted()?),
            How::FixedDecimal(size) => decimal(field, cursor.take(*size)?),
            How::Union(branches) => {
                let branch = cursor.branch(branches.len())?;
                // A union holds no union, so this goes one step down.
                self.value(&branches[branch], field, cursor)?
            }
            How::Misfit(id) => {
                skip(self.schema, *id, cursor)?;
                let null = matches!(self.schema.of(*id), Type::Null);
                Err(if null { Reason::Null } else { Reason::Type(wanted(field)) })
            }
        })
    }
}

fn whole(field: &Field, number: i64) -> Result<Value<'static>, Reason> {
    match field.avro {
        AvroType::Date => i32::try_from(number).map_err(|_| Reason::Date).and_then(scalar::of_days),
        AvroType::TimestampMillis => scalar::of_millis(number),
        // By way of a double some would be rounded twice.
        AvroType::Float => scalar::of_float(field, f64::from(number as f32)),
        AvroType::Double => scalar::of_float(field, number as f64),
        _ => scalar::of_integer(field, number),
    }
}

fn decimal(field: &Field, bytes: &[u8]) -> Result<Value<'static>, Reason> {
    let AvroType::Decimal { precision, scale } = field.avro else { return Err(Reason::Type("decimal")) };
    let Some(first) = bytes.first() else { return Err(Reason::Type("decimal")) };
    // What a longer form repeats of the sign says nothing.
    let filler = if first & 0x80 == 0 { 0 } else { 0xff };
    let spare = bytes.iter().take_while(|byte| **byte == filler).count();
    let number =
        binary::decimal(&bytes[spare.saturating_sub(1)..]).ok_or(Reason::Decimal { precision, scale })?;
    scalar::of_decimal(field, number)
}
