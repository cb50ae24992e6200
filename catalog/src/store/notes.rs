//! Free text of people, kept outside the audit log: events quote its digest (protocol.md 9).

use sqlx::{FromRow, query, query_as};
use uuid::Uuid;

use super::dispatch::{on, one, rows};
use super::document::checked;
use super::{Session, Tx};
use crate::audit::Digest;
use crate::clock::Time;
use crate::error::Refusal;
use crate::ids::AccountId;

#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Note {
    pub id: Uuid,
    /// `resource`, `request`, `grant`, …
    pub kind: String,
    /// Number or id of the thing, as text.
    pub object: String,
    /// The action it came with.
    pub action: String,
    /// Hex SHA-256 of the text as a JSON string.
    pub digest: String,
    pub text: String,
    pub written_by: AccountId,
    pub written_at: Time,
}

impl Tx {
    /// Keeps a text; its event holds `note.digest`.
    pub async fn keep_note(&mut self, note: &Note) -> Result<(), Refusal> {
        const INSERT: &str = "INSERT INTO note (id, kind, object, action, digest, text, written_by, written_at) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let text = checked(&note.text)?;
        one(rows!(self, |conn| query(INSERT)
            .bind(note.id)
            .bind(note.kind.as_str())
            .bind(note.object.as_str())
            .bind(note.action.as_str())
            .bind(note.digest.as_str())
            .bind(text)
            .bind(note.written_by)
            .bind(note.written_at)
            .execute(conn))?)
    }
}

impl Note {
    /// The digest by which an event names a text.
    pub fn digest_of(text: &str) -> Result<Digest, Refusal> {
        Digest::of_file(&text)
    }
}

impl Session {
    /// The texts of a thing, oldest first.
    pub async fn notes(&mut self, kind: &str, object: &str) -> Result<Vec<Note>, Refusal> {
        const LIST: &str = "SELECT id, kind, object, action, digest, text, written_by, written_at FROM note \
            WHERE kind = $1 AND object = $2 ORDER BY written_at, id";
        on!(self, |conn| query_as(LIST).bind(kind).bind(object).fetch_all(conn))
    }
}
