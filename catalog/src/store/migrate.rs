//! Brings the tables up to date at start, under a lock. Migrations only add; a landed file is never edited; the
//! database holds `min_binary`, and only a binary older than that is refused.

use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, query, query_as, raw_sql};

use super::dispatch::{Conn, on, one, rows, within};
use super::error::translate;
use super::{Store, Tx};
use crate::clock::Time;
use crate::error::{Code, Refusal};

struct Migration {
    /// The same in both folders.
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
    /// The oldest binary that can work with a database that has it.
    min_binary: &'static str,
}

macro_rules! migrations {
    ($($name:literal since $min_binary:literal),* $(,)?) => {
        &[$(Migration {
            name: $name,
            sqlite: include_str!(concat!("../../migrations/sqlite/", $name, ".sql")),
            postgres: include_str!(concat!("../../migrations/postgres/", $name, ".sql")),
            min_binary: $min_binary,
        }),*]
    };
}

const MIGRATIONS: &[Migration] = migrations![
    "0001_catalog" since "0.1.0",
    "0002_bus" since "0.1.0",
    "0003_standing" since "0.1.0",
    "0004_generations" since "0.1.0",
    "0005_registry" since "0.1.0",
    "0006_lost" since "0.1.0",
    "0007_registry_bounds" since "0.1.0",
    "0008_proposals" since "0.1.0",
    "0009_registry_lookups" since "0.1.0",
    "0010_grant_schemas" since "0.1.0",
    "0011_marked" since "0.1.0",
];

const RECORDS: &str = "CREATE TABLE IF NOT EXISTS migration \
    (name TEXT NOT NULL PRIMARY KEY, checksum TEXT NOT NULL, min_binary TEXT NOT NULL, applied_at TEXT NOT NULL)";
/// Any number that nothing else in the database locks.
const LOCK: i64 = 0x6374_6d69_6772_6174;

#[derive(sqlx::FromRow)]
struct Applied {
    name: String,
    checksum: String,
    min_binary: String,
}

impl Store {
    /// Applies what is missing. Two servers that start at once take turns.
    pub(super) async fn migrate(&self) -> Result<(), Refusal> {
        let now = self.now().await?;
        let mut tx = self.begin().await?;
        if let Conn::Postgres(conn) = tx.conn() {
            // A migration may take longer than a statement of the service.
            within(raw_sql("SET LOCAL statement_timeout = 0").execute(&mut *conn)).await?;
            query("SELECT pg_advisory_xact_lock($1)")
                .bind(LOCK)
                .execute(conn)
                .await
                .map_err(|error| translate(&error))?;
        }
        rows!(tx, |conn| raw_sql(RECORDS).execute(conn))?;
        let applied: Vec<Applied> =
            on!(tx, |conn| query_as("SELECT name, checksum, min_binary FROM migration").fetch_all(conn))?;
        for old in &applied {
            check_binary(&old.min_binary, env!("CARGO_PKG_VERSION"))?;
        }
        for migration in MIGRATIONS {
            match applied.iter().find(|old| old.name == migration.name) {
                Some(old) => check_unchanged(old, migration.checksum(self.engine()))?,
                None => apply(&mut tx, migration, self.engine(), now).await?,
            }
        }
        tx.fill_guids().await?;
        tx.finish().await
    }
}

async fn apply(tx: &mut Tx, migration: &Migration, engine: &str, now: Time) -> Result<(), Refusal> {
    let text = AssertSqlSafe(migration.text(engine));
    let done = match tx.conn() {
        Conn::Sqlite(conn) => raw_sql(text).execute(conn).await.map(drop),
        Conn::Postgres(conn) => raw_sql(text).execute(conn).await.map(drop),
    };
    done.map_err(|error| {
        tracing::error!(migration = migration.name, %error, "a migration failed");
        translate(&error)
    })?;
    const RECORD: &str =
        "INSERT INTO migration (name, checksum, min_binary, applied_at) VALUES ($1, $2, $3, $4)";
    let written = rows!(tx, |conn| query(RECORD)
        .bind(migration.name)
        .bind(migration.checksum(engine))
        .bind(migration.min_binary)
        .bind(crate::clock::rfc3339(now))
        .execute(conn))?;
    one(written)?;
    tracing::info!(migration = migration.name, "the store has new tables");
    Ok(())
}

impl Migration {
    fn text(&self, engine: &str) -> &'static str {
        if engine == "sqlite" { self.sqlite } else { self.postgres }
    }

    fn checksum(&self, engine: &str) -> String {
        Sha256::digest(self.text(engine)).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn check_unchanged(old: &Applied, checksum: String) -> Result<(), Refusal> {
    if old.checksum == checksum {
        return Ok(());
    }
    Err(Refusal::new(
        Code::InvalidState,
        format!("迁移 {} 与数据库中记录的校验和不同:程序文件被改动过;请用发布的程序启动", old.name),
        format!(
            "migration {} is not the one this database was made with (its checksum differs): start a released binary",
            old.name
        ),
    ))
}

fn check_binary(min_binary: &str, own: &str) -> Result<(), Refusal> {
    if version(min_binary) <= version(own) {
        return Ok(());
    }
    Err(Refusal::new(
        Code::InvalidState,
        format!("数据库由较新的程序升级过,至少需要 {min_binary},当前是 {own};请升级程序"),
        format!(
            "a newer binary has changed this database: it needs {min_binary} or later, this is {own}; upgrade"
        ),
    ))
}

/// Numbers of a version such as `0.1.0`; a pre-release counts as its release.
fn version(text: &str) -> Vec<u64> {
    let release = text.split(['-', '+']).next().unwrap_or(text);
    release.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests;
