//! Records as they were written, read in the shape of a plan (Avro 1.12, "Schema Resolution"): items by their names and
//! aliases, promotions, the default or null where the writer had no such item, what the plan does not have left out.
//! Decided once for each schema version, so that a record is one pass over steps. A change of meaning (a date that was a number, another
//! scale) is no promotion: such versions are not read.

use changtong_catalog::cell::Cell;
use changtong_catalog::ids::SchemaId;
use changtong_catalog::resource::{AvroType, Item};

use super::binary::{Reach, Reader, put_as};
use super::line;
use super::plan::{Field, Names};
use super::row::Span;
use super::scalar::{NULL, VALUE};

/// One schema version, compiled for a plan.
#[derive(Debug)]
pub(super) struct Written {
    pub schema: SchemaId,
    steps: Box<[Step]>,
    /// By item of the plan, the type that its values are of here; where there are none, the plan's.
    types: Box<[AvroType]>,
    /// By item of the plan, whether it is not there, so that its default counts.
    lacks: Box<[bool]>,
}

#[derive(Debug)]
struct Step {
    reach: Reach,
    nullable: bool,
    /// The plan's item, if it has it.
    item: Option<u32>,
}

impl Written {
    /// These items of the plan, as the plan has them.
    pub fn own(schema: SchemaId, items: impl Iterator<Item = usize>, fields: &[Field]) -> Self {
        let step = |at: usize| {
            let Field { avro, nullable, .. } = fields[at];
            Step { reach: Reach::of(avro), nullable, item: Some(at as u32) }
        };
        let types = fields.iter().map(|field| field.avro).collect();
        // What a key does not hold is unknown, and nothing counts in its place.
        let lacks = vec![false; fields.len()].into();
        Self { schema, steps: items.map(step).collect(), types, lacks }
    }

    /// How records of these items are read as records of these fields; `None` where they cannot be.
    pub fn read_as(schema: SchemaId, items: &[Item], fields: &[Field], names: &Names<'_>) -> Option<Self> {
        let mut lacks: Box<[bool]> = vec![true; fields.len()].into();
        let mut types: Box<[AvroType]> = fields.iter().map(|field| field.avro).collect();
        let mut steps = Vec::with_capacity(items.len());
        for item in items {
            let at = names.find(&item.name);
            let avro = item.avro();
            if let Some(at) = at {
                // Two that are one have no reading.
                if !is_read_as(avro, fields[at].avro) || !std::mem::take(&mut lacks[at]) {
                    return None;
                }
                types[at] = avro;
            }
            steps.push(Step {
                reach: Reach::of(avro),
                nullable: item.nullable,
                item: at.map(|at| at as u32),
            });
        }
        Some(Self { schema, steps: steps.into(), types, lacks })
    }
}

/// Whether values of one type are read as those of another.
fn is_read_as(written: AvroType, wanted: AvroType) -> bool {
    use AvroType::{Bytes, Decimal, Double, Float, Int, Long, String};
    match (written, wanted) {
        (Int, Long | Float | Double) | (Long, Float | Double) | (Float, Double) => true,
        (String, Bytes) | (Bytes, String) => true,
        (Decimal { scale, .. }, Decimal { scale: wanted, .. }) => scale == wanted,
        (written, wanted) => written == wanted,
    }
}

/// Where the values of a stored record lie, by item of the plan. Kept for the next record, so that none costs memory of
/// its own.
#[derive(Debug, Default)]
pub struct Places(Vec<Span>);

/// A stored record whose values were found.
#[derive(Clone, Copy)]
pub(super) struct Stored<'r> {
    datum: &'r [u8],
    written: &'r Written,
    fields: &'r [Field],
    places: &'r Places,
}

impl Places {
    /// Goes over a datum; `None`: it is not one of its schema.
    pub(super) fn find<'r>(
        &'r mut self,
        written: &'r Written,
        fields: &'r [Field],
        datum: &'r [u8],
    ) -> Option<Stored<'r>> {
        self.0.clear();
        self.0.resize(fields.len(), Span::NONE);
        let mut reader = Reader::new(datum);
        for step in &written.steps {
            if step.nullable && !reader.branch()? {
                continue;
            }
            let start = reader.at;
            reader.skip(step.reach)?;
            if let Some(at) = step.item {
                self.0[at as usize] = Span { start, end: reader.at };
            }
        }
        reader.is_done().then_some(Stored { datum, written, fields, places: self })
    }
}

impl<'r> Stored<'r> {
    /// The bytes of an item's value: the record's, or the default's.
    fn value(&self, at: usize) -> Option<&'r [u8]> {
        self.places.0[at].of(self.datum).or_else(|| self.default(at))
    }

    fn default(&self, at: usize) -> Option<&'r [u8]> {
        if self.written.lacks[at] { self.fields[at].default.as_deref() } else { None }
    }

    /// The value of an item; null where there is none and no default, `None` where it cannot be read, or must not be null.
    pub fn cell(&self, at: usize) -> Option<Cell<'r>> {
        let field = &self.fields[at];
        let Some(value) = self.value(at) else {
            return field.nullable.then_some(Cell::Null);
        };
        let cell = Reader::new(value).cell(self.written.types[at])?;
        Some(match (cell, field.avro) {
            (Cell::Int(value), AvroType::Float) => Cell::Float(f64::from(value as f32)),
            (Cell::Int(value), AvroType::Double) => Cell::Float(value as f64),
            (Cell::Text(text), AvroType::Bytes) => Cell::Bytes(text.as_bytes()),
            (Cell::Bytes(bytes), AvroType::String) => Cell::Text(std::str::from_utf8(bytes).ok()?),
            (cell, _) => cell,
        })
    }

    /// Writes the value of an item as JSON.
    pub fn print(&self, at: usize, out: &mut Vec<u8>) -> Option<()> {
        let field = &self.fields[at];
        match self.value(at) {
            Some(value) if self.written.types[at] == field.avro => line::put_value(field, value, out),
            _ => {
                line::put_cell(field, &self.cell(at)?, out);
                Some(())
            }
        }
    }

    /// Writes the value of an item as the plan's version has it, with the branch that it has under a grant. Bytes that
    /// are the same in both are copied without being looked at.
    pub fn copy(&self, at: usize, out: &mut Vec<u8>) -> Option<()> {
        let field = &self.fields[at];
        let Some(value) = self.value(at) else {
            return field.nullable.then(|| out.push(NULL));
        };
        if field.nullable {
            out.push(VALUE);
        }
        let written = self.written.types[at];
        let same = written == field.avro || matches!((written, field.avro), (AvroType::Int, AvroType::Long));
        if same {
            out.extend_from_slice(value);
        } else {
            put_as(field.avro, &self.cell(at)?, out);
        }
        Some(())
    }
}
