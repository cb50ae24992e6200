//! The subjects of a resource: one for its values, one for its keys, new ones for each generation.

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::ids::{Generation, ResourceNumber, SchemaId, TopicName};

/// What of a record a schema is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    Key,
    Value,
}

/// What of which resource a subject is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub resource: ResourceNumber,
    pub generation: Generation,
    pub part: Part,
}

/// A schema of a resource that is or was in force: one version of its subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    pub resource: ResourceNumber,
    pub generation: Generation,
    pub part: Part,
    /// From 1, within its subject.
    pub version: i32,
    pub schema: SchemaId,
    /// The version of the entry that put it in force.
    pub resource_version: i32,
    pub at: Time,
}

impl Part {
    pub const ALL: [Self; 2] = [Self::Key, Self::Value];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Value => "value",
        }
    }

    /// The subject of a topic: what clients make of its name.
    #[must_use]
    pub fn subject(self, topic: &TopicName) -> String {
        format!("{topic}-{}", self.as_str())
    }
}
