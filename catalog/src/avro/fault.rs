//! Why a schema is not taken: everything wrong with it that could be told, each with its place.

use crate::error::{Code, Refusal, Text};
use crate::problems::Problems;

/// Faults kept; a hostile text has no end of them.
const MOST: usize = 100;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Like `fields[3].type`; nothing for the whole text.
    pub path: String,
    pub text: Text,
}

/// Why a schema is not taken; at least one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Fault {
    pub(super) fn new(path: String, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { path, text: Text::new(zh, en) }
    }
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        if self.0.len() < MOST {
            self.0.push(fault);
        }
    }

    pub(super) fn none(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }

    /// For an answer: the first in words, all of them with their paths below `within` (a file, a member of a body).
    #[must_use]
    pub fn refusal(self, within: &str) -> Refusal {
        let mut problems = Problems::default();
        for Fault { path, text } in self.0 {
            let dot = if path.is_empty() || path.starts_with('[') || within.is_empty() { "" } else { "." };
            let path = format!("{within}{dot}{path}");
            problems.add(Code::SchemaRejected, path, text.zh, text.en);
        }
        match problems.check() {
            Err(refusal) => refusal,
            Ok(()) => Refusal::new(
                Code::SchemaRejected,
                "模式不被接受,但没有写明原因;请核对模式",
                "the schema is not taken, and nothing says why; check it",
            ),
        }
    }
}
