//! What a datum takes as a tree of values, told by a walk over its bytes before the tree is built: nulls take no bytes, and
//! a field's name stands in every record, so that few bytes may ask for gigabytes.

use super::super::cursor::{Broken, Cursor};
use super::super::schema::{Id, Schema, Type};

/// Bytes of one tree.
pub(super) const MOST: usize = 64 << 20;
/// Of a value itself, whatever it holds.
const EACH: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    Broken(Broken),
    Heavy,
}

impl From<Broken> for Unfit {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// Bytes of the datum at the beginning of these, whose tree is no larger than one may be.
pub(super) fn weigh(schema: &Schema, bytes: &[u8]) -> Result<usize, Unfit> {
    let mut cursor = Cursor::new(bytes);
    Scale { schema, left: MOST }.value(schema.top, &mut cursor)?;
    Ok(cursor.at)
}

struct Scale<'s> {
    schema: &'s Schema,
    left: usize,
}

impl Scale<'_> {
    fn put(&mut self, bytes: usize) -> Result<(), Unfit> {
        self.left = self.left.checked_sub(bytes).ok_or(Unfit::Heavy)?;
        Ok(())
    }

    /// Calls go as deep as the schema is nested, which holds itself nowhere.
    fn value(&mut self, id: Id, cursor: &mut Cursor<'_>) -> Result<(), Unfit> {
        self.put(EACH)?;
        match self.schema.of(id) {
            Type::Null => Ok(()),
            Type::Boolean => Ok(cursor.take(1).map(drop)?),
            Type::Int(_) | Type::Long(_) => Ok(cursor.long().map(drop)?),
            Type::Float => Ok(cursor.take(4).map(drop)?),
            Type::Double => Ok(cursor.take(8).map(drop)?),
            Type::Bytes(_) | Type::String(_) => self.put(cursor.counted()?.len()),
            Type::Fixed(size, _) => self.put(cursor.take(*size)?.len()),
            Type::Enum(symbols) => {
                let symbol = usize::try_from(cursor.long()?).ok().and_then(|at| symbols.get(at));
                self.put(symbol.map_or(0, String::len))
            }
            Type::Union(branches) => {
                let branch = cursor.branch(branches.len())?;
                self.value(branches[branch], cursor)
            }
            Type::Record(record) => record.fields.iter().try_for_each(|(name, id)| {
                self.put(name.len())?;
                self.value(*id, cursor)
            }),
            Type::Array(items) => self.items(*items, cursor),
            Type::Map(values) => self.entries(*values, cursor),
        }
    }

    fn items(&mut self, items: Id, cursor: &mut Cursor<'_>) -> Result<(), Unfit> {
        while let Some(block) = cursor.elements()? {
            if self.schema.is_empty(items) {
                cursor.pass_empty(&block)?;
            } else {
                cursor.each_has_bytes(&block)?;
            }
            for _ in 0..block.count {
                self.value(items, cursor)?;
            }
            cursor.ends(&block)?;
        }
        Ok(())
    }

    fn entries(&mut self, values: Id, cursor: &mut Cursor<'_>) -> Result<(), Unfit> {
        while let Some(block) = cursor.elements()? {
            cursor.each_has_bytes(&block)?;
            for _ in 0..block.count {
                self.put(EACH + cursor.counted()?.len())?;
                self.value(values, cursor)?;
            }
            cursor.ends(&block)?;
        }
        Ok(())
    }
}
