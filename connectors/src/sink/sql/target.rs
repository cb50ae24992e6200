//! The connection to either engine, with the few calls the sink makes.

use std::time::Duration;

use changtong_catalog::error::Refusal;
use sqlx::{AssertSqlSafe, PgConnection, SqliteConnection};

use super::cell::Cell;
use super::refusals::{database, silent};

/// Longer than the engines' own limits, whose answers say more; but a
/// host that is cut off or stands still never answers at all.
const ANSWER: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    Sqlite,
    Postgres,
}

pub(super) enum Connected {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

pub(super) struct Target {
    connected: Connected,
    /// How long it is waited for an answer.
    pub patience: Duration,
}

/// The same body for both engines.
macro_rules! on {
    ($target:expr, |$connection:ident| $body:expr) => {
        match &mut $target.connected {
            Connected::Sqlite($connection) => $body,
            Connected::Postgres($connection) => $body,
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
    pub fn new(connected: Connected) -> Self {
        Self { connected, patience: ANSWER }
    }

    pub fn engine(&self) -> Engine {
        match self.connected {
            Connected::Sqlite(_) => Engine::Sqlite,
            Connected::Postgres(_) => Engine::Postgres,
        }
    }

    /// On SQLite as a writer from the start: a reader that turns writer is refused when another one was faster.
    pub async fn begin(&mut self) -> Result<(), Refusal> {
        let begin = match self.engine() {
            Engine::Sqlite => "BEGIN IMMEDIATE",
            Engine::Postgres => "BEGIN",
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
            answered(query.execute(connection), self.patience).await.map(|done| done.rows_affected())
        })
    }

    /// Rows of two texts.
    pub async fn pairs(&mut self, sql: String, cells: Vec<Cell>) -> Result<Vec<(String, String)>, Refusal> {
        on!(self, |connection| {
            let query = bound!(sqlx::query_as(AssertSqlSafe(sql)), cells);
            answered(query.fetch_all(connection), self.patience).await
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
            answered(query.fetch_optional(connection), self.patience).await
        })
    }
}

async fn answered<T>(
    statement: impl Future<Output = sqlx::Result<T>>,
    patience: Duration,
) -> Result<T, Refusal> {
    match tokio::time::timeout(patience, statement).await {
        Ok(answer) => answer.map_err(database),
        Err(_) => Err(silent(patience)),
    }
}
