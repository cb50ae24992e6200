//! A schema as a client sends it: to register it, to look it up, or to ask whether it is compatible.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::content::{Beside, Metadata, Reference, or_default};
use super::rules::RuleSet;
use super::subject::{Context, Subject};
use super::wrong::Wrong;
use crate::avro::{self, Faults, Rules, Schema};
use crate::ids::SchemaId;

/// The one type of schema there is.
pub const AVRO: &str = "AVRO";

/// The most schemas that one refers to, by whatever way.
pub const MOST_REFERENCES: usize = 100;
/// Bytes of all of their texts.
pub const MOST_REFERENCED_BYTES: usize = 1024 * 1024;

/// The body of a request; what is unknown in it is passed over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Candidate {
    #[serde(deserialize_with = "or_default")]
    pub schema: String,
    pub schema_type: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub references: Vec<Reference>,
    pub metadata: Option<Metadata>,
    pub rule_set: Option<RuleSet>,
    /// Of another registry; taken in IMPORT mode only.
    pub id: Option<i32>,
    pub version: Option<i32>,
}

impl Candidate {
    /// What can be said of it before anything is read.
    pub fn check(&self) -> Result<(), Wrong> {
        if let Some(kind) = self.schema_type.as_deref().filter(|kind| *kind != AVRO) {
            return Err(Wrong::InvalidSchema(format!(
                "Invalid schema type {kind}: this registry takes AVRO only"
            )));
        }
        if self.schema.len() > avro::MOST_BYTES || self.references.len() > MOST_REFERENCES {
            return Err(Wrong::TooLarge);
        }
        self.beside().check_size()?;
        self.rule_set.as_ref().map_or(Ok(()), RuleSet::check).map_err(Wrong::InvalidRules)
    }

    #[must_use]
    pub fn has_text(&self) -> bool {
        !self.schema.trim().is_empty()
    }

    /// The id it comes with; clients write -1 for none.
    #[must_use]
    pub fn given_id(&self) -> Option<i32> {
        self.id.filter(|id| *id >= 0)
    }

    /// The version it comes with; clients write 0 or -1 for none.
    #[must_use]
    pub fn given_version(&self) -> Option<i32> {
        self.version.filter(|version| *version > 0)
    }

    /// Whether a version that stands has the numbers it comes with, if it comes with any.
    #[must_use]
    pub fn comes_as(&self, id: SchemaId, version: i32) -> bool {
        self.given_id().is_none_or(|given| given == id.0)
            && self.given_version().is_none_or(|given| given == version)
    }

    /// Whether it is meant to be the latest version, whichever that is.
    #[must_use]
    pub fn is_latest(&self) -> bool {
        self.version == Some(-1)
    }

    #[must_use]
    pub fn beside(&self) -> Beside {
        Beside {
            references: self.references.clone(),
            metadata: self.metadata.clone(),
            rule_set: self.rule_set.clone(),
        }
    }
}

/// A schema read together with what it refers to.
#[derive(Debug)]
pub struct Parsed {
    pub schema: Schema,
    pub text: String,
}

/// Reads a text whose references have been found, each before those that name it.
pub fn parse(text: &str, referenced: &[&str], rules: Rules) -> Result<Schema, Wrong> {
    avro::parse_with(text, referenced, rules).map_err(|faults| Wrong::InvalidSchema(invalid(text, &faults)))
}

/// The same in the form that is kept: canonical, or normalised first. That form may be the longer one, and is read again
/// and again, so it too is bounded.
pub fn canonical(text: &str, referenced: &[&str], rules: Rules, normalize: bool) -> Result<Parsed, Wrong> {
    let mut schema = parse(text, referenced, rules)?;
    if normalize {
        schema = parse(&short(schema.normalized())?, referenced, rules)?;
    }
    let text = short(schema.canonical())?;
    Ok(Parsed { schema, text })
}

fn short(written: String) -> Result<String, Wrong> {
    if written.len() <= avro::MOST_BYTES {
        return Ok(written);
    }
    let (bytes, most) = (written.len(), avro::MOST_BYTES);
    Err(Wrong::InvalidSchema(format!(
        "Invalid schema: as it is kept it has {bytes} bytes, at most {most}; write its numbers and texts shorter / \
         按保存的写法,模式有 {bytes} 字节,至多 {most};请缩短其中的数字和文本"
    )))
}

/// Normalising puts references in order, each once.
#[must_use]
pub fn normal_references(mut references: Vec<Reference>) -> Vec<Reference> {
    references.sort();
    references.dedup();
    references
}

/// The subject that a reference of a schema in this context means.
#[must_use]
pub fn referred(context: &Context, reference: &Reference) -> Subject {
    context.qualify(&reference.subject)
}

/// What a reference that leads nowhere is answered with.
#[must_use]
pub fn no_such_reference(subject: &Subject, version: i32) -> Wrong {
    Wrong::InvalidSchema(format!(
        "Invalid schema, details: No schema reference found for subject \"{subject}\" and version {version}"
    ))
}

/// Characters of the text that are shown.
const SHOWN: usize = 1000;

fn invalid(text: &str, faults: &Faults) -> String {
    let shown: String = text.chars().take(SHOWN).collect();
    let mut message = format!("Invalid schema {shown} with refs or of type AVRO, details: ");
    for (place, fault) in faults.iter().enumerate() {
        let path = if fault.path.is_empty() { String::new() } else { format!("{}: ", fault.path) };
        let between = if place > 0 { "; " } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(message, "{between}{path}{} / {}", fault.text.en, fault.text.zh);
    }
    message
}
