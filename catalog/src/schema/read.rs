//! The items of a value or derived schema, read back from its text: what `write` wrote, and nothing else.

use serde_json::Value;

use crate::resource::AvroType;

/// An item as a schema has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    pub name: String,
    pub avro: AvroType,
    pub nullable: bool,
}

/// `None`: not a schema of ours.
#[must_use]
pub fn items_of(schema: &Value) -> Option<Vec<Read>> {
    schema.get("fields")?.as_array()?.iter().map(item).collect()
}

fn item(field: &Value) -> Option<Read> {
    let name = field.get("name")?.as_str()?.to_owned();
    let (kind, nullable) = match field.get("type")? {
        Value::Array(union) => match &union[..] {
            [Value::String(null), kind] if null == "null" => (kind, true),
            _ => return None,
        },
        kind => (kind, false),
    };
    Some(Read { name, avro: avro(kind)?, nullable })
}

fn avro(kind: &Value) -> Option<AvroType> {
    let word = |member: &str| kind.get(member).and_then(Value::as_str);
    let number = |member: &str| kind.get(member)?.as_u64()?.try_into().ok();
    let logical = word("logicalType");
    Some(match (kind.as_str().or_else(|| word("type"))?, logical) {
        ("string", None) => AvroType::String,
        ("int", None) => AvroType::Int,
        ("int", Some("date")) => AvroType::Date,
        ("long", None) => AvroType::Long,
        ("long", Some("timestamp-millis")) => AvroType::TimestampMillis,
        ("float", None) => AvroType::Float,
        ("double", None) => AvroType::Double,
        ("boolean", None) => AvroType::Boolean,
        ("bytes", None) => AvroType::Bytes,
        ("bytes", Some("decimal")) => {
            AvroType::Decimal { precision: number("precision")?, scale: number("scale")? }
        }
        _ => return None,
    })
}
