//! What may be done with a subject or a context.

use serde::{Deserialize, Serialize};

use super::subject::Subject;
use super::wrong::Wrong;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Mode {
    #[default]
    #[serde(rename = "READWRITE")]
    ReadWrite,
    #[serde(rename = "READONLY")]
    ReadOnly,
    /// Of a context, or of everything: the modes of what is within do not count.
    #[serde(rename = "READONLY_OVERRIDE")]
    ReadOnlyOverride,
    /// Schemas come with the ids and versions they had elsewhere, unchecked.
    Import,
    /// As IMPORT, fed by another registry; of everything at once only.
    Forward,
}

impl Mode {
    pub const ALL: [Self; 5] =
        [Self::ReadWrite, Self::ReadOnly, Self::ReadOnlyOverride, Self::Import, Self::Forward];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadWrite => "READWRITE",
            Self::ReadOnly => "READONLY",
            Self::ReadOnlyOverride => "READONLY_OVERRIDE",
            Self::Import => "IMPORT",
            Self::Forward => "FORWARD",
        }
    }

    /// By its word, in any case.
    pub fn parse(word: &str) -> Result<Self, Wrong> {
        let found = Self::ALL.into_iter().find(|mode| mode.as_str().eq_ignore_ascii_case(word));
        found.ok_or(Wrong::InvalidMode(None))
    }

    #[must_use]
    pub fn imports(self) -> bool {
        matches!(self, Self::Import | Self::Forward)
    }

    /// Whether it may be set there.
    pub fn check_place(self, subject: &Subject) -> Result<(), Wrong> {
        if self == Self::Forward && !(subject.is_context() && subject.context.is_global()) {
            return Err(Wrong::InvalidMode(Some("Forward mode only supported on global level")));
        }
        Ok(())
    }

    /// Whether anything of the subject may change.
    pub fn check_writable(self, subject: &Subject) -> Result<(), Wrong> {
        if matches!(self, Self::ReadOnly | Self::ReadOnlyOverride) {
            return Err(refused(subject, "is in read-only mode"));
        }
        Ok(())
    }

    /// Whether a schema may be registered, with or without an id of its own.
    pub fn check_register(self, subject: &Subject, with_id: bool) -> Result<(), Wrong> {
        self.check_writable(subject)?;
        if with_id && !self.imports() {
            return Err(refused(subject, "is not in import mode"));
        }
        if !with_id && self != Self::ReadWrite {
            return Err(refused(subject, "is not in read-write mode"));
        }
        Ok(())
    }
}

fn refused(subject: &Subject, why: &str) -> Wrong {
    Wrong::NotPermitted(format!("Subject {subject} in context {} {why}", subject.context.prefix()))
}
