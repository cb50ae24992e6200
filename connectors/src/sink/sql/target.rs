//! The connection to either engine, with the few calls the sink makes.

use changtong_catalog::error::Refusal;
use sqlx::{AssertSqlSafe, PgConnection, SqliteConnection};

use super::cell::Cell;
use super::refusals::database;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    Sqlite,
    Postgres,
}

pub(super) enum Target {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// The same body for both engines.
macro_rules! on {
    ($target:expr, |$connection:ident| $body:expr) => {
        match $target {
            Target::Sqlite($connection) => $body,
            Target::Postgres($connection) => $body,
        }
    };
}

macro_rules! bound {
    ($query:expr, $cells:expr) => {
        $cells.into_iter().fold($query, |query, cell| match cell {
            Cell::Text(value) => query.bind(value),
            Cell::Int(value) => query.bind(value),
            Cell::Float(value) => query.bind(value),
            Cell::Bool(value) => query.bind(value),
            Cell::Bytes(value) => query.bind(value),
        })
    };
}

impl Target {
    pub fn engine(&self) -> Engine {
        match self {
            Self::Sqlite(_) => Engine::Sqlite,
            Self::Postgres(_) => Engine::Postgres,
        }
    }

    /// On SQLite as a writer from the start: a reader that turns writer is refused when another one was faster.
    pub async fn begin(&mut self) -> Result<(), Refusal> {
        let begin = match self {
            Self::Sqlite(_) => "BEGIN IMMEDIATE",
            Self::Postgres(_) => "BEGIN",
        };
        self.execute(begin.to_owned(), Vec::new()).await.map(drop)
    }

    pub async fn commit(&mut self) -> Result<(), Refusal> {
        self.execute("COMMIT".to_owned(), Vec::new()).await.map(drop)
    }

    /// Answers the rows it changed. The text is made from names that were checked, never from data.
    pub async fn execute(&mut self, sql: String, cells: Vec<Cell>) -> Result<u64, Refusal> {
        on!(self, |connection| {
            let query = bound!(sqlx::query(AssertSqlSafe(sql)), cells);
            query.execute(connection).await.map(|done| done.rows_affected()).map_err(database)
        })
    }

    /// Rows of two texts.
    pub async fn pairs(&mut self, sql: String, cells: Vec<Cell>) -> Result<Vec<(String, String)>, Refusal> {
        on!(self, |connection| {
            let query = bound!(sqlx::query_as(AssertSqlSafe(sql)), cells);
            query.fetch_all(connection).await.map_err(database)
        })
    }

    /// Cursor, resets and epoch.
    pub async fn cursor(
        &mut self,
        sql: &'static str,
        cells: Vec<Cell>,
    ) -> Result<Option<(String, i64, i64)>, Refusal> {
        on!(self, |connection| {
            let query = bound!(sqlx::query_as(sql), cells);
            query.fetch_optional(connection).await.map_err(database)
        })
    }
}
