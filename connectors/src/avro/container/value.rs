//! One record of a file: its values by item, each checked as those of every other format are.

use changtong_catalog::literal;
use changtong_catalog::resource::AvroType;

use super::super::plan::{Field, Plan};
use super::super::problem::Reason;
use super::super::row::Row;
use super::super::scalar;
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
    /// Reads the record at the beginning of the bytes into the row; how many bytes it takes.
    pub fn record(&self, bytes: &[u8], row: &mut Row) -> Result<usize, Fault> {
        let mut cursor = Cursor::new(bytes);
        row.begin(self.plan.fields.len());
        let whole = |broken| Fault { broken, item: None };
        let steps = match self.reading {
            Reading::Record(steps) => steps,
            Reading::Union(branches) => {
                let branch = cursor.branch(branches.len()).map_err(whole)?;
                match &branches[branch] {
                    Ok(steps) => steps,
                    Err(id) => {
                        skip(self.schema, *id, &mut cursor).map_err(whole)?;
                        row.wrong(Reason::Type("record"));
                        return Ok(cursor.at);
                    }
                }
            }
        };
        for step in steps {
            match step {
                Step::Skip(id) => skip(self.schema, *id, &mut cursor).map_err(whole)?,
                Step::Default(at) => {
                    let field = &self.plan.fields[*at];
                    row.put(*at, field, |out| scalar::default(field, out));
                }
                Step::Item { at, how } => {
                    let field = &self.plan.fields[*at];
                    let mut broken = None;
                    row.put(*at, field, |out| {
                        let read = self.value(how, field, &mut cursor, out);
                        read.unwrap_or_else(|why| {
                            broken = Some(why);
                            Ok(())
                        })
                    });
                    if let Some(broken) = broken {
                        return Err(Fault { broken, item: Some(*at) });
                    }
                }
            }
        }
        Ok(cursor.at)
    }

    /// The outer error ends the file, the inner one sets the record aside.
    fn value(
        &self,
        how: &How,
        field: &Field,
        cursor: &mut Cursor<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Result<(), Reason>, Broken> {
        Ok(match how {
            How::Null => scalar::null(field, out),
            How::Boolean => match cursor.array()? {
                [bit @ (0 | 1)] => scalar::boolean(field, bit == 1, out),
                _ => Err(Reason::Type("boolean")),
            },
            How::Int => match i32::try_from(cursor.long()?) {
                Ok(number) => whole(field, i64::from(number), out),
                Err(_) => Err(Reason::Range("int")),
            },
            How::Long => whole(field, cursor.long()?, out),
            How::Micros => match cursor.long()? {
                micros if micros % 1000 == 0 => scalar::of_millis(field, micros / 1000, out),
                _ => Err(Reason::Timestamp),
            },
            How::Float => scalar::of_float(field, f64::from(f32::from_le_bytes(cursor.array()?)), out),
            How::Double => scalar::of_float(field, f64::from_le_bytes(cursor.array()?), out),
            How::Text => match std::str::from_utf8(cursor.counted()?) {
                Ok(text) => scalar::text(field, text, out),
                Err(_) => Err(Reason::NotUtf8),
            },
            How::Bytes => scalar::bytes(field, cursor.counted()?, out),
            How::Decimal => decimal(field, cursor.counted()?, out),
            How::FixedDecimal(size) => decimal(field, cursor.take(*size)?, out),
            How::Union(branches) => {
                let branch = cursor.branch(branches.len())?;
                // A union holds no union, so this goes one step down.
                self.value(&branches[branch], field, cursor, out)?
            }
            How::Misfit(id) => {
                skip(self.schema, *id, cursor)?;
                let null = matches!(self.schema.of(*id), Type::Null);
                Err(if null { Reason::Null } else { Reason::Type(wanted(field)) })
            }
        })
    }
}

fn whole(field: &Field, number: i64, out: &mut Vec<u8>) -> Result<(), Reason> {
    match field.avro {
        AvroType::Date => scalar::of_days(field, number, out),
        AvroType::TimestampMillis => scalar::of_millis(field, number, out),
        // By way of a double some would be rounded twice.
        AvroType::Float => scalar::of_float(field, f64::from(number as f32), out),
        AvroType::Double => scalar::of_float(field, number as f64, out),
        _ => scalar::of_integer(field, number, out),
    }
}

fn decimal(field: &Field, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Reason> {
    let AvroType::Decimal { precision, scale } = field.avro else { return Err(Reason::Type("decimal")) };
    let Some(first) = bytes.first() else { return Err(Reason::Type("decimal")) };
    // What a longer form repeats of the sign says nothing.
    let filler = if first & 0x80 == 0 { 0 } else { 0xff };
    let spare = bytes.iter().take_while(|byte| **byte == filler).count();
    let number =
        literal::unscaled(&bytes[spare.saturating_sub(1)..]).ok_or(Reason::Decimal { precision, scale })?;
    scalar::of_decimal(field, number, out)
}
