//! The settings: built-in default, then the TOML file, then `CHANGTONG_SECTION__KEY`, then flags; later wins. The only
//! reader of the environment. Unknown keys are refused with the nearest known one, and each value remembers where it
//! came from.

mod database;
mod folders;
mod http;
mod limits;
mod log;
mod operations;
mod rules;
mod section;
mod sections;
mod source;
mod telemetry;
mod time;
mod value;

use std::fmt;
use std::path::PathBuf;

pub use sections::{
    Connectors, Data, Database, Http, Kafka, Keys, Limits, Log, Operations, Rules, Settings, Telemetry, Time,
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
    #[error("{} is not TOML: {reason}", path.display())]
    NotToml { path: PathBuf, reason: String },
    #[error("{origin}: there is no setting {found}{}", Nearest(nearest))]
    Unknown { origin: Origin, found: String, nearest: Option<String> },
    #[error("{origin}: {key}: {reason}")]
    Wrong { origin: Origin, key: String, reason: String },
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

/// One variable of the environment; every other module gets its values from the settings.
pub(crate) fn environment_variable(name: &str) -> Option<String> {
    std::env::var_os(name).and_then(|value| value.into_string().ok())
}

#[cfg(test)]
mod tests;
