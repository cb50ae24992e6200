//! Names of subjects, and the contexts they are in: `orders-value` in the default context, `:.test:orders-value` in
//! another. A context without a subject (`:.test:`) names the context's own settings.

use std::fmt;

use super::wrong::Wrong;

/// Characters of a name with its context.
const LONGEST: usize = 512;

/// A space of ids and subjects: `.`, or `.` and a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Context(String);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    pub context: Context,
    /// Empty: the context itself.
    pub name: String,
}

impl Context {
    const DEFAULT: &'static str = ".";
    const GLOBAL: &'static str = ".__GLOBAL";

    /// From a path such as `/contexts/{context}`: with or without its dot and colons.
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        let bare = text.strip_prefix(':').unwrap_or(text);
        let bare = bare.strip_suffix(':').unwrap_or(bare);
        let name = if bare.starts_with('.') { bare.to_owned() } else { format!(".{bare}") };
        let wrong = name.contains([':', '*']) || name.chars().any(char::is_control) || name.len() > LONGEST;
        if wrong { Err(Wrong::InvalidSubject(text.to_owned())) } else { Ok(Self(name)) }
    }

    /// A context as the store keeps it.
    #[must_use]
    pub fn stored(name: String) -> Self {
        Self(name)
    }

    /// Its settings count wherever a context has none.
    #[must_use]
    pub fn global() -> Self {
        Self(Self::GLOBAL.to_owned())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    #[must_use]
    pub fn is_default(&self) -> bool {
        self.0 == Self::DEFAULT
    }

    #[must_use]
    pub fn is_global(&self) -> bool {
        self.0 == Self::GLOBAL
    }

    /// What stands before the names of its subjects.
    #[must_use]
    pub fn prefix(&self) -> String {
        if self.is_default() { String::new() } else { format!(":{}:", self.0) }
    }

    #[must_use]
    pub fn subject(&self, name: impl Into<String>) -> Subject {
        Subject { context: self.clone(), name: name.into() }
    }

    /// A subject as it is written within this context: one that names its own context, be it the default one
    /// (`:.:orders-value`), is in that.
    #[must_use]
    pub fn qualify(&self, text: &str) -> Subject {
        if text.starts_with(":.") { Subject::read(text) } else { self.subject(text) }
    }
}

impl Default for Context {
    fn default() -> Self {
        Self(Self::DEFAULT.to_owned())
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Subject {
    /// As clients write it. Any text names something, if only something that is not there.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let Some(rest) = text.strip_prefix(":.") else {
            return Self { context: Context::default(), name: text.to_owned() };
        };
        let (context, name) = rest.split_once(':').unwrap_or((rest, ""));
        Self { context: Context(format!(".{context}")), name: name.to_owned() }
    }

    /// Whether something may be registered under it.
    pub fn check(&self) -> Result<(), Wrong> {
        if self.context.is_global() || self.is_context() {
            return Err(self.invalid());
        }
        self.check_setting()
    }

    /// Whether it, or the context it is, may have settings.
    pub fn check_setting(&self) -> Result<(), Wrong> {
        let text = self.to_string();
        let reserved = ["__GLOBAL", "__EMPTY"].contains(&self.name.as_str());
        let within = self.context.is_global() && !self.is_context();
        let marked = self.context.as_str().contains('*') || text.chars().any(char::is_control);
        if reserved || within || marked || text.chars().count() > LONGEST {
            return Err(self.invalid());
        }
        Ok(())
    }

    #[must_use]
    pub fn is_context(&self) -> bool {
        self.name.is_empty()
    }

    fn invalid(&self) -> Wrong {
        Wrong::InvalidSubject(self.to_string())
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.context.prefix(), self.name)
    }
}

/// Which version of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionId {
    Latest,
    Number(i32),
}

impl VersionId {
    /// From a path: 1 and up, `latest`, or -1, which means the same.
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        if text.eq_ignore_ascii_case("latest") {
            return Ok(Self::Latest);
        }
        match text.parse() {
            Ok(-1) => Ok(Self::Latest),
            Ok(number) if number >= 1 => Ok(Self::Number(number)),
            _ => Err(Wrong::InvalidVersion(text.to_owned())),
        }
    }

    /// As messages say it.
    #[must_use]
    pub fn number(self) -> i32 {
        match self {
            Self::Latest => -1,
            Self::Number(number) => number,
        }
    }
}

/// What a list has of deleted ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Deleted {
    #[default]
    Without,
    With,
    Only,
    /// Versions that are deleted count, with a minus sign.
    Negative,
}

impl Deleted {
    #[must_use]
    pub fn takes(self, deleted: bool) -> bool {
        match self {
            Self::Without => !deleted,
            Self::With | Self::Negative => true,
            Self::Only => deleted,
        }
    }
}

/// Which subjects a list is of, by the beginning of their names: `:*:` before it means in any context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix {
    /// `None`: any.
    pub context: Option<Context>,
    pub name: String,
}

impl Prefix {
    #[must_use]
    pub fn read(text: &str) -> Self {
        match text.strip_prefix(":*:") {
            Some(name) => Self { context: None, name: name.to_owned() },
            None => {
                let Subject { context, name } = Subject::read(text);
                Self { context: Some(context), name }
            }
        }
    }

    #[must_use]
    pub fn fits(&self, subject: &Subject) -> bool {
        self.context.as_ref().is_none_or(|context| *context == subject.context)
            && subject.name.starts_with(&self.name)
    }
}
