//! `[sink.sql]` of a connector's file, and the connection it names.

use std::str::FromStr as _;
use std::time::Duration;

use changtong_catalog::error::{Code, Refusal};
use serde::Deserialize;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

use super::opened;
use super::refusals::database;
use super::target::{Connected, Target};
use crate::root::{Root, plain};
use crate::runner::Surroundings;

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SqlSinkSpec {
    /// `sqlite:PATH` below `connectors.root`, or `postgres://USER@HOST:PORT/NAME`.
    pub url: String,
    /// PostgreSQL's password, as `file:NAME`.
    pub password: Option<String>,
    pub table: String,
}

const PATIENCE: Duration = Duration::from_secs(10);

impl SqlSinkSpec {
    pub fn check(&self) -> Result<(), Refusal> {
        let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let named = (1..=63).contains(&self.table.len())
            && self.table.chars().all(letters)
            && !self.table.starts_with(|c: char| c.is_ascii_digit());
        if !named || self.table.starts_with("changtong_") || self.table.starts_with("sqlite_") {
            return Err(wrong(
                "table",
                "应为 1 至 63 个小写字母、数字、下划线,不以数字、changtong_ 或 sqlite_ 开头",
                "1 to 63 of a-z, 0-9 and '_', not beginning with a digit, changtong_ or sqlite_",
            ));
        }
        // Whatever else stands there may be the password itself, and the file is kept and shown.
        if self.password.as_ref().is_some_and(|password| !password.starts_with("file:")) {
            return Err(wrong(
                "password",
                "口令须写作 file:名称,不得写口令本身",
                "a password is named as file:NAME, never written itself",
            ));
        }
        if let Some(path) = self.url.strip_prefix("sqlite:") {
            return plain(path).map(drop);
        }
        let Some(address) = self.url.strip_prefix("postgres://") else {
            return Err(wrong(
                "url",
                "应为 sqlite:路径 或 postgres://用户@主机:端口/库名",
                "sqlite:PATH or postgres://USER@HOST:PORT/NAME is wanted",
            ));
        };
        let user = address.split_once('@').map_or("", |(user, _)| user);
        if user.contains(':') || address.contains("password=") {
            return Err(wrong(
                "url",
                "地址中不得写密码;请用 password = \"file:名称\"",
                "no password belongs in an address; use password = \"file:NAME\"",
            ));
        }
        PgConnectOptions::from_str(&self.url)
            .map(drop)
            .map_err(|_| wrong("url", "不是 PostgreSQL 地址", "not an address of PostgreSQL"))
    }

    pub(super) async fn connect(
        &self,
        root: &Root,
        surroundings: &dyn Surroundings,
    ) -> Result<Target, Refusal> {
        let connecting = async {
            if let Some(path) = self.url.strip_prefix("sqlite:") {
                return self.sqlite(root, path).await;
            }
            self.postgres(surroundings).await
        };
        let late = |_| database(sqlx::Error::PoolTimedOut);
        tokio::time::timeout(PATIENCE, connecting).await.map_err(late)?
    }

    async fn sqlite(&self, root: &Root, path: &str) -> Result<Target, Refusal> {
        let options = SqliteConnectOptions::new()
            .filename(root.absolute(path)?)
            .create_if_missing(false)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5))
            .disable_statement_logging();
        let mut connection = opened::connect(root, path, &options).await?;
        let written_ahead = sqlx::query("PRAGMA journal_mode = WAL").execute(&mut connection).await;
        written_ahead.map_err(database)?;
        Ok(Target::new(Connected::Sqlite(connection)))
    }

    async fn postgres(&self, surroundings: &dyn Surroundings) -> Result<Target, Refusal> {
        let options = PgConnectOptions::from_str(&self.url).map_err(database)?;
        surroundings.may_reach(options.get_host(), options.get_port())?;
        let mut options = options
            .application_name("changtong")
            .options([("statement_timeout", "30s"), ("idle_in_transaction_session_timeout", "60s")])
            .disable_statement_logging();
        if !self.url.contains("sslmode=") {
            options = options.ssl_mode(PgSslMode::Prefer);
        }
        if let Some(reference) = &self.password {
            options = options.password(&surroundings.secret(reference)?);
        }
        let connection = PgConnection::connect_with(&options).await.map_err(database)?;
        Ok(Target::new(Connected::Postgres(connection)))
    }
}

fn wrong(field: &str, zh: &str, en: &str) -> Refusal {
    Refusal::new(Code::Invalid, format!("sink.sql.{field}:{zh}"), format!("sink.sql.{field}: {en}"))
        .with("path", format!("sink.sql.{field}"))
}
