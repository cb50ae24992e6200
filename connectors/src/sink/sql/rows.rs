//! How many rows a copy holds, for whoever checks it from outside the sink.

use std::path::Path;

use changtong_catalog::error::Refusal;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use super::refusals::database;
use super::spec::SqlSinkSpec;

/// Counts the rows of a table in an SQLite file.
pub async fn rows(file: &Path, table: &str) -> Result<u64, Refusal> {
    let spec = SqlSinkSpec { url: "sqlite:copy".to_owned(), password: None, table: table.to_owned() };
    spec.check()?;
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    let mut connection = options.connect().await.map_err(database)?;
    let count = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM \"{table}\"")));
    let rows: i64 = count.fetch_one(&mut connection).await.map_err(database)?;
    connection.close().await.map_err(database)?;
    Ok(rows.unsigned_abs())
}
