//! What an engine's error means to a caller. The engine's own words go to the log of the server, never into an
//! answer: they may quote values.

use std::time::Duration;

use sqlx::Error;
use sqlx::error::ErrorKind;

use crate::error::{Code, Refusal};

/// How long a client should wait before it asks a store again that did not answer.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(2);

pub(super) fn translate(error: &Error) -> Refusal {
    let Error::Database(database) = error else {
        tracing::warn!(error = kind(error), "the store did not answer");
        return match error {
            Error::PoolTimedOut | Error::PoolClosed | Error::WorkerCrashed | Error::Io(_) | Error::Tls(_) => {
                unavailable()
            }
            Error::Protocol(_) | Error::BeginFailed => unavailable(),
            _ => internal(),
        };
    };
    let code = database.code().unwrap_or_default();
    if is_full(&code) {
        return full();
    }
    match database.kind() {
        ErrorKind::UniqueViolation => Refusal::new(
            Code::Conflict,
            "同名或同代码的对象已经存在",
            "something of that name or code exists already",
        ),
        // A value that the border should have refused: U+0000 in a text.
        _ if code == "22021" => super::document::refuse_nul(),
        _ if passes(&code) => {
            tracing::warn!(%code, "the store refused for the moment");
            unavailable()
        }
        _ => {
            tracing::error!(%code, constraint = database.constraint(), "the store refused a statement");
            internal()
        }
    }
}

/// Disk full: SQLite 13 (and 13 in the low byte), PostgreSQL class 53 `disk_full`.
fn is_full(code: &str) -> bool {
    code == "53100" || sqlite_primary(code) == Some(13)
}

/// States that pass: too many connections, out of memory, query cancelled by the deadline, shutdown, deadlock,
/// serialization, idle in transaction; SQLite busy, locked, interrupted, cannot open, I/O.
fn passes(code: &str) -> bool {
    const CLASSES: [&str; 4] = ["08", "53", "57", "40"];
    if code.len() == 5 && CLASSES.iter().any(|class| code.starts_with(class)) || code == "25P03" {
        return true;
    }
    matches!(sqlite_primary(code), Some(5 | 6 | 9 | 10 | 14))
}

/// SQLite's primary result code: the low byte of an extended one. PostgreSQL's codes have five characters.
fn sqlite_primary(code: &str) -> Option<u32> {
    if code.len() == 5 {
        return None;
    }
    code.parse::<u32>().ok().map(|code| code & 0xff)
}

/// After this error a COMMIT may still have taken effect: no answer came, or the server ended the session.
pub(super) fn leaves_commit_open(error: &Error) -> bool {
    let Error::Database(database) = error else { return true };
    let code = database.code().unwrap_or_default();
    code.starts_with("57P") && code.len() == 5 || sqlite_primary(&code) == Some(10)
}

pub(super) fn late() -> Refusal {
    tracing::warn!("a statement of the store passed its deadline");
    unavailable()
}

pub(super) fn unavailable() -> Refusal {
    Refusal::new(
        Code::StoreUnavailable,
        "数据库暂时不应答,未作任何更改;请稍后以同样的请求重试",
        "the database does not answer just now, nothing was changed; send the same request again in a moment",
    )
    .retry_after(RETRY_AFTER)
}

fn full() -> Refusal {
    tracing::error!("the disk of the store is full");
    Refusal::new(
        Code::StorageFull,
        "数据库所在磁盘已满,未作任何更改;请运维腾出空间后重试",
        "the disk of the database is full, nothing was changed; the operator must free space, then retry",
    )
    .retry_after(RETRY_AFTER)
}

pub(super) fn internal() -> Refusal {
    Refusal::new(
        Code::Internal,
        "服务器内部错误:数据库拒绝了一条语句,详见服务器日志",
        "a fault of the server: the database refused a statement; the server's log says which",
    )
}

/// The name of an error that carries no value of the statement.
fn kind(error: &Error) -> &'static str {
    match error {
        Error::Io(_) => "connection lost",
        Error::Tls(_) => "TLS",
        Error::Protocol(_) => "protocol",
        Error::PoolTimedOut => "no connection became free in time",
        Error::PoolClosed => "closed",
        Error::WorkerCrashed => "worker ended",
        Error::RowNotFound => "no row where one must be",
        Error::ColumnDecode { .. } | Error::Decode(_) | Error::ColumnNotFound(_) => "a row could not be read",
        Error::Encode(_) => "a value could not be bound",
        _ => "other",
    }
}
