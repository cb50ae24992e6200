//! The settings: built-in default, then the TOML file, then `CHANGTONG_SECTION__KEY`, then flags; later wins. The only
//! reader of the environment. Unknown keys are refused with the nearest known one, and each value remembers where it
//! came from.

mod database;
mod folders;
mod http;
mod limits;
mod log;
mod operations;
mod registry;
mod rules;
mod section;
mod sections;
mod source;
mod telemetry;
mod time;
mod value;

use std::fmt;
use std::path::PathBuf;

use changtong_catalog::error::Text;

pub use sections::{
    Connectors, Data, Database, Http, Kafka, Keys, Limits, Log, Operations, Registry, Rules, Settings,
    Telemetry, Time,
};
pub use source::{Flag, Loaded, Origin, Sources};
pub use value::{LineFormat, Mechanism, Secret, Setting, Size, Zone};

/// One key that a section knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    pub section: &'static str,
    pub name: &'static str,
    /// What it does, for `changtong doctor` and the commented default.
    pub doc: &'static str,
    /// The built-in value as text; empty for "not set".
    pub default: &'static str,
}

impl Key {
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    #[must_use]
    pub fn variable(&self) -> String {
        format!("CHANGTONG_{}__{}", self.section.to_uppercase(), self.name.to_uppercase())
    }
}

/// Why the settings cannot be used: which key, where it was read, what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    #[error("cannot read {}: {reason}", path.display())]
    Unreadable { path: PathBuf, reason: String },
    #[error("{}: line {line}, column {column}{} is not TOML", path.display(), Within(key))]
    NotToml { path: PathBuf, line: usize, column: usize, key: Option<&'static str> },
    #[error("{origin}: there is no setting {found}{}", Nearest(nearest))]
    Unknown { origin: Origin, found: String, nearest: Option<String> },
    #[error("{origin}: {key}: {reason}")]
    Wrong { origin: Origin, key: String, reason: String },
}

impl SettingsError {
    /// In both languages; what is wrong with a value is said in English.
    #[must_use]
    pub fn text(&self) -> Text {
        let zh = match self {
            Self::Unreadable { path, reason } => format!("无法读取 {}:{reason}", path.display()),
            Self::NotToml { path, line, column, key } => {
                let key = key.map(|key| format!("({key})")).unwrap_or_default();
                format!("{}:第 {line} 行第 {column} 列{key}不是 TOML", path.display())
            }
            Self::Unknown { origin, found, nearest } => {
                let nearest = nearest.as_ref().map(|nearest| format!(";是否应为 {nearest}?"));
                format!("{}:没有 {found} 这项设置{}", origin.zh(), nearest.unwrap_or_default())
            }
            Self::Wrong { origin, key, reason } => {
                format!("{}:{key} 的值不能用:{reason}", origin.zh())
            }
        };
        Text::new(zh, self.to_string())
    }
}

struct Nearest<'a>(&'a Option<String>);

impl fmt::Display for Nearest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(nearest) => write!(f, "; did you mean {nearest}?"),
            None => Ok(()),
        }
    }
}

struct Within<'a>(&'a Option<&'static str>);

impl fmt::Display for Within<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(key) => write!(f, " (at {key})"),
            None => Ok(()),
        }
    }
}

/// One variable of the environment; every other module gets its values from the settings.
pub(crate) fn environment_variable(name: &str) -> Option<String> {
    std::env::var_os(name).and_then(|value| value.into_string().ok())
}

#[cfg(test)]
mod tests;
