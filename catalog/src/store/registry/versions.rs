//! Versions of subjects.

use sqlx::{FromRow, query, query_as};

use crate::clock::Time;
use crate::error::Refusal;
use crate::ids::SchemaId;
use crate::registry::{Earlier, Subject};
use crate::store::dispatch::{on, one, rows};
use crate::store::{Session, Tx};

#[derive(FromRow)]
struct Row {
    version: i32,
    id: SchemaId,
    deleted: bool,
}

impl Session {
    /// All there are, deleted ones too, by number.
    pub(crate) async fn versions_of(&mut self, subject: &Subject) -> Result<Vec<Earlier>, Refusal> {
        const SELECT: &str = "SELECT version, id, deleted FROM registry_version \
            WHERE context = $1 AND subject = $2 ORDER BY version";
        let rows: Vec<Row> = on!(self, |conn| query_as(SELECT)
            .bind(subject.context.as_str())
            .bind(subject.name.as_str())
            .fetch_all(conn))?;
        let earlier = |Row { version, id, deleted }| Earlier { version, id, deleted };
        Ok(rows.into_iter().map(earlier).collect())
    }

    /// One of them by its number, or the latest (-1).
    pub(crate) async fn one_version(
        &mut self,
        subject: &Subject,
        version: i32,
        with_deleted: bool,
    ) -> Result<Option<Earlier>, Refusal> {
        const SELECT: &str = "SELECT version, id, deleted FROM registry_version \
            WHERE context = $1 AND subject = $2 AND ($3 = -1 OR version = $3) AND ($4 OR NOT deleted) \
            ORDER BY version DESC LIMIT 1";
        let row: Option<Row> = on!(self, |conn| query_as(SELECT)
            .bind(subject.context.as_str())
            .bind(subject.name.as_str())
            .bind(version)
            .bind(with_deleted)
            .fetch_optional(conn))?;
        Ok(row.map(|Row { version, id, deleted }| Earlier { version, id, deleted }))
    }

    pub(super) async fn registered_at(
        &mut self,
        subject: &Subject,
        version: i32,
    ) -> Result<Option<Time>, Refusal> {
        const AT: &str = "SELECT created_at FROM registry_version \
            WHERE context = $1 AND subject = $2 AND version = $3";
        let row: Option<(Time,)> = on!(self, |conn| query_as(AT)
            .bind(subject.context.as_str())
            .bind(subject.name.as_str())
            .bind(version)
            .fetch_optional(conn))?;
        Ok(row.map(|(at,)| at))
    }
}

impl Tx {
    pub(crate) async fn insert_version(
        &mut self,
        subject: &Subject,
        version: i32,
        id: SchemaId,
        at: Time,
    ) -> Result<(), Refusal> {
        const INSERT: &str = "INSERT INTO registry_version \
            (context, subject, version, id, deleted, created_at) VALUES ($1, $2, $3, $4, FALSE, $5)";
        one(rows!(self, |conn| query(INSERT)
            .bind(subject.context.as_str())
            .bind(subject.name.as_str())
            .bind(version)
            .bind(id)
            .bind(at)
            .execute(conn))?)
    }

    /// Hides a version; its id still stands.
    pub(crate) async fn hide_version(&mut self, subject: &Subject, version: i32) -> Result<(), Refusal> {
        const HIDE: &str = "UPDATE registry_version SET deleted = TRUE \
            WHERE context = $1 AND subject = $2 AND version = $3 AND NOT deleted";
        self.change_version(HIDE, subject, version).await
    }

    /// Takes a version away that was hidden.
    pub(crate) async fn remove_version(&mut self, subject: &Subject, version: i32) -> Result<(), Refusal> {
        const REMOVE: &str = "DELETE FROM registry_version \
            WHERE context = $1 AND subject = $2 AND version = $3 AND deleted";
        self.change_version(REMOVE, subject, version).await
    }

    async fn change_version(
        &mut self,
        sql: &'static str,
        subject: &Subject,
        version: i32,
    ) -> Result<(), Refusal> {
        one(rows!(self, |conn| query(sql)
            .bind(subject.context.as_str())
            .bind(subject.name.as_str())
            .bind(version)
            .execute(conn))?)
    }
}
