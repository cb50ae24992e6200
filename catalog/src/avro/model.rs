//! A schema as it was written: types in one list, each knowing its place in the text. Types name each other by their
//! place in the list, so a type may hold itself and nothing here can be endless.

use super::json::{Json, Members};
use super::logical::Logical;
use super::path::{Step, Trail, Trails};

/// Place of a type in its schema's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub(super) usize);

/// A schema that was taken. Made by [`super::parse`].
#[derive(Debug, Clone)]
pub struct Schema {
    pub(super) types: Vec<Type>,
    pub(super) trails: Trails,
    pub(super) top: Id,
    /// Full names of the schemas that it was read with; they are not written out again.
    pub(super) references: Vec<String>,
}

/// A type at one place of the text.
#[derive(Debug, Clone)]
pub struct Type {
    pub kind: Kind,
    /// Every member that Avro gives no meaning, in order. None on a union.
    pub properties: Members,
    pub(super) trail: Trail,
}

#[derive(Debug, Clone)]
pub enum Kind {
    Primitive(Primitive),
    Array(Id),
    Map(Id),
    Union(Vec<Id>),
    Fixed(Named, u32),
    Enum(Named, Enum),
    Record(Named, Record),
    /// A name that nothing stood for yet; none is left in a schema that was taken.
    Unresolved(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Primitive {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
}

/// What every named type has.
#[derive(Debug, Clone)]
pub struct Named {
    pub name: Name,
    pub doc: Option<String>,
    /// In their order, each once.
    pub aliases: Vec<Name>,
}

/// A name and its namespace; an empty namespace is none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    pub own: String,
    pub space: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Enum {
    pub symbols: Vec<String>,
    pub default: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Record {
    pub fields: Vec<Field>,
    /// Written `"error"`, as protocols do.
    pub error: bool,
}

#[derive(Debug, Clone)]
pub struct Field {
    pub name: String,
    pub kind: Id,
    pub doc: Option<String>,
    pub default: Option<Json>,
    pub order: Order,
    /// In their order, each once.
    pub aliases: Vec<String>,
    pub properties: Members,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Ascending,
    Descending,
    Ignore,
}

impl Schema {
    #[must_use]
    pub fn top(&self) -> Id {
        self.top
    }

    #[must_use]
    pub fn of(&self, id: Id) -> &Type {
        &self.types[id.0]
    }

    #[must_use]
    pub fn kind(&self, id: Id) -> &Kind {
        &self.of(id).kind
    }

    /// What its logical type says, if that is one that Avro knows and that fits the type.
    #[must_use]
    pub fn logical(&self, id: Id) -> Option<Logical> {
        Logical::of(self.of(id))
    }

    /// Where in the text a type is defined, like `fields[3].type[1]`.
    #[must_use]
    pub fn place(&self, id: Id) -> String {
        self.trails.text(self.of(id).trail)
    }

    /// Types in all.
    #[must_use]
    pub fn len(&self) -> usize {
        self.types.len()
    }

    /// Never: a schema has a type at its top.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.types.is_empty()
    }
}

impl Kind {
    /// The types within, in order.
    #[must_use]
    pub fn children(&self) -> Vec<Id> {
        match self {
            Self::Array(of) | Self::Map(of) => vec![*of],
            Self::Union(branches) => branches.clone(),
            Self::Record(_, record) => record.fields.iter().map(|field| field.kind).collect(),
            Self::Primitive(_) | Self::Fixed(..) | Self::Enum(..) | Self::Unresolved(_) => Vec::new(),
        }
    }

    #[must_use]
    pub fn named(&self) -> Option<&Named> {
        match self {
            Self::Fixed(named, _) | Self::Enum(named, _) | Self::Record(named, _) => Some(named),
            _ => None,
        }
    }

    /// Avro's word for the type.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Primitive(primitive) => primitive.word(),
            Self::Array(_) => "array",
            Self::Map(_) => "map",
            Self::Union(_) => "union",
            Self::Fixed(..) => "fixed",
            Self::Enum(..) => "enum",
            Self::Record(..) | Self::Unresolved(_) => "record",
        }
    }

    /// What no two branches of a union share: the full name, or the word for the type.
    #[must_use]
    pub fn branch(&self) -> String {
        self.named().map_or_else(|| self.word().to_owned(), |named| named.name.full())
    }
}

impl Primitive {
    pub const ALL: [Self; 8] = [
        Self::Null,
        Self::Boolean,
        Self::Int,
        Self::Long,
        Self::Float,
        Self::Double,
        Self::Bytes,
        Self::String,
    ];

    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Int => "int",
            Self::Long => "long",
            Self::Float => "float",
            Self::Double => "double",
            Self::Bytes => "bytes",
            Self::String => "string",
        }
    }

    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|primitive| primitive.word() == word)
    }
}

impl Name {
    /// The namespace with the name.
    #[must_use]
    pub fn full(&self) -> String {
        match &self.space {
            Some(space) => format!("{space}.{}", self.own),
            None => self.own.clone(),
        }
    }

    /// As it is written where `space` is the namespace: alone if that is its own, unless it would then mean a type of
    /// Avro's.
    #[must_use]
    pub fn within(&self, space: Option<&str>) -> String {
        let words = ["record", "enum", "array", "map", "union", "fixed"];
        let taken = words.contains(&self.own.as_str()) || Primitive::of(&self.own).is_some();
        if self.space.is_some() && self.space.as_deref() == space && !taken {
            self.own.clone()
        } else {
            self.full()
        }
    }
}

impl Order {
    pub const ALL: [Self; 3] = [Self::Ascending, Self::Descending, Self::Ignore];

    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ascending => "ascending",
            Self::Descending => "descending",
            Self::Ignore => "ignore",
        }
    }
}

impl Trails {
    /// The steps to a member of a type's text.
    pub(super) fn member(&mut self, from: Trail, name: &'static str) -> Trail {
        self.add(from, Step::Member(name))
    }

    pub(super) fn element(&mut self, from: Trail, place: usize) -> Trail {
        self.add(from, Step::Element(place))
    }
}
