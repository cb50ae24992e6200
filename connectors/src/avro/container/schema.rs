//! The schema that a foreign file was written with, as far as its data need it. Types stand in one list, each before
//! those that hold it, so that nothing here can be endless.

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
    String,
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
        scale: u32,
    },
    /// Another of Avro's logical types: no item has it.
    Other(&'static str),
}

/// What is known of a type with all that it holds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shape {
    /// Types below each other, itself included.
    pub height: usize,
    /// Fields of all records in it, those of named types once for each use.
    pub fields: usize,
    /// Its values take no bytes.
    pub empty: bool,
}

#[derive(Debug)]
pub(super) struct Schema {
    pub(super) types: Vec<Type>,
    pub(super) shapes: Vec<Shape>,
    pub top: Id,
}

impl Schema {
    pub fn of(&self, id: Id) -> &Type {
        &self.types[id]
    }

    pub fn is_empty(&self, id: Id) -> bool {
        self.shapes[id].empty
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
            Type::String => "string",
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

    /// A logical type on a type it does not belong to, or one that nobody knows, means nothing (Avro 1.12).
    pub fn of(base: &str, logical: &str) -> Self {
        const OTHERS: [(&str, &str); 9] = [
            ("int", "time-millis"),
            ("long", "time-micros"),
            ("long", "timestamp-nanos"),
            ("long", "local-timestamp-millis"),
            ("long", "local-timestamp-micros"),
            ("long", "local-timestamp-nanos"),
            ("bytes", "big-decimal"),
            ("fixed", "duration"),
            ("fixed", "uuid"),
        ];
        match (base, logical) {
            ("int", "date") => Self::Date,
            ("long", "timestamp-millis") => Self::Millis,
            ("long", "timestamp-micros") => Self::Micros,
            _ => {
                let known = OTHERS.into_iter().find(|other| *other == (base, logical));
                known.map_or(Self::Plain, |(_, name)| Self::Other(name))
            }
        }
    }
}
