//! One thing that keeps a reader from what a writer wrote: what, where in each, and in words.

use std::collections::{BTreeSet, HashSet};

use crate::avro::Kind as Avro;
use crate::error::Text;

/// What Java calls `SchemaIncompatibilityType`, and what it answers with an exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    NameMismatch,
    FixedSizeMismatch,
    MissingEnumSymbols,
    ReaderFieldMissingDefaultValue,
    TypeMismatch,
    MissingUnionBranch,
    /// Name and aliases of a reader's field fit more than one field of the writer. Java gives up here.
    AmbiguousField,
    /// The two were too much to compare; they count as incompatible.
    TooComplex,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub kind: Kind,
    /// Where Java sees it: a JSON pointer into the reader (inside the branches of a union from there on).
    pub location: String,
    /// Java's own words.
    pub message: String,
    /// Where it is in the reader, like `address.lines[]`; nothing for the whole.
    pub reader: String,
    /// Where it is in the writer.
    pub writer: String,
    /// What is wrong and what would mend it.
    pub text: Text,
    /// Of a union: why no branch takes it.
    pub because: Vec<Difference>,
}

impl Kind {
    /// Java's word, which registries answer.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NameMismatch => "NAME_MISMATCH",
            Self::FixedSizeMismatch => "FIXED_SIZE_MISMATCH",
            Self::MissingEnumSymbols => "MISSING_ENUM_SYMBOLS",
            Self::ReaderFieldMissingDefaultValue => "READER_FIELD_MISSING_DEFAULT_VALUE",
            Self::TypeMismatch => "TYPE_MISMATCH",
            Self::MissingUnionBranch => "MISSING_UNION_BRANCH",
            Self::AmbiguousField => "AMBIGUOUS_FIELD",
            Self::TooComplex => "TOO_COMPLEX",
        }
    }
}

/// What was found, before it is written out.
#[derive(Debug, Clone)]
pub(super) enum What<'a> {
    Name,
    Size,
    Symbols,
    /// The reader's field.
    Default(&'a str),
    Type,
    /// The writer's.
    Branch(&'a Avro),
    /// The reader's field, the writer's that it fits.
    Ambiguous(&'a str, Vec<&'a str>),
    TooComplex,
}

impl What<'_> {
    pub fn kind(&self) -> Kind {
        match self {
            Self::Name => Kind::NameMismatch,
            Self::Size => Kind::FixedSizeMismatch,
            Self::Symbols => Kind::MissingEnumSymbols,
            Self::Default(_) => Kind::ReaderFieldMissingDefaultValue,
            Self::Type => Kind::TypeMismatch,
            Self::Branch(_) => Kind::MissingUnionBranch,
            Self::Ambiguous(..) => Kind::AmbiguousField,
            Self::TooComplex => Kind::TooComplex,
        }
    }

    /// Java's words, of the two types in question.
    pub fn message(&self, reader: &Avro, writer: &Avro) -> String {
        let word = |kind: &Avro| kind.word().to_uppercase();
        match self {
            Self::Name => format!("expected: {}", full(writer)),
            Self::Size => format!("expected: {}, found: {}", size(writer), size(reader)),
            Self::Symbols => format!("[{}]", missing(reader, writer).join(", ")),
            Self::Default(field) => (*field).to_owned(),
            Self::Type => {
                format!("reader type: {} not compatible with writer type: {}", word(reader), word(writer))
            }
            Self::Branch(branch) => format!("reader union lacking writer type: {}", word(branch)),
            Self::Ambiguous(field, fits) => format!("{field}: {}", fits.join(", ")),
            Self::TooComplex => String::new(),
        }
    }

    pub fn text(&self, reader: &Avro, writer: &Avro) -> Text {
        match self {
            Self::Name => {
                let (own, expected) = (full(reader), full(writer));
                Text::new(
                    format!("类型名“{own}”与写入方的“{expected}”不同;可保留原名,或把原名列为别名"),
                    format!(
                        "the name {own} is not {expected}, as written; keep that name or list it as an alias"
                    ),
                )
            }
            Self::Size => {
                let (found, expected) = (size(reader), size(writer));
                Text::new(
                    format!("定长类型写入 {expected} 字节,读取 {found} 字节;字节数不能改"),
                    format!(
                        "the fixed type has {expected} bytes when written, {found} when read; its size cannot change"
                    ),
                )
            }
            Self::Symbols => {
                let missing = missing(reader, writer);
                Text::new(
                    format!("读取方的枚举缺少 {};可补上,或给枚举类型设默认值", missing.join("、")),
                    format!(
                        "the enum that reads lacks {}; add them, or give the enum a default",
                        missing.join(", ")
                    ),
                )
            }
            Self::Default(field) => Text::new(
                format!("写入方没有字段“{field}”,而读取方的该字段没有默认值;请给它默认值"),
                format!("no field {field} is written, and where it is read it has no default; give it one"),
            ),
            Self::Type => {
                let (own, written) = (reader.word(), writer.word());
                Text::new(
                    format!("写入的是 {written},不能读作 {own}"),
                    format!("{written} is written, which cannot be read as {own}"),
                )
            }
            Self::Branch(branch) => {
                let name = branch.branch();
                Text::new(
                    format!("读取方联合类型的任何分支都读不了写入方的 {name};可保留这一分支"),
                    format!(
                        "no branch of the union that reads takes {name}, which is written; keep that branch"
                    ),
                )
            }
            Self::Ambiguous(field, fits) => {
                let (zh, en) = (fits.join("、"), fits.join(", "));
                Text::new(
                    format!("读取方字段“{field}”的名称和别名对应写入方的多个字段({zh});请去掉多余的别名"),
                    format!(
                        "name and aliases of the field {field} fit several written fields ({en}); drop the aliases too many"
                    ),
                )
            }
            Self::TooComplex => Text::new(
                "模式过于复杂,或同时比较的版本过多,无法在限度内比较,按不兼容处理;请减少联合类型的分支和别名,或改用不逐版比较的兼容级别",
                "the schemas are too complex, or too many versions of them, to be compared within bounds, and count as \
                 incompatible; use fewer branches and aliases, or a level that is not transitive",
            ),
        }
    }
}

fn full(kind: &Avro) -> String {
    kind.branch()
}

fn size(kind: &Avro) -> u32 {
    if let Avro::Fixed(_, size) = kind { *size } else { 0 }
}

/// The writer's symbols that the reader lacks, by name.
fn missing<'w>(reader: &Avro, writer: &'w Avro) -> Vec<&'w str> {
    let (Avro::Enum(_, own), Avro::Enum(_, written)) = (reader, writer) else { return Vec::new() };
    let known: HashSet<_> = own.symbols.iter().collect();
    let missing: BTreeSet<_> = written.symbols.iter().filter(|symbol| !known.contains(symbol)).collect();
    missing.into_iter().map(String::as_str).collect()
}
