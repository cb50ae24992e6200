//! Opening the store, and the transactions that everything is written in.

use std::time::Duration;

use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::dispatch::DEADLINE;
use super::error::{late, leaves_commit_open, translate};
use super::{Engine, Link, Session, Store, Tx};
use crate::error::{Code, Refusal};
use crate::ports::CommitError;

/// Which database, and how many connections to it.
#[derive(Clone)]
pub struct StoreConfig {
    /// `sqlite:` and a path, or `postgres://…` without a password.
    pub url: String,
    pub password: Option<String>,
    /// Most connections: PostgreSQL's in all, SQLite's readers.
    pub connections: u32,
}

impl Store {
    /// Opens the database, makes the file if it is a file and absent, and brings its tables up to date.
    pub async fn open(config: &StoreConfig) -> Result<Self, Refusal> {
        let store = Self { engine: connect(config)? };
        store.migrate().await?;
        Ok(store)
    }

    /// `sqlite` or `postgres`, for messages and metrics.
    #[must_use]
    pub fn engine(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite { .. } => "sqlite",
            Engine::Postgres(_) => "postgres",
        }
    }

    /// A connection to read with.
    pub async fn read(&self) -> Result<Session, Refusal> {
        let link = match &self.engine {
            Engine::Sqlite { readers, .. } => readers.acquire().await.map(Link::SqliteRead),
            Engine::Postgres(pool) => pool.acquire().await.map(Link::PostgresRead),
        };
        link.map(|link| Session { link }).map_err(|error| translate(&error))
    }

    /// A transaction to write with: IMMEDIATE on SQLite, so that no later statement finds another writer in its way;
    /// READ COMMITTED on PostgreSQL.
    pub async fn begin(&self) -> Result<Tx, Refusal> {
        let begun = async {
            match &self.engine {
                Engine::Sqlite { writer, .. } => {
                    writer.begin_with("BEGIN IMMEDIATE").await.map(Link::SqliteWrite)
                }
                Engine::Postgres(pool) => {
                    pool.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await.map(Link::PostgresWrite)
                }
            }
        };
        let link = match tokio::time::timeout(DEADLINE, begun).await {
            Ok(link) => link.map_err(|error| translate(&error))?,
            Err(_) => return Err(late()),
        };
        Ok(Tx { session: Session { link } })
    }

    /// A connection whose statements all see one moment of the store.
    pub(super) async fn snapshot(&self) -> Result<Session, Refusal> {
        let link = match &self.engine {
            Engine::Sqlite { readers, .. } => readers.begin().await.map(Link::SqliteWrite),
            Engine::Postgres(pool) => {
                let begun = pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await;
                begun.map(Link::PostgresWrite)
            }
        };
        link.map(|link| Session { link }).map_err(|error| translate(&error))
    }

    /// Waits for running statements and closes all connections.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Engine::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    /// Commits, and says of a failure whether COMMIT may still have taken effect.
    pub async fn commit(mut self) -> Result<(), CommitError> {
        if let Link::PostgresWrite(tx) = &mut self.session.link {
            // PostgreSQL answers the COMMIT of a transaction in which a statement failed as if all were well, and
            // rolls back: this question fails there, and on a dead connection too, before COMMIT is sent.
            super::dispatch::within(sqlx::query("SELECT 1").execute(&mut **tx))
                .await
                .map_err(CommitError::NotSent)?;
        }
        let committed = async {
            match self.session.link {
                Link::SqliteWrite(tx) => tx.commit().await,
                Link::PostgresWrite(tx) => tx.commit().await,
                Link::SqliteRead(_) | Link::PostgresRead(_) => Ok(()),
            }
        };
        match tokio::time::timeout(DEADLINE, committed).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) if leaves_commit_open(&error) => {
                tracing::warn!("a COMMIT was sent and not answered");
                Err(CommitError::Unknown(unknown()))
            }
            Ok(Err(error)) => Err(CommitError::NotSent(translate(&error))),
            Err(_) => Err(CommitError::Unknown(unknown())),
        }
    }

    /// `commit` for a change whose caller need not tell the two failures apart.
    pub async fn finish(self) -> Result<(), Refusal> {
        self.commit().await.map_err(|error| match error {
            CommitError::NotSent(refusal) | CommitError::Unknown(refusal) => refusal,
        })
    }
}

fn unknown() -> Refusal {
    Refusal::new(
        Code::OutcomeUnknown,
        "数据库未答复提交,结果未知;请以同一 Idempotency-Key 重试,或先查看对象的现状",
        "the database did not answer the commit, so the outcome is not known; retry with the same Idempotency-Key, \
         or look at the object first",
    )
    .retry_after(Duration::from_secs(2))
}

fn connect(config: &StoreConfig) -> Result<Engine, Refusal> {
    if let Some(path) = config.url.strip_prefix("sqlite:") {
        return Ok(open_file(path, config.connections));
    }
    let options: PgConnectOptions = config.url.parse().map_err(|_| {
        Refusal::new(
            Code::Invalid,
            "database.url 无法识别:应为 sqlite:路径 或 postgres://用户@主机:端口/库名",
            "database.url is not understood: sqlite:PATH or postgres://USER@HOST:PORT/DATABASE",
        )
    })?;
    Ok(Engine::Postgres(open_server(options, config)))
}

fn open_file(path: &str, readers: u32) -> Engine {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(DEADLINE);
    let pool = |most| SqlitePoolOptions::new().max_connections(most).acquire_timeout(DEADLINE);
    Engine::Sqlite {
        // Kept for good: closing and opening it would cost each writer a checkpoint.
        writer: pool(1)
            .min_connections(0)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(options.clone()),
        readers: pool(readers.max(1)).connect_lazy_with(options.pragma("query_only", "1")),
    }
}

fn open_server(options: PgConnectOptions, config: &StoreConfig) -> sqlx::PgPool {
    let mut options = options.application_name("changtong").options([
        ("idle_in_transaction_session_timeout", "5s"),
        ("statement_timeout", "3s"),
        ("tcp_keepalives_idle", "5"),
        ("tcp_keepalives_interval", "2"),
        ("tcp_keepalives_count", "3"),
        ("TimeZone", "UTC"),
    ]);
    if let Some(password) = &config.password {
        options = options.password(password);
    }
    PgPoolOptions::new()
        .max_connections(config.connections.max(2))
        .acquire_timeout(DEADLINE)
        // A ping for each use would double the cost of a read; one that idled may have lost its server.
        .test_before_acquire(false)
        .before_acquire(|conn, idle| {
            Box::pin(async move { Ok(idle.idle_for < Duration::from_secs(1) || conn.ping().await.is_ok()) })
        })
        .connect_lazy_with(options)
}
