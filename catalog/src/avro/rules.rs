//! How a schema is read: what may be in it, and how much of it.

/// Bytes of a schema's text.
pub const MOST_BYTES: usize = crate::schema::MOST_BYTES;
/// Types below each other; where types may not hold themselves, those that are only named count too.
pub const MOST_DEPTH: usize = 32;
/// Fields of all records; where types may not hold themselves, those of a named type at each of its uses.
pub const MOST_FIELDS: usize = 2000;
/// Records, enums and fixed types.
pub const MOST_NAMED: usize = 2000;
/// Branches of one union.
pub const MOST_BRANCHES: usize = 256;
/// Bytes of a full name, an alias or the name of a field.
pub const MOST_NAME: usize = 512;
/// Aliases of one type or field.
pub const MOST_ALIASES: usize = 256;
/// Symbols of one enum.
pub const MOST_SYMBOLS: usize = 10_000;

/// Steps taken to judge whether the defaults of a text, and of those it refers to, fit their types.
pub const MOST_QUESTIONS: usize = 300_000;
/// Steps taken to find what the names in a text, and in those it refers to, stand for.
pub const MOST_STEPS: usize = 1_000_000;

/// What a schema is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Whether a type may hold itself.
    pub recursion: bool,
    /// Whether names must be Avro's (ASCII letters, digits, `_`).
    pub names: bool,
    /// Whether a default must fit its type.
    pub defaults: bool,
}

impl Rules {
    /// A new version of a subject that belongs to no resource.
    pub const FREE: Self = Self { recursion: true, names: true, defaults: true };
    /// A schema of a resource: it ends somewhere.
    pub const RESOURCE: Self = Self { recursion: false, ..Self::FREE };
    /// One that a registry took before: what it then let pass stays readable.
    pub const STORED: Self = Self { recursion: true, names: false, defaults: false };
    /// The schema inside a file, which says how its data lie: defaults do not matter.
    pub const FILE: Self = Self { recursion: false, names: true, defaults: false };
}
