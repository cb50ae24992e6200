//! Fresh stores for tests, and the stamp that runs one case on both engines.
//!
//! PostgreSQL is named by `CHANGTONG_TEST_POSTGRES` (a URL of a server where databases may be made). A machine that
//! cannot have it says so in `CHANGTONG_TEST_WITHOUT=postgres`, and the test run prints that.
#![expect(
    clippy::panic,
    reason = "a test that cannot have its store must fail, with the way out in its words"
)]

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection, PgConnection, query_as, raw_sql};
use tempfile::TempDir;

use super::dispatch::{Conn, within};
use super::{Store, StoreConfig};
use crate::error::Refusal;

/// A store that nothing else uses.
pub struct Fresh {
    pub store: Store,
    /// With which further stores on the same database can be opened.
    pub config: StoreConfig,
    place: Place,
}

enum Place {
    Folder { _kept: TempDir },
    Database { server: String, name: String },
}

/// A store in a file of a folder of its own.
pub async fn sqlite() -> Fresh {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("no folder for a test store: {error}"));
    let url = format!("sqlite:{}", folder.path().join("store.db").display());
    let config = StoreConfig { url, password: None, connections: 4 };
    let store = open(&config).await;
    Fresh { store, config, place: Place::Folder { _kept: folder } }
}

/// A database of its own; `None` where the machine is declared to have no PostgreSQL.
pub async fn postgres() -> Option<Fresh> {
    let server = variable("CHANGTONG_TEST_POSTGRES");
    if server.is_empty() {
        if variable("CHANGTONG_TEST_WITHOUT").split(',').any(|engine| engine.trim() == "postgres") {
            return None;
        }
        panic!(
            "CHANGTONG_TEST_POSTGRES names no PostgreSQL: run `make test`, which starts one, or set it to \
             postgres://USER@HOST:PORT/DATABASE; on a machine without PostgreSQL set \
             CHANGTONG_TEST_WITHOUT=postgres"
        );
    }
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("ct_test_{}_{count}", std::process::id());
    // A run that was killed may have left a database of this name.
    on_server(&server, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
    on_server(&server, format!("CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")).await;
    let config = StoreConfig { url: with_database(&server, &name), password: None, connections: 6 };
    let store = open(&config).await;
    Some(Fresh { store, config, place: Place::Database { server, name } })
}

impl Fresh {
    /// Closes the store and removes its database.
    pub async fn done(self) {
        self.store.close().await;
        if let Place::Database { server, name } = &self.place {
            on_server(server, format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }
}

/// Runs a case on SQLite.
pub async fn on_sqlite(case: impl AsyncFn(&Store)) {
    let fresh = sqlite().await;
    case(&fresh.store).await;
    fresh.done().await;
}

/// Runs a case on PostgreSQL.
pub async fn on_postgres(case: impl AsyncFn(&Store)) {
    if let Some(fresh) = postgres().await {
        case(&fresh.store).await;
        fresh.done().await;
    }
}

/// Stamps each `async fn case(store: &Store)` of the module as a test of both engines.
#[macro_export]
macro_rules! conformance {
    ($($case:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::store::testing::on_sqlite(super::$case).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::store::testing::on_postgres(super::$case).await;
            })*
        }
    };
}
pub use crate::conformance;

/// Every table and column with whether it may be null, to compare the two folders of migrations.
pub async fn columns(store: &Store) -> Result<Vec<(String, String, bool)>, Refusal> {
    const SQLITE: &str = "SELECT t.name, c.name, c.\"notnull\" = 0 \
        FROM sqlite_schema t JOIN pragma_table_info(t.name) c \
        WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY t.name, c.name";
    // Partitions are PostgreSQL's own; their parent stands for them.
    const POSTGRES: &str = "SELECT t.relname::text, c.attname::text, NOT c.attnotnull \
        FROM pg_class t JOIN pg_attribute c ON c.attrelid = t.oid \
        JOIN pg_namespace n ON n.oid = t.relnamespace \
        WHERE n.nspname = current_schema() AND t.relkind IN ('r', 'p') AND NOT t.relispartition \
        AND c.attnum > 0 AND NOT c.attisdropped \
        ORDER BY t.relname::text COLLATE \"C\", c.attname::text COLLATE \"C\"";
    let mut session = store.read().await?;
    match session.conn() {
        Conn::Sqlite(conn) => within(query_as(SQLITE).fetch_all(conn)).await,
        Conn::Postgres(conn) => within(query_as(POSTGRES).fetch_all(conn)).await,
    }
}

async fn open(config: &StoreConfig) -> Store {
    Store::open(config).await.unwrap_or_else(|refusal| panic!("the test store does not open: {refusal}"))
}

async fn on_server(server: &str, statement: String) {
    let done = async {
        let mut conn = PgConnection::connect(server).await?;
        raw_sql(AssertSqlSafe(statement.as_str())).execute(&mut conn).await?;
        conn.close().await
    };
    done.await.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

/// The server's URL with another database.
fn with_database(server: &str, name: &str) -> String {
    let (address, options) = match server.split_once('?') {
        Some((address, options)) => (address, format!("?{options}")),
        None => (server, String::new()),
    };
    let authority = address.find("://").map_or(0, |at| at + 3);
    let end = address[authority..].find('/').map_or(address.len(), |at| authority + at);
    format!("{}/{name}{options}", &address[..end])
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one setting that tests have, read before any settings exist"
)]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}
