//! Schemas as clients read them. Members that old clients do not know are left out where there is nothing to say.

use std::borrow::Cow;

use changtong_catalog::ids::SchemaId;
use changtong_catalog::registry::{
    AVRO, Content, Context, Known, Metadata, Reference, Registered, RuleSet, Tagged,
};
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
    references: Cow<'a, [Reference]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_set: Option<&'a RuleSet>,
    schema: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_id: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<bool>,
    /// Where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_tags: Option<Vec<ShownTags>>,
    /// Subjects that stand for it, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aliases: Option<&'a [String]>,
}

/// The tags of a record or of a field.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShownTags {
    schema_entity: Entity,
    tags: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Entity {
    entity_path: String,
    entity_type: &'static str,
}

impl From<Tagged> for ShownTags {
    fn from(Tagged { path, field, tags }: Tagged) -> Self {
        let entity_type = if field { "sr_field" } else { "sr_record" };
        Self { schema_entity: Entity { entity_path: path, entity_type }, tags }
    }
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
            references: Cow::Borrowed(&content.beside.references),
            metadata: content.beside.metadata.as_ref(),
            rule_set: content.beside.rule_set.as_ref(),
            schema: &content.text,
            max_id: None,
            deleted: None,
            schema_tags: None,
            aliases: None,
        }
    }

    /// With subjects that are named as from outside the context.
    #[must_use]
    pub fn qualified(self, context: &Context) -> Self {
        let qualified = |reference: &Reference| Reference {
            subject: context.qualify(&reference.subject).to_string(),
            ..reference.clone()
        };
        Self { references: self.references.iter().map(qualified).collect(), ..self }
    }

    /// With another form of the text.
    #[must_use]
    pub fn written_as(self, schema: &'a str) -> Self {
        Self { schema, ..self }
    }
}
