//! Schemas by id, by what they say, and by guid. The default context's ids are those of `schema_text`.

use std::collections::HashSet;
use std::sync::Arc;

use sqlx::{FromRow, query, query_as};
use uuid::Uuid;

use crate::clock::Time;
use crate::error::Refusal;
use crate::ids::SchemaId;
use crate::registry::{Beside, Content, Context, Subject};
use crate::store::dispatch::{on, one, rows};
use crate::store::document::{checked, from_json, to_json};
use crate::store::error::internal;
use crate::store::{Session, Tx};

#[derive(FromRow)]
struct Row {
    context: String,
    id: SchemaId,
    text: String,
    beside: Option<String>,
    guid: Option<Uuid>,
    created_at: Time,
}

/// A schema of a context.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub context: Context,
    pub id: SchemaId,
    pub content: Arc<Content>,
    pub guid: Uuid,
    pub at: Time,
}

impl TryFrom<Row> for Stored {
    type Error = Refusal;
    fn try_from(row: Row) -> Result<Self, Refusal> {
        let beside: Beside = row.beside.map_or_else(|| Ok(Beside::default()), |text| from_json(&text))?;
        let content = Content { text: row.text, beside };
        let guid = row.guid.unwrap_or_else(|| content.guid());
        let context = Context::stored(row.context);
        Ok(Self { context, id: row.id, content: Arc::new(content), guid, at: row.created_at })
    }
}

macro_rules! select {
    ($tail:literal) => {
        concat!("SELECT context, id, text, beside, guid, created_at FROM registry_schema ", $tail)
    };
}

impl Session {
    pub(crate) async fn stored_schema(
        &mut self,
        context: &Context,
        id: SchemaId,
    ) -> Result<Option<Stored>, Refusal> {
        let row: Option<Row> = on!(self, |conn| query_as(select!("WHERE context = $1 AND id = $2"))
            .bind(context.as_str())
            .bind(id)
            .fetch_optional(conn))?;
        row.map(Stored::try_from).transpose()
    }

    /// The id that equal content has in a context.
    pub(crate) async fn stored_id(
        &mut self,
        context: &Context,
        content: &Content,
    ) -> Result<Option<SchemaId>, Refusal> {
        const ID: &str = "SELECT id FROM registry_schema WHERE context = $1 AND fingerprint = $2";
        let fingerprint = content.fingerprint();
        let row: Option<(SchemaId,)> = on!(self, |conn| query_as(ID)
            .bind(context.as_str())
            .bind(fingerprint.as_str())
            .fetch_optional(conn))?;
        Ok(row.map(|(id,)| id))
    }

