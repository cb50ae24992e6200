//! `on!`: runs one closure-shaped body on whichever engine a session has, with the deadline and the errors of the
//! store. The body is a future that is not awaited: `on!(self, |conn| query_as(SQL).bind(id).fetch_optional(conn))`.

use std::time::Duration;

use sqlx::{PgConnection, SqliteConnection};

use super::error::{internal, late, translate};
use super::{Link, Session};
use crate::error::Refusal;

/// How long the store may take for one statement or one connection (protocol.md 3).
pub(super) const DEADLINE: Duration = Duration::from_secs(3);

/// The engine's own connection behind a session.
pub(super) enum Conn<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

impl Session {
    pub(super) fn conn(&mut self) -> Conn<'_> {
        match &mut self.link {
            Link::SqliteRead(conn) => Conn::Sqlite(conn),
            Link::SqliteWrite(tx) => Conn::Sqlite(tx),
            Link::PostgresRead(conn) => Conn::Postgres(conn),
            Link::PostgresWrite(tx) => Conn::Postgres(tx),
        }
    }
}

/// Waits for one statement, at most `DEADLINE`.
pub(super) async fn within<T>(statement: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, Refusal> {
    match tokio::time::timeout(DEADLINE, statement).await {
        Ok(answer) => answer.map_err(|error| translate(&error)),
        Err(_) => Err(late()),
    }
}

macro_rules! on {
    ($session:expr, |$conn:ident| $body:expr) => {
        match $session.conn() {
            $crate::store::dispatch::Conn::Sqlite($conn) => $crate::store::dispatch::within($body).await,
            $crate::store::dispatch::Conn::Postgres($conn) => $crate::store::dispatch::within($body).await,
        }
    };
}

/// `on!` for a statement that is executed: answers how many rows it wrote.
macro_rules! rows {
    ($session:expr, |$conn:ident| $body:expr) => {
        match $session.conn() {
            $crate::store::dispatch::Conn::Sqlite($conn) => {
                $crate::store::dispatch::within($body).await.map(|done| done.rows_affected())
            }
            $crate::store::dispatch::Conn::Postgres($conn) => {
                $crate::store::dispatch::within($body).await.map(|done| done.rows_affected())
            }
        }
    };
}

/// A write that must have met exactly one row.
pub(super) fn one(rows: u64) -> Result<(), Refusal> {
    if rows == 1 {
        return Ok(());
    }
    tracing::error!(rows, "a statement wrote another number of rows than one");
    Err(internal())
}

/// A write that must have met exactly so many rows.
pub(super) fn all(rows: u64, expected: usize) -> Result<(), Refusal> {
    if rows == expected as u64 {
        return Ok(());
    }
    tracing::error!(rows, expected, "a statement wrote another number of rows than expected");
    Err(internal())
}

pub(super) use {on, rows};
