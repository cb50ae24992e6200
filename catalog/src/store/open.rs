//! Opening the database that the settings name: a first connection that says what is wrong, then the pools.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, PgConnection, PgPool, SqliteConnection, query_as};

use super::dispatch::DEADLINE;
use super::{Apart, Engine, Store};
use crate::error::{Code, Refusal};

/// Which database, and how many connections to it.
#[derive(Clone)]
pub struct StoreConfig {
    /// `sqlite:` and a path, or `postgres://…` without a password.
    pub url: String,
    pub password: Option<String>,
    /// Most connections of callers: to PostgreSQL, or of SQLite's readers.
    pub connections: u32,
}

/// PostgreSQL 15, as `SHOW server_version_num` says it.
const OLDEST_POSTGRES: u32 = 150_000;

impl Store {
    /// Opens the database, makes the file if it is a file and absent, and brings its tables up to date.
    pub async fn open(config: &StoreConfig) -> Result<Self, Refusal> {
        let store = Self::connect(config).await?;
        store.migrate().await?;
        Ok(store)
    }

    /// Opens the database and leaves its tables as they are.
    pub(super) async fn connect(config: &StoreConfig) -> Result<Self, Refusal> {
        let (engine, apart) = match config.url.strip_prefix("sqlite:") {
            Some(path) => (open_file(path, config.connections).await?, None),
            None => open_server(config).await?,
        };
        Ok(Self {
            engine,
            apart,
            recall: Arc::default(),
            keys: Arc::default(),
            epoch: None,
            #[cfg(feature = "testing")]
            shifted: Arc::default(),
        })
    }
}

async fn open_file(path: &str, readers: u32) -> Result<Engine, Refusal> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(DEADLINE);
    let first = async { SqliteConnection::connect_with(&options).await?.close().await };
    first.await.map_err(|error| cannot_open(path, &error))?;
    let pool = |most| SqlitePoolOptions::new().max_connections(most).acquire_timeout(DEADLINE);
    Ok(Engine::Sqlite {
        // Kept for good: closing and opening it would cost each writer a checkpoint.
        writer: pool(1).idle_timeout(None).max_lifetime(None).connect_lazy_with(options.clone()),
        readers: pool(readers.max(1)).connect_lazy_with(options.pragma("query_only", "1")),
    })
}

async fn open_server(config: &StoreConfig) -> Result<(Engine, Option<Apart>), Refusal> {
    let ours = config.url.starts_with("postgres://") || config.url.starts_with("postgresql://");
    let parsed = config.url.parse::<PgConnectOptions>().ok().filter(|_| ours);
    let options = parsed.ok_or_else(|| {
        Refusal::new(
            Code::Invalid,
            "database.url 无法识别:应为 sqlite:路径 或 postgres://用户@主机:端口/库名",
            "database.url is not understood: sqlite:PATH or postgres://USER@HOST:PORT/DATABASE",
        )
    })?;
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
    check_server(&options).await?;
    // What these ask for they ask by its key: a plan that was made while a table was small shall not read it row by row
    // when it has grown.
    let keyed = options.clone().options([("enable_seqscan", "off")]);
    let apart =
        Apart { lease: pool(options.clone(), 1), ledger: pool(keyed.clone(), 2), questions: pool(keyed, 2) };
    Ok((Engine::Postgres(pool(options, config.connections.max(2))), Some(apart)))
}

/// Whether the server answers, and is one that the store's tables can be made in.
async fn check_server(options: &PgConnectOptions) -> Result<(), Refusal> {
    const ABOUT: &str = "SELECT current_setting('server_version_num'), current_setting('server_encoding')";
    let place = format!("{}:{}", options.get_host(), options.get_port());
    let first = async {
        let mut conn = PgConnection::connect_with(options).await?;
        let about: (String, String) = query_as(ABOUT).fetch_one(&mut conn).await?;
        conn.close().await?;
        Ok::<_, sqlx::Error>(about)
    };
    let (version, encoding) = match tokio::time::timeout(DEADLINE, first).await {
        Ok(about) => about.map_err(|error| cannot_open(&place, &error))?,
        Err(_) => return Err(cannot_open(&place, &"no answer in 3 s")),
    };
    if version.parse().is_ok_and(|version: u32| version >= OLDEST_POSTGRES) && encoding == "UTF8" {
        return Ok(());
    }
    Err(Refusal::new(
        Code::InvalidState,
        format!(
            "需要 PostgreSQL 15 或更新版本、编码 UTF8 的数据库;{place} 的版本是 {version},编码是 {encoding}"
        ),
        format!(
            "PostgreSQL 15 or later with a database in UTF8 is needed; {place} has version {version}, encoding \
             {encoding}"
        ),
    ))
}

fn pool(options: PgConnectOptions, connections: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(DEADLINE)
        // A ping for each use would double the cost of a read; one that idled may have lost its server.
        .test_before_acquire(false)
        .before_acquire(|conn, idle| {
            Box::pin(async move { Ok(idle.idle_for < Duration::from_secs(1) || conn.ping().await.is_ok()) })
        })
        .connect_lazy_with(options)
}

/// At a start no statement has run yet, so the engine's words quote nothing but the address.
fn cannot_open(place: &str, error: &dyn Display) -> Refusal {
    Refusal::new(
        Code::StoreUnavailable,
        format!("无法打开数据库 {place}:{error};请检查 database.url、权限和网络"),
        format!("cannot open the database {place}: {error}; check database.url, permissions and network"),
    )
}
