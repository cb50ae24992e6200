//! The SQLite file: how it is opened, guarded and laid out.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use changtong_catalog::error::{Code, Refusal};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::state::{PartitionState, TopicState};
use super::trouble::Trouble;

const READERS: u32 = 4;

/// `PRAGMA user_version` of the layout below; a file of a later one is refused.
const LAYOUT: i64 = 1;

const TABLES: &str = "
create table if not exists topic (
    id integer primary key,
    name text not null unique,
    partitions integer not null,
    retention_ms integer
) strict;
-- What must outlive the rows of a partition: where its kept records begin, and the append time of the last removed.
create table if not exists cleared (
    topic integer not null references topic,
    partition integer not null,
    first integer not null,
    last_ms integer not null,
    primary key (topic, partition)
) strict;
create table if not exists batch (
    id integer primary key,
    topic integer not null references topic,
    partition integer not null,
    first integer not null,
    last integer not null,
    appended_ms integer not null,
    crc integer not null,
    bytes blob not null
) strict;
create unique index if not exists batch_offset on batch (topic, partition, last, first);
create index if not exists batch_time on batch (topic, partition, appended_ms, first);
pragma user_version = 1;
";

/// Held for the log's life: the readers of a second process would be right, its writer would not.
pub(super) fn lock(path: &Path) -> Result<File, Refusal> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(PathBuf::from(name));
    let file = file.map_err(|error| cannot_open(path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Refusal::new(
            Code::AnotherServerActive,
            format!("日志文件 {} 正被另一个进程使用", path.display()),
            format!("another process uses the log file {}", path.display()),
        )),
        Err(TryLockError::Error(error)) => Err(cannot_open(path, &error)),
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .page_size(8192)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5))
        .pragma("wal_autocheckpoint", "2000")
        .pragma("journal_size_limit", "67108864")
        .row_buffer_size(8)
        .disable_statement_logging()
}

/// The writer's connection, with the tables made.
pub(super) async fn open_writer(path: &Path) -> Result<SqliteConnection, Trouble> {
    let mut connection = options(path).connect().await?;
    let layout: i64 = sqlx::query_scalar("pragma user_version").fetch_one(&mut connection).await?;
    if layout > LAYOUT {
        return Err(Trouble::Newer(layout));
    }
    if layout == 0 {
        let mut tx = connection.begin_with("begin immediate").await?;
        sqlx::raw_sql(TABLES).execute(&mut *tx).await?;
        tx.commit().await?;
    }
    Ok(connection)
}

pub(super) fn open_readers(path: &Path) -> SqlitePool {
    let options = options(path).read_only(true).create_if_missing(false);
    SqlitePoolOptions::new().max_connections(READERS).connect_lazy_with(options)
}

/// What the file holds of every topic.
pub(super) async fn load(
    connection: &mut SqliteConnection,
) -> Result<BTreeMap<String, TopicState>, sqlx::Error> {
    let mut topics = BTreeMap::new();
    let found: Vec<(i64, String, i64, Option<i64>)> =
        sqlx::query_as("select id, name, partitions, retention_ms from topic")
            .fetch_all(&mut *connection)
            .await?;
    for (id, name, count, retention_ms) in found {
        let mut partitions = Vec::new();
        for number in 0..count {
            partitions.push(load_partition(connection, id, number).await?);
        }
        topics.insert(name, TopicState { id, retention_ms, partitions });
    }
    Ok(topics)
}

async fn load_partition(
    connection: &mut SqliteConnection,
    topic: i64,
    number: i64,
) -> Result<PartitionState, sqlx::Error> {
    let cleared: Option<(i64, i64)> =
        sqlx::query_as("select first, last_ms from cleared where topic = $1 and partition = $2")
            .bind(topic)
            .bind(number)
            .fetch_optional(&mut *connection)
            .await?;
    let last: Option<(i64, i64)> = sqlx::query_as(
        "select last, appended_ms from batch where topic = $1 and partition = $2 order by last desc limit 1",
    )
    .bind(topic)
    .bind(number)
    .fetch_optional(&mut *connection)
    .await?;
    let (first, cleared_ms) = cleared.unwrap_or((0, 0));
    let (end, last_ms) = last.map_or((first, cleared_ms), |(last, ms)| (last + 1, ms));
    Ok(PartitionState { first, end, last_ms })
}

fn cannot_open(path: &Path, error: &dyn std::fmt::Display) -> Refusal {
    Refusal::new(
        Code::BrokerUnavailable,
        format!("日志文件 {} 无法打开:{error}", path.display()),
        format!("the log file {} cannot be opened: {error}", path.display()),
    )
}
