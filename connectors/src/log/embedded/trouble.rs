//! Why the file could not be used, and what the caller is told.

use std::path::Path;

use changtong_catalog::error::{Code, Refusal};

use crate::log::refusals;

/// SQLite's primary result code for a full disk, and its extended codes for a sync that failed.
const FULL: i32 = 13;
const FAILED_SYNC: [i32; 3] = [1034, 1290, 1546];

#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("{0}")]
    Refused(Refusal),
    #[error("{0}")]
    Sql(#[from] sqlx::Error),
    #[error("a stored row is not what was written")]
    Damaged,
    /// These offsets of a partition cannot be read: rows are gone, or not what was written.
    #[error("offsets {from} to {until} of partition {partition} are not what was written")]
    Lost { partition: i32, from: i64, until: i64 },
    #[error("layout {0} is newer than this program knows")]
    Newer(i64),
    #[error("a sync failed; restart the server, which reads what the disk holds")]
    Halted,
    #[error("the task that writes it has ended; restart the server")]
    Ended,
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Trouble {
    fn sqlite_code(&self) -> Option<i32> {
        let Self::Sql(error) = self else { return None };
        error.as_database_error()?.code()?.parse().ok()
    }

    pub(super) fn is_of_the_file(&self) -> bool {
        matches!(self, Self::Sql(_) | Self::Damaged | Self::Lost { .. })
    }

    pub(super) fn is_failed_sync(&self) -> bool {
        self.sqlite_code().is_some_and(|code| FAILED_SYNC.contains(&code))
    }

    pub(super) fn refusal(self, path: &Path) -> Refusal {
        let path = path.display();
        match self {
            Self::Refused(refusal) => refusal,
            Self::Lost { from, until, .. } => refusals::damaged(&path.to_string(), from, until),
            Self::Sql(_) if self.sqlite_code().is_some_and(|code| code & 0xff == FULL) => Refusal::new(
                Code::StorageFull,
                format!("日志文件 {path} 所在磁盘已满:请腾出空间,然后重试"),
                format!("the disk of the log file {path} is full: make room, then try again"),
            )
            .retry_after(std::time::Duration::from_secs(30)),
            other => refusals::unavailable(
                format!("日志文件 {path} 无法读写:{other}"),
                format!("the log file {path} cannot be used: {other}"),
            ),
        }
    }
}
