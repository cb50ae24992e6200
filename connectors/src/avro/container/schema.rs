//! The schema that a foreign file was written with, read by the catalog's parser and kept as far as its data need it.
//! Types stand in one list, each before those that hold it, so that nothing here can be endless.

use std::collections::HashMap;

use changtong_catalog::avro::{self, Kind, Logical, Primitive, Rules};
use changtong_catalog::error::{Code, Refusal, Text};

/// Place of a type in the list.
pub(super) type Id = usize;

#[derive(Debug)]
pub(super) enum Type {
    Null,
    Boolean,
    Int(Meaning),
    Long(Meaning),
    Float,
    Double,
    Bytes(Meaning),
    String(Meaning),
    Fixed(u64, Meaning),
    Enum(Vec<String>),
    Array(Id),
    Map(Id),
    Union(Vec<Id>),
    Record(Record),
}

#[derive(Debug)]
pub(super) struct Record {
    pub fields: Vec<(String, Id)>,
    /// Types of the fields that take bytes: a field of no bytes costs no step, however many elements have it.
    pub walked: Vec<Id>,
}

/// What a logical type says of a number or of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Plain,
    Date,
    Millis,
    Micros,
    Decimal {
        precision: u32,
        scale: u32,
    },
    /// Another of Avro's logical types: no item has it.
    Other(&'static str),
}

#[derive(Debug)]
pub(super) struct Schema {
    types: Vec<Type>,
    /// Of each type whether its values take no bytes.
    empty: Vec<bool>,
    pub top: Id,
}

impl Schema {
    /// Reads a schema's text within the limits of the catalog; a type that holds itself is refused.
    pub fn read(text: &[u8]) -> Result<Self, Refusal> {
        let text =
            std::str::from_utf8(text).map_err(|_| rejected("", "不是 UTF-8 文本", "it is no UTF-8 text"))?;
        let parsed = avro::parse(text, Rules::FILE).map_err(|faults| {
            let refusal = faults.refusal("");
            // The whole text has no path.
            let (zh, en) =
                (refusal.text.zh.trim_start_matches(':'), refusal.text.en.trim_start_matches(": "));
            Refusal { text: not_taken(zh, en), ..refusal }
        })?;
        let mut made =
            Making { parsed: &parsed, known: HashMap::new(), types: Vec::new(), empty: Vec::new() };
        let top = made.any(parsed.top());
        Ok(Self { types: made.types, empty: made.empty, top })
    }

    pub fn of(&self, id: Id) -> &Type {
        &self.types[id]
    }

    pub fn is_empty(&self, id: Id) -> bool {
        self.empty[id]
    }

    /// The type's name for messages.
    pub fn name(&self, id: Id) -> &'static str {
        match self.of(id) {
            Type::Null => "null",
            Type::Boolean => "boolean",
            Type::Int(meaning) => meaning.name("int"),
            Type::Long(meaning) => meaning.name("long"),
            Type::Float => "float",
            Type::Double => "double",
            Type::Bytes(meaning) => meaning.name("bytes"),
            Type::String(_) => "string",
            Type::Fixed(_, meaning) => meaning.name("fixed"),
            Type::Enum(_) => "enum",
            Type::Array(_) => "array",
            Type::Map(_) => "map",
            Type::Union(_) => "union",
            Type::Record(_) => "record",
        }
    }
}

impl Meaning {
    fn of(logical: Option<Logical>) -> Self {
        match logical {
            None => Self::Plain,
            Some(Logical::Date) => Self::Date,
            Some(Logical::TimestampMillis) => Self::Millis,
            Some(Logical::TimestampMicros) => Self::Micros,
            Some(Logical::Decimal { precision, scale }) => Self::Decimal { precision, scale },
            Some(other) => Self::Other(other.word()),
        }
    }

    fn name(self, plain: &'static str) -> &'static str {
        match self {
            Self::Plain => plain,
            Self::Date => "date",
            Self::Millis => "timestamp-millis",
            Self::Micros => "timestamp-micros",
            Self::Decimal { .. } => "decimal",
            Self::Other(name) => name,
        }
    }
}

struct Making<'s> {
    parsed: &'s avro::Schema,
    /// Types that were made: what is named twice is one type.
    known: HashMap<avro::Id, Id>,
    types: Vec<Type>,
    empty: Vec<bool>,
}

impl Making<'_> {
    /// Calls go as deep as types may be nested, named ones included: nothing in a file's schema holds itself.
    fn any(&mut self, id: avro::Id) -> Id {
        if let Some(known) = self.known.get(&id) {
            return *known;
        }
        let meaning = Meaning::of(self.parsed.logical(id));
        let parsed = self.parsed;
        let made = match parsed.kind(id) {
            Kind::Primitive(primitive) => of_primitive(*primitive, meaning),
            Kind::Array(items) => Type::Array(self.any(*items)),
            Kind::Map(values) => Type::Map(self.any(*values)),
            Kind::Union(branches) => Type::Union(branches.iter().map(|branch| self.any(*branch)).collect()),
            Kind::Fixed(_, size) => Type::Fixed(u64::from(*size), meaning),
            Kind::Enum(_, list) => Type::Enum(list.symbols.clone()),
            Kind::Record(_, record) => {
                let fields: Vec<_> =
                    record.fields.iter().map(|field| (field.name.clone(), self.any(field.kind))).collect();
                let walked = fields.iter().map(|(_, id)| *id).filter(|id| !self.empty[*id]).collect();
                Type::Record(Record { fields, walked })
            }
            // None is left in a schema that was taken.
            Kind::Unresolved(_) => Type::Null,
        };
        self.empty.push(match &made {
            Type::Null | Type::Fixed(0, _) => true,
            Type::Record(record) => record.walked.is_empty(),
            _ => false,
        });
        self.types.push(made);
        self.known.insert(id, self.types.len() - 1);
        self.types.len() - 1
    }
}

fn of_primitive(primitive: Primitive, meaning: Meaning) -> Type {
    match primitive {
        Primitive::Null => Type::Null,
        Primitive::Boolean => Type::Boolean,
        Primitive::Int => Type::Int(meaning),
        Primitive::Long => Type::Long(meaning),
        Primitive::Float => Type::Float,
        Primitive::Double => Type::Double,
        Primitive::Bytes => Type::Bytes(meaning),
        Primitive::String => Type::String(meaning),
    }
}

pub(super) fn rejected(path: &str, zh: &str, en: &str) -> Refusal {
    let Text { zh, en } = not_taken(zh, en);
    Refusal::new(Code::SchemaRejected, zh, en).with("path", path)
}

fn not_taken(zh: &str, en: &str) -> Text {
    Text::new(format!("文件的模式不被接受:{zh}"), format!("the file's schema is not taken: {en}"))
}
