//! Versions of subjects.

use sqlx::{FromRow, query, query_as};

use crate::clock::Time;
use crate::error::Refusal;
use crate::ids::SchemaId;
use crate::registry::{Beside, Deleted, Earlier, Subject};
use crate::store::dispatch::{on, one, rows};
use crate::store::document::from_json;
use crate::store::error::internal;
use crate::store::{Session, Tx};

#[derive(FromRow)]
struct Row {
    version: i32,
    id: SchemaId,
    deleted: bool,
}

/// Versions with what stands beside their texts, from the table that their context has: of the view over both SQLite would
/// make all of it for each.
macro_rules! with_beside {
    () => {
        "SELECT version, id, deleted, beside FROM (SELECT v.version, v.id, v.deleted, CASE WHEN v.context = '.' \
         THEN (SELECT t.beside FROM schema_text t WHERE t.id = v.id) \
         ELSE (SELECT c.beside FROM context_schema c WHERE c.context = v.context AND c.id = v.id) END AS beside \
         FROM registry_version v "
    };
}

pub(super) const NEXT: &str = concat!(
    with_beside!(),
    "WHERE v.context = $1 AND v.subject = $2 AND v.version > $3) q \
     WHERE beside IS NOT NULL ORDER BY version LIMIT $4"
);

pub(super) const NEWEST: &str = concat!(
    with_beside!(),
    "WHERE v.context = $1 AND v.subject = $2 AND v.version < $3 AND ($4 OR NOT v.deleted)) q \
     WHERE beside IS NOT NULL ORDER BY version DESC LIMIT $5"
);

#[derive(FromRow)]
struct Naming {
    version: i32,
    id: SchemaId,
    deleted: bool,
    beside: String,
}

/// What stands beside a text has 64 KiB at most: of so many it is a mebibyte.
const MOST_AT_ONCE: usize = 16;

/// Some of a subject's versions, looked at for those that run a handler.
pub(super) struct Running {
    pub running: Vec<Earlier>,
    pub looked_at: usize,
    /// Behind which there may be more.
    pub next: Option<i32>,
}

/// What a part of a subject's versions has of what is looked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Having {
    Found(Earlier),
    /// Nothing, but it may be below this version.
    Below(i32),
    None,
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

    /// How many there are.
    pub(super) async fn count_versions(
        &mut self,
        subject: &Subject,
        deleted: Deleted,
    ) -> Result<usize, Refusal> {
        const COUNT: &str = "SELECT count(*) FROM registry_version \
            WHERE context = $1 AND subject = $2 AND ($3 OR NOT deleted) AND ($4 OR deleted)";
        let (count,): (i64,) = on!(self, |conn| query_as(COUNT)
            .bind(subject.context.as_str())
            .bind(subject.name.as_str())
            .bind(deleted.takes(true))
            .bind(deleted.takes(false))
            .fetch_one(conn))?;
        usize::try_from(count).map_err(|_| internal())
    }

    /// The number of the last of them.
    pub(super) async fn latest(
        &mut self,
        subject: &Subject,
        deleted: Deleted,
    ) -> Result<Option<i32>, Refusal> {
        const LATEST: &str = "SELECT version FROM registry_version \
            WHERE context = $1 AND subject = $2 AND ($3 OR NOT deleted) AND ($4 OR deleted) \
            ORDER BY version DESC LIMIT 1";
        let row: Option<(i32,)> = on!(self, |conn| query_as(LATEST)
            .bind(subject.context.as_str())
            .bind(subject.name.as_str())
            .bind(deleted.takes(true))
            .bind(deleted.takes(false))
            .fetch_optional(conn))?;
        Ok(row.map(|(version,)| version))
    }

    /// Those whose rules a handler runs, of the next that have something beside their texts, at most so many.
    pub(super) async fn versions_running(
        &mut self,
        subject: &Subject,
        handler: &str,
        behind: i32,
        most: usize,
    ) -> Result<Running, Refusal> {
        let most = most.min(MOST_AT_ONCE);
        let rows: Vec<Naming> = on!(self, |conn| query_as(NEXT)
            .bind(subject.context.as_str())
            .bind(subject.name.as_str())
            .bind(behind)
            .bind(i64::try_from(most).unwrap_or(i64::MAX))
            .fetch_all(conn))?;
        let next = rows.last().filter(|_| rows.len() == most).map(|last| last.version);
        let (looked_at, mut running) = (rows.len(), Vec::new());
        for Naming { version, id, deleted, beside } in rows {
            let beside: Beside = from_json(&beside)?;
            let runs = beside.rule_set.is_some_and(|rules| rules.uses(handler));
            running.extend(runs.then_some(Earlier { version, id, deleted }));
        }
        Ok(Running { running, looked_at, next })
    }

    /// The newest whose properties hold all of these, of the next below that have something beside their texts.
    pub(super) async fn version_with(
        &mut self,
        subject: &Subject,
        pairs: &[(String, String)],
        (below, with_deleted): (i32, bool),
    ) -> Result<Having, Refusal> {
        let rows: Vec<Naming> = on!(self, |conn| query_as(NEWEST)
            .bind(subject.context.as_str())
            .bind(subject.name.as_str())
            .bind(below)
            .bind(with_deleted)
            .bind(i64::try_from(MOST_AT_ONCE).unwrap_or(i64::MAX))
            .fetch_all(conn))?;
        let next = rows.last().filter(|_| rows.len() == MOST_AT_ONCE).map(|last| last.version);
        for Naming { version, id, deleted, beside } in rows {
            let beside: Beside = from_json(&beside)?;
            if beside.metadata.is_some_and(|metadata| metadata.has(pairs)) {
                return Ok(Having::Found(Earlier { version, id, deleted }));
            }
        }
        Ok(next.map_or(Having::None, Having::Below))
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
