//! Schemas as clients read them. Members that old clients do not know are left out where there is nothing to say.

use changtong_catalog::ids::SchemaId;
use changtong_catalog::registry::{AVRO, Content, Known, Metadata, Reference, Registered, RuleSet};
use serde::Serialize;
use uuid::Uuid;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<SchemaId>,
    guid: Uuid,
    schema_type: &'static str,
    #[serde(skip_serializing_if = "<[Reference]>::is_empty")]
    references: &'a [Reference],
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_set: Option<&'a RuleSet>,
    schema: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_id: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<bool>,
}

impl<'a> Shown<'a> {
    /// A version of a subject.
    pub fn version(registered: &'a Registered) -> Self {
        Self {
            subject: Some(registered.subject.to_string()),
            version: Some(registered.version),
            id: Some(registered.id),
            deleted: registered.deleted.then_some(true),
            ..Self::content(&registered.content, registered.guid)
        }
    }

    /// A schema by what identifies it.
    pub fn schema(known: &'a Known) -> Self {
        Self::content(&known.content, known.guid)
    }

    fn content(content: &'a Content, guid: Uuid) -> Self {
        Self {
            subject: None,
            version: None,
            id: None,
            guid,
            schema_type: AVRO,
            references: &content.beside.references,
            metadata: content.beside.metadata.as_ref(),
            rule_set: content.beside.rule_set.as_ref(),
            schema: &content.text,
            max_id: None,
            deleted: None,
        }
    }

    /// With another form of the text.
    #[must_use]
    pub fn written_as(self, schema: &'a str) -> Self {
        Self { schema, ..self }
    }
}
