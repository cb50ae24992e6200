//! Schema texts: one id for one text, given in the order the texts came.

use sqlx::{FromRow, query, query_as};

use super::dispatch::{on, one, rows};
use super::document::checked;
use super::error::internal;
use super::{Session, Tx};
use crate::audit::Digest;
use crate::clock::Time;
use crate::error::Refusal;
use crate::ids::SchemaId;
use crate::ports::SchemaText;
use crate::registry::Content;

#[derive(FromRow)]
struct SchemaRow {
    id: SchemaId,
    fingerprint: String,
    text: String,
}

impl From<SchemaRow> for SchemaText {
    fn from(row: SchemaRow) -> Self {
        Self { id: row.id, text: row.text, fingerprint: row.fingerprint }
    }
}

impl Session {
    pub async fn schema(&mut self, id: SchemaId) -> Result<Option<SchemaText>, Refusal> {
        const BY_ID: &str = "SELECT id, fingerprint, text FROM schema_text WHERE id = $1";
        let row: Option<SchemaRow> = on!(self, |conn| query_as(BY_ID).bind(id).fetch_optional(conn))?;
        Ok(row.map(SchemaText::from))
    }

    async fn schema_with(&mut self, fingerprint: &str) -> Result<Option<SchemaText>, Refusal> {
        const WITH: &str = "SELECT id, fingerprint, text FROM schema_text WHERE fingerprint = $1";
        let row: Option<SchemaRow> = on!(self, |conn| query_as(WITH).bind(fingerprint).fetch_optional(conn))?;
        Ok(row.map(SchemaText::from))
    }
}

impl Tx {
    /// The id of a text, the one it has or a new one.
    pub async fn register_schema(&mut self, text: &str, at: Time) -> Result<SchemaText, Refusal> {
        let text = checked(text)?;
        let fingerprint = Digest::of(text.as_bytes()).to_string();
        if let Some(known) = self.schema_with(&fingerprint).await? {
            return Ok(known);
        }
        let number = self.next_number("schema").await?;
        // Taking the number waited for whoever was registering: they may have brought this very text.
        if let Some(known) = self.schema_with(&fingerprint).await? {
            return Ok(known);
        }
        let id = SchemaId(i32::try_from(number).map_err(|_| internal())?);
        const INSERT: &str =
            "INSERT INTO schema_text (id, fingerprint, text, guid, created_at) VALUES ($1, $2, $3, $4, $5)";
        one(rows!(self, |conn| query(INSERT)
            .bind(id)
            .bind(fingerprint.as_str())
            .bind(text)
            .bind(Content::of_text(text).guid())
            .bind(at)
            .execute(conn))?)?;
        Ok(SchemaText { id, text: text.to_owned(), fingerprint })
    }
}