    /// The ids of a subject whose texts are as long as this one, or refer to others.
    pub(crate) async fn ids_like(
        &mut self,
        subject: &Subject,
        text: &str,
    ) -> Result<HashSet<SchemaId>, Refusal> {
        const LIKE: &str = "SELECT id FROM registry_schema s WHERE context = $1 AND id IN \
            (SELECT v.id FROM registry_version v WHERE v.context = $1 AND v.subject = $2) \
            AND (length(text) = $3 OR EXISTS \
            (SELECT 1 FROM registry_reference f WHERE f.context = s.context AND f.id = s.id))";
        let characters = i32::try_from(text.chars().count()).map_err(|_| internal())?;
        let rows: Vec<(SchemaId,)> = on!(self, |conn| query_as(LIKE)
            .bind(subject.context.as_str())
            .bind(subject.name.as_str())
            .bind(characters)
            .fetch_all(conn))?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    /// The ids of a guid: in the default context first, then by the names of contexts.
    pub(super) async fn ids_of_guid(&mut self, guid: Uuid) -> Result<Vec<(Context, SchemaId)>, Refusal> {
        const IDS: &str = "SELECT context, id FROM registry_schema WHERE guid = $1 ORDER BY context, id";
        let rows: Vec<(String, SchemaId)> = on!(self, |conn| query_as(IDS).bind(guid).fetch_all(conn))?;
        Ok(rows.into_iter().map(|(context, id)| (Context::stored(context), id)).collect())
    }

    /// The highest id given in a context.
    pub(super) async fn highest_id(&mut self, context: &Context) -> Result<i64, Refusal> {
        self.number_given(&counter(context)).await
    }
}

fn counter(context: &Context) -> String {
    if context.is_default() { "schema".to_owned() } else { format!("schema:{context}") }
}

/// How far beyond the ids given so far an id of another registry may lie: one mistake must not use up all there are.
const FARTHEST: i64 = 10_000_000;
/// The highest id that comes from elsewhere, however it is approached: as many are left for what is new.
const HIGHEST: i64 = 1 << 30;

/// Of the default context.
pub(super) const FORGET: &str = "DELETE FROM schema_text WHERE id = $1 \
    AND NOT EXISTS (SELECT 1 FROM registry_version v WHERE v.context = '.' AND v.id = $1) \
    AND NOT EXISTS (SELECT 1 FROM resource r WHERE r.value_schema = $1 OR r.key_schema = $1) \
    AND NOT EXISTS (SELECT 1 FROM grant_schema g WHERE g.schema_id = $1)";

impl Tx {
    /// Keeps new content: under the id it comes with, or the next. Ids are never given twice.
    pub(crate) async fn keep_schema(
        &mut self,
        context: &Context,
        content: &Content,
        given: Option<SchemaId>,
        at: Time,
    ) -> Result<SchemaId, Refusal> {
        let name = counter(context);
        let id = match given {
            Some(id) => {
                self.raise_schema_id(&name, i64::from(id.0)).await?;
                id
            }
            None => {
                let number = self.next_schema_id(&name).await?;
                // Taking the number waited for whoever was registering: they may have brought this very content.
                if let Some(known) = self.stored_id(context, content).await? {
                    return Ok(known);
                }
                SchemaId(i32::try_from(number).map_err(|_| internal())?)
            }
        };
        self.insert_schema(context, content, id, at).await?;
        Ok(id)
    }

    /// Whether an id of another registry lies within reach of the ids given so far.
    pub(crate) async fn id_is_near(&mut self, context: &Context, id: SchemaId) -> Result<bool, Refusal> {
        let id = i64::from(id.0);
        Ok(id <= HIGHEST && id <= self.highest_id(context).await? + FARTHEST)
    }

    async fn insert_schema(
        &mut self,
        context: &Context,
        content: &Content,
        id: SchemaId,
        at: Time,
    ) -> Result<(), Refusal> {
        const DEFAULT: &str = "INSERT INTO schema_text (id, fingerprint, text, beside, guid, created_at) \
            VALUES ($1, $2, $3, $4, $5, $6)";
        const OTHER: &str = "INSERT INTO context_schema \
            (id, fingerprint, text, beside, guid, created_at, context) VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let fingerprint = content.fingerprint();
        let beside = if content.beside.is_empty() { None } else { Some(to_json(&content.beside)?) };
        let text = checked(&content.text)?;
        let (fingerprint, beside, guid) = (fingerprint.as_str(), beside.as_deref(), content.guid());
        if context.is_default() {
            return one(rows!(self, |conn| query(DEFAULT)
                .bind(id)
                .bind(fingerprint)
                .bind(text)
                .bind(beside)
                .bind(guid)
                .bind(at)
                .execute(conn))?);
        }
        one(rows!(self, |conn| query(OTHER)
            .bind(id)
            .bind(fingerprint)
            .bind(text)
            .bind(beside)
            .bind(guid)
            .bind(at)
            .bind(context.as_str())
            .execute(conn))?)
    }

    /// Takes a schema away that nothing has any more: no version, no entry, no grant. Its id is not given again.
    pub(crate) async fn forget_schema(&mut self, context: &Context, id: SchemaId) -> Result<(), Refusal> {
        const OTHER: &str = "DELETE FROM context_schema WHERE id = $1 AND context = $2 \
            AND NOT EXISTS (SELECT 1 FROM registry_version v WHERE v.context = $2 AND v.id = $1)";
        const REFERENCES: &str = "DELETE FROM registry_reference WHERE context = $1 AND id = $2";
        let gone = if context.is_default() {
            rows!(self, |conn| query(FORGET).bind(id).execute(conn))?
        } else {
            rows!(self, |conn| query(OTHER).bind(id).bind(context.as_str()).execute(conn))?
        };
        if gone > 0 {
            rows!(self, |conn| query(REFERENCES).bind(context.as_str()).bind(id).execute(conn))?;
        }
        Ok(())
    }
}
