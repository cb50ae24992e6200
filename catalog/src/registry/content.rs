//! What a schema is to a registry: its text and what belongs to it. Equal contents have one id within a context, and
//! one guid everywhere.

use std::collections::{BTreeMap, BTreeSet};

use md5::{Digest as _, Md5};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use super::rules::RuleSet;
use super::wrong::Wrong;
use crate::audit::Digest;

/// A canonical text and what stands beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    pub text: String,
    pub beside: Beside,
}

/// Everything of a schema but its text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Beside {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule_set: Option<RuleSet>,
}

/// A schema that another names types of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Reference {
    /// For Avro the full name of the type.
    pub name: String,
    /// As it was written: without a context it is in that of the schema that refers to it.
    pub subject: String,
    /// -1 in a request: the latest.
    pub version: i32,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metadata {
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    pub tags: BTreeMap<String, BTreeSet<String>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    pub properties: BTreeMap<String, String>,
    /// Names of properties that are not to be shown.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", deserialize_with = "or_default")]
    pub sensitive: BTreeSet<String>,
}

/// Some clients write `null` for what there is none of.
pub(super) fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    from: D,
) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

/// The property by which a client asks for a version of its own although nothing else differs.
pub const VERSION_PROPERTY: &str = "confluent:version";

/// Bytes, as JSON, of what stands beside a text, and of the settings that it may come from.
pub const MOST_BESIDE: usize = 64 * 1024;

pub(super) fn bytes(part: &impl Serialize) -> usize {
    // Serializing maps of texts cannot fail.
    serde_json::to_string(part).unwrap_or_default().len()
}

impl Beside {
    /// Whether it is small enough to be kept with each version.
    pub fn check_size(&self) -> Result<(), Wrong> {
        if bytes(self) > MOST_BESIDE { Err(Wrong::TooLarge) } else { Ok(()) }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.references.is_empty() && self.metadata.is_none() && self.rule_set.is_none()
    }
}

impl Content {
    #[must_use]
    pub fn of_text(text: impl Into<String>) -> Self {
        Self { text: text.into(), beside: Beside::default() }
    }

    /// About as many as it takes in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.text.len() + if self.beside.is_empty() { 0 } else { bytes(&self.beside) }
    }

    /// What equal contents share and others do not: the digest of the text where nothing stands beside it.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        if self.beside.is_empty() {
            return Digest::of(self.text.as_bytes());
        }
        // Lengths keep the parts apart; serializing maps of texts cannot fail.
        let beside = serde_json::to_string(&self.beside).unwrap_or_default();
        Digest::of(format!("{}\0{}\0{beside}", self.text.len(), self.text).as_bytes())
    }

    /// MD5 as a UUID, over the same bytes in the same order as the registries that clients come from.
    #[must_use]
    pub fn guid(&self) -> Uuid {
        let mut hash = Md5::new();
        hash.update(&self.text);
        for reference in &self.beside.references {
            hash.update(&reference.name);
            hash.update(&reference.subject);
            hash.update(reference.version.to_be_bytes());
        }
        if let Some(metadata) = &self.beside.metadata {
            hash.update([1]);
            metadata.hash(&mut |text| hash.update(text));
        }
        if let Some(rules) = &self.beside.rule_set {
            hash.update([1]);
            rules.hash(&mut |bytes| hash.update(bytes));
        }
        Uuid::from_bytes(hash.finalize().into())
    }
}

impl Metadata {
    fn hash(&self, update: &mut impl FnMut(&str)) {
        for (path, tags) in &self.tags {
            update(path);
            tags.iter().for_each(|tag| update(tag));
        }
        for (name, value) in &self.properties {
            update(name);
            update(value);
        }
        self.sensitive.iter().for_each(|name| update(name));
    }

    /// Two layers as one; the second counts where both say something.
    #[must_use]
    pub fn over(below: Option<&Self>, above: Option<&Self>) -> Option<Self> {
        let (Some(below), Some(above)) = (below, above) else { return below.or(above).cloned() };
        let mut both = below.clone();
        both.tags.extend(above.tags.clone());
        both.properties.extend(above.properties.clone());
        both.sensitive.extend(above.sensitive.iter().cloned());
        Some(both)
    }

    /// Whether its properties hold all of these.
    #[must_use]
    pub fn has(&self, pairs: &[(String, String)]) -> bool {
        pairs.iter().all(|(name, value)| self.properties.get(name) == Some(value))
    }

    /// Without the property by which a client numbers its versions.
    #[must_use]
    pub fn unnumbered(&self) -> Self {
        let mut plain = self.clone();
        plain.properties.remove(VERSION_PROPERTY);
        plain
    }
}
