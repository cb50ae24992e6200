//! The items that an Avro text means: what the text says, and for the rest what the items of that name are now. It is
//! how a schema that a client registers becomes a proposal (registry-api.md; `evolution`).

use serde_json::Value;

use super::read::items_of;
use crate::avro::{self, Rules};
use crate::error::{Code, Refusal};
use crate::problems::Problems;
use crate::resource::default::from_schema;
use crate::resource::{AvroType, Item, ItemType};

/// `items` are those in force. What a schema cannot say of an item (type letter, length, mask) it keeps; title, grade,
/// unit and allowed values it keeps where the text does not say them. An item that comes under another name, with the
/// earlier one as an alias, is the same.
pub fn adopt(text: &str, items: &[Item]) -> Result<Vec<Item>, Refusal> {
    let read = avro::parse(text, Rules::RESOURCE).map_err(|faults| faults.refusal("schema"))?;
    let schema: Value = serde_json::from_str(&read.canonical()).map_err(|_| not_ours())?;
    let said = items_of(&schema).ok_or_else(not_ours)?;
    let fields = schema.get("fields").and_then(Value::as_array).ok_or_else(not_ours)?;
    let mut problems = Problems::default();
    let mut adopted = Vec::with_capacity(said.len());
    for ((place, said), field) in said.into_iter().enumerate().zip(fields) {
        let aliases = texts(field, "aliases").unwrap_or_default();
        let gone = |alias: &&String| !fields.iter().any(|field| field["name"] == **alias);
        let mut names = std::iter::once(&said.name).chain(aliases.iter().filter(gone));
        let known = names.find_map(|name| items.iter().find(|item| item.name == *name));
        let same = known.filter(|item| item.avro() == said.avro);
        let base = same.cloned().unwrap_or_else(|| new(&said.name, said.avro, known));
        let word = |name: &str| field.get(name).and_then(Value::as_str).map(str::to_owned);
        let grade = field.get("grade").and_then(Value::as_u64).and_then(|grade| grade.try_into().ok());
        if known.is_none() && grade.is_none() {
            problems.add(
                Code::SchemaRejected,
                format!("schema.fields[{place}]"),
                "新增的信息项须写明分级:字段属性 grade,1 至 4",
                "an added item says its grade: the property grade of its field, 1 to 4",
            );
        }
        let default = default(said.avro, field);
        if default == Some(None) {
            problems.add(
                Code::SchemaRejected,
                format!("schema.fields[{place}].default"),
                "默认值不是该信息项能有的值",
                "the default is no value that the item can have",
            );
        }
        let before = base.default_value();
        let mut item = Item {
            name: said.name,
            nullable: said.nullable,
            title: word("title")
                .or_else(|| known.is_none().then(|| word("doc"))?)
                .unwrap_or(base.title.clone()),
            grade: grade.unwrap_or(base.grade),
            unit: word("unit").or(base.unit.clone()),
            values: texts(field, "values").unwrap_or(base.values.clone()),
            // Avro's own words: what the text does not say is not so.
            aliases,
            default: default.flatten(),
            ..base.clone()
        };
        // The same value stays as the file has it.
        if item.default_value() == before {
            item.default = base.default;
        }
        adopted.push(item);
    }
    problems.check()?;
    Ok(adopted)
}

/// As a file says it; `Some(None)`: it is said, and no value of such an item.
fn default(avro: AvroType, field: &Value) -> Option<Option<Value>> {
    field.get("default").filter(|said| !said.is_null()).map(|said| from_schema(avro, said))
}

fn texts(field: &Value, member: &str) -> Option<Vec<String>> {
    let list = field.get(member)?.as_array()?;
    list.iter().map(|value| value.as_str().map(str::to_owned)).collect()
}

/// An item of another type than the one known by its name, if any: what protects that one stays.
fn new(name: &str, avro: AvroType, known: Option<&Item>) -> Item {
    let (precision, scale) = match avro {
        AvroType::Decimal { precision, scale } => (Some(precision), Some(scale)),
        _ => (None, None),
    };
    Item {
        name: name.to_owned(),
        title: known.map_or_else(|| name.to_owned(), |item| item.title.clone()),
        kind: letter(avro),
        nullable: false,
        grade: known.map_or(1, |item| item.grade),
        length: (avro == AvroType::Int).then_some(9),
        precision,
        scale,
        values: Vec::new(),
        unit: known.and_then(|item| item.unit.clone()),
        mask: known.and_then(|item| item.mask),
        default: None,
        aliases: Vec::new(),
    }
}

/// The plainest letter whose items have that type.
fn letter(avro: AvroType) -> ItemType {
    match avro {
        AvroType::String => ItemType::C,
        AvroType::Int | AvroType::Long => ItemType::I,
        AvroType::Float => ItemType::F,
        AvroType::Double => ItemType::B,
        AvroType::Boolean => ItemType::L,
        AvroType::Bytes => ItemType::G,
        AvroType::Decimal { .. } => ItemType::N,
        AvroType::Date => ItemType::D,
        AvroType::TimestampMillis => ItemType::T,
    }
}

fn not_ours() -> Refusal {
    Refusal::new(
        Code::SchemaRejected,
        "schema:资源的模式是一个记录,字段为 string、int、long、float、double、boolean、bytes、decimal、date、timestamp-millis \
         之一,或其与 null 的联合(null 在前)",
        "schema: a resource's schema is one record whose fields are string, int, long, float, double, boolean, bytes, \
         decimal, date, timestamp-millis, or a union of null with one of these, null first",
    )
    .with("path", "schema")
}
