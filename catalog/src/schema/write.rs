//! The text of a record schema, in Java's order of members.

use super::Field;
use crate::audit::jcs::quote;
use crate::avro::json::Json;
use crate::resource::AvroType;

/// How much of an item a field shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// With aliases; title, grade, unit and allowed values as properties.
    Full,
    /// Name and type.
    Bare,
}

pub(super) fn record(namespace: &str, name: &str, fields: &[Field<'_>], detail: Detail) -> String {
    let fields: Vec<_> = fields.iter().map(|field| one(field, detail)).collect();
    format!(
        r#"{{"type":"record","name":{},"namespace":{},"fields":[{}]}}"#,
        quote(name),
        quote(namespace),
        fields.join(",")
    )
}

fn one(field: &Field<'_>, detail: Detail) -> String {
    let mut text = format!(r#"{{"name":{},"type":"#, quote(&field.item.name));
    if field.nullable {
        text.push_str(&format!(r#"["null",{}]"#, avro(field.item.avro())));
    } else {
        text.push_str(&avro(field.item.avro()));
    }
    let default = if detail == Detail::Full { field.default() } else { Json::Null };
    if field.nullable || default != Json::Null {
        text.push_str(&format!(r#","default":{default}"#));
    }
    if detail == Detail::Full {
        if !field.item.aliases.is_empty() {
            let aliases: Vec<_> = field.item.aliases.iter().map(|alias| quote(alias)).collect();
            text.push_str(&format!(r#","aliases":[{}]"#, aliases.join(",")));
        }
        text.push_str(&format!(r#","title":{},"grade":{}"#, quote(&field.item.title), field.item.grade));
        if let Some(unit) = &field.item.unit {
            text.push_str(&format!(r#","unit":{}"#, quote(unit)));
        }
        if !field.values().is_empty() {
            // On the field: on a type Avro takes "values" for a word of its own and drops it.
            let values: Vec<_> = field.values().iter().map(|value| quote(value)).collect();
            text.push_str(&format!(r#","values":[{}]"#, values.join(",")));
        }
    }
    text.push('}');
    text
}

fn avro(kind: AvroType) -> String {
    let plain = match kind {
        AvroType::String => r#""string""#,
        AvroType::Decimal { precision, scale } => {
            return format!(
                r#"{{"type":"bytes","logicalType":"decimal","precision":{precision},"scale":{scale}}}"#
            );
        }
        AvroType::Int => r#""int""#,
        AvroType::Long => r#""long""#,
        AvroType::Float => r#""float""#,
        AvroType::Double => r#""double""#,
        AvroType::Boolean => r#""boolean""#,
        AvroType::Bytes => r#""bytes""#,
        AvroType::Date => r#"{"type":"int","logicalType":"date"}"#,
        AvroType::TimestampMillis => r#"{"type":"long","logicalType":"timestamp-millis"}"#,
    };
    plain.to_owned()
}
