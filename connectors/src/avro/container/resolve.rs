//! A file's schema against the resource's (Avro 1.12, "Schema Resolution"): fields by name or alias, promotions, branches of
//! unions, what is missing its default, or null where it may be. Decided once for a file, so that a record is one pass over steps.
//! Names of records are not compared: a file of another origin never has ours.

use changtong_catalog::error::Refusal;
use changtong_catalog::resource::AvroType;

use super::super::plan::{Field, Names, Plan};
use super::schema::{Id, Meaning, Record, Schema, Type, rejected};

/// How a written value is read.
#[derive(Debug, PartialEq)]
pub(super) enum How {
    Null,
    Boolean,
    Int,
    Long,
    /// A timestamp in microseconds, taken if it is one of milliseconds.
    Micros,
    Float,
    Double,
    Text,
    Bytes,
    Decimal,
    /// A decimal of this many bytes.
    FixedDecimal(u64),
    Union(Vec<How>),
    /// A branch that the item cannot hold.
    Misfit(Id),
}

#[derive(Debug)]
pub(super) enum Step {
    /// Of no item of the resource.
    Skip(Id),
    Item {
        at: usize,
        how: How,
    },
    /// The file has no such item.
    Default(usize),
}

/// What a record of the file is read by.
#[derive(Debug)]
pub(super) enum Reading {
    Record(Vec<Step>),
    /// Each record is a branch; `Err` one that is not the resource's record.
    Union(Vec<Result<Vec<Step>, Id>>),
}

pub(super) fn resolve(schema: &Schema, plan: &Plan) -> Result<Reading, Refusal> {
    let names = Names::of(&plan.fields);
    match schema.of(schema.top) {
        Type::Record(written) => record(schema, written, plan, &names).map(Reading::Record),
        Type::Union(branches) => {
            let mut refusal = branches.is_empty().then(no_record);
            let mut readings = Vec::with_capacity(branches.len());
            for id in branches {
                let read = match schema.of(*id) {
                    Type::Record(written) => record(schema, written, plan, &names),
                    _ => Err(no_record()),
                };
                readings.push(read.map_err(|why| {
                    refusal.get_or_insert(why);
                    *id
                }));
            }
            match refusal {
                Some(refusal) if readings.iter().all(Result::is_err) => Err(refusal),
                _ => Ok(Reading::Union(readings)),
            }
        }
        _ => Err(no_record()),
    }
}

fn record(schema: &Schema, written: &Record, plan: &Plan, names: &Names<'_>) -> Result<Vec<Step>, Refusal> {
    let mut steps = Vec::with_capacity(written.fields.len());
    let mut seen = vec![false; plan.fields.len()];
    for (name, id) in &written.fields {
        match names.find(name) {
            Some(at) => {
                let field = &plan.fields[at];
                if std::mem::replace(&mut seen[at], true) {
                    return Err(twice(field));
                }
                let how = how(schema, *id, field).ok_or_else(|| unreadable(field, schema.name(*id)))?;
                steps.push(Step::Item { at, how });
            }
            None if schema.is_empty(*id) => {}
            None => steps.push(Step::Skip(*id)),
        }
    }
    for (at, field) in plan.fields.iter().enumerate().filter(|(at, _)| !seen[*at]) {
        match &field.default {
            Some(_) => steps.push(Step::Default(at)),
            None if field.nullable => {}
            None => return Err(missing(field)),
        }
    }
    Ok(steps)
}

fn how(schema: &Schema, id: Id, field: &Field) -> Option<How> {
    use Meaning::{Date, Decimal, Micros, Millis, Plain};
    let found = match (schema.of(id), field.avro) {
        (Type::Union(branches), _) => {
            let hows: Vec<_> =
                branches.iter().map(|id| how(schema, *id, field).unwrap_or(How::Misfit(*id))).collect();
            return hows.iter().any(|how| !matches!(how, How::Misfit(_))).then_some(How::Union(hows));
        }
        (Type::Null, _) if field.nullable => How::Null,
        (Type::Boolean, AvroType::Boolean) => How::Boolean,
        // Where the item is a plain number, what the written one meant is not looked at.
        (Type::Int(_), AvroType::Int | AvroType::Long | AvroType::Float | AvroType::Double)
        | (Type::Int(Plain | Date), AvroType::Date)
        | (Type::Int(Plain), AvroType::TimestampMillis) => How::Int,
        (Type::Long(_), AvroType::Long | AvroType::Float | AvroType::Double)
        | (Type::Long(Plain | Millis), AvroType::TimestampMillis) => How::Long,
        (Type::Long(Micros), AvroType::TimestampMillis) => How::Micros,
        (Type::Float, AvroType::Float | AvroType::Double) => How::Float,
        (Type::Double, AvroType::Double) => How::Double,
        (Type::String(_), AvroType::String) | (Type::Bytes(Plain), AvroType::String) => How::Text,
        (Type::String(_) | Type::Bytes(_), AvroType::Bytes) => How::Bytes,
        // Bytes without their scale are no number, and another scale is another number.
        (Type::Bytes(Decimal { scale, .. }), AvroType::Decimal { scale: ours, .. }) if *scale == ours => {
            How::Decimal
        }
        (Type::Fixed(size, Decimal { scale, .. }), AvroType::Decimal { scale: ours, .. })
            if *scale == ours =>
        {
            How::FixedDecimal(*size)
        }
        _ => return None,
    };
    Some(found)
}

/// The item's type for messages.
pub(super) fn wanted(field: &Field) -> &'static str {
    match field.avro {
        AvroType::String => "string",
        AvroType::Int => "int",
        AvroType::Long => "long",
        AvroType::Float => "float",
        AvroType::Double => "double",
        AvroType::Boolean => "boolean",
        AvroType::Bytes => "bytes",
        AvroType::Decimal { .. } => "decimal",
        AvroType::Date => "date",
        AvroType::TimestampMillis => "timestamp-millis",
    }
}

fn unreadable(field: &Field, found: &str) -> Refusal {
    let wanted = match field.avro {
        AvroType::Decimal { scale, .. } => format!("decimal, scale {scale}"),
        _ => wanted(field).to_owned(),
    };
    rejected(
        field.name(),
        &format!("{found} 不能读作信息项的类型 {wanted}"),
        &format!("{found} cannot be read as the item's {wanted}"),
    )
}

fn missing(field: &Field) -> Refusal {
    rejected(field.name(), "没有资源必填的信息项", "it has no field for an item that the resource requires")
}

fn twice(field: &Field) -> Refusal {
    rejected(
        field.name(),
        "有多个字段以名称或别名对应同一信息项",
        "several of its fields are the same item, by its name and its aliases",
    )
}

fn no_record() -> Refusal {
    rejected("", "最外层应为 record", "its outermost type must be a record")
}
