//! Over a value that nobody reads. Each step takes at least one byte or ends below one that does, and types are nested
//! at most as deep as the schema may be, so neither time nor stack depends on what the bytes say.

use super::cursor::{Broken, Cursor};
use super::schema::{Id, Schema, Type};

pub(super) fn skip(schema: &Schema, id: Id, cursor: &mut Cursor<'_>) -> Result<(), Broken> {
    match schema.of(id) {
        Type::Null => Ok(()),
        Type::Boolean => cursor.take(1).map(drop),
        Type::Int(_) | Type::Long(_) | Type::Enum(_) => cursor.long().map(drop),
        Type::Float => cursor.take(4).map(drop),
        Type::Double => cursor.take(8).map(drop),
        Type::Bytes(_) | Type::String(_) => cursor.counted().map(drop),
        Type::Fixed(size, _) => cursor.take(*size).map(drop),
        Type::Record(record) => record.walked.iter().try_for_each(|id| skip(schema, *id, cursor)),
        Type::Union(branches) => {
            let branch = cursor.branch(branches.len())?;
            skip(schema, branches[branch], cursor)
        }
        Type::Array(items) => elements(schema, *items, cursor),
        Type::Map(values) => entries(schema, *values, cursor),
    }
}

fn elements(schema: &Schema, items: Id, cursor: &mut Cursor<'_>) -> Result<(), Broken> {
    while let Some(block) = cursor.elements()? {
        if schema.is_empty(items) {
            cursor.pass_empty(&block)?;
        } else {
            cursor.each_has_bytes(&block)?;
            for _ in 0..block.count {
                skip(schema, items, cursor)?;
            }
        }
        cursor.ends(&block)?;
    }
    Ok(())
}

fn entries(schema: &Schema, values: Id, cursor: &mut Cursor<'_>) -> Result<(), Broken> {
    while let Some(block) = cursor.elements()? {
        cursor.each_has_bytes(&block)?;
        for _ in 0..block.count {
            cursor.counted()?;
            skip(schema, values, cursor)?;
        }
        cursor.ends(&block)?;
    }
    Ok(())
}
