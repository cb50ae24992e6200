//! Sessions to read with, and the transactions that everything is written in.

use std::time::Duration;

use super::dispatch::DEADLINE;
use super::error::{late, leaves_commit_open, translate};
use super::places::{self, place};
use super::recall::Changing;
use super::{Apart, Engine, Link, Session, Store, Tx};
use crate::error::{Code, Refusal};
use crate::ports::CommitError;

impl Store {
    /// `sqlite` or `postgres`, for messages and metrics.
    #[must_use]
    pub fn engine(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite { .. } => "sqlite",
            Engine::Postgres(_) => "postgres",
        }
    }

    /// A connection to read with, in the name of whoever asks.
    pub async fn read(&self) -> Result<Session, Refusal> {
        self.read_with(place().await?).await
    }

    /// One for a question that many ask together.
    pub(super) async fn read_for_all(&self) -> Result<Session, Refusal> {
        let questions = self.apart.as_ref().map(|apart| Engine::Postgres(apart.questions.clone()));
        read_on(questions.as_ref().unwrap_or(&self.engine), places::Held::new()).await
    }

    async fn read_with(&self, held: places::Held) -> Result<Session, Refusal> {
        read_on(&self.engine, held).await
    }

    /// The same store over the connections that commit groups.
    pub(super) fn committing(&self) -> Self {
        match &self.apart {
            Some(apart) => Self { engine: Engine::Postgres(apart.ledger.clone()), ..self.clone() },
            None => self.clone(),
        }
    }

    /// The store as the server of that epoch works with it: whatever it writes, it writes only while that epoch is in
    /// force.
    #[must_use]
    pub fn under(&self, epoch: i64) -> Self {
        Self { epoch: Some(epoch), ..self.clone() }
    }

    /// A transaction to write with. Under an epoch it is refused unless that epoch is in force, and no other server
    /// can take the database before it has ended.
    pub async fn begin(&self) -> Result<Tx, Refusal> {
        let tx = self.begin_moving().await?;
        Ok(Tx { changing: Some(Changing::new(&self.recall)), ..tx })
    }

    /// The same for what moves records alone: it changes nothing that is remembered of keys and entries.
    pub(crate) async fn begin_moving(&self) -> Result<Tx, Refusal> {
        let mut tx = self.begin_unfenced().await?;
        if let Some(epoch) = self.epoch {
            tx.hold_epoch(epoch).await?;
        }
        Ok(tx)
    }

    /// The same for a group, whose every step all in it wait for: the lock of the epoch is the first of its locks, and
    /// the epoch is compared in the question before COMMIT.
    pub(super) async fn begin_group(&self) -> Result<Tx, Refusal> {
        let tx = self.begin_unfenced().await?;
        Ok(Tx { epoch: self.epoch, ..tx })
    }

    /// To renew the lease: while a database is slow to answer, a crowd of callers holds every connection of theirs for as
    /// long as a lease lasts. (SQLite's one writer is handed out first come, first served, and answers or fails at once.)
    pub(super) async fn begin_renewal(&self) -> Result<Tx, Refusal> {
        match &self.apart {
            Some(apart) => begin_on(&Engine::Postgres(apart.lease.clone()), places::Held::new()).await,
            None => self.begin_unfenced().await,
        }
    }

    /// IMMEDIATE on SQLite, so that no later statement finds another writer in its way; READ COMMITTED on PostgreSQL.
    pub(super) async fn begin_unfenced(&self) -> Result<Tx, Refusal> {
        begin_on(&self.engine, place().await?).await
    }

    /// A connection whose statements all see one moment of the store.
    pub(super) async fn snapshot(&self) -> Result<Session, Refusal> {
        let held = place().await?;
        let link = match &self.engine {
            Engine::Sqlite { readers, .. } => readers.begin().await.map(Link::SqliteWrite),
            Engine::Postgres(pool) => {
                let begun = pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await;
                begun.map(Link::PostgresWrite)
            }
        };
        link.map(|link| Session { link, _held: held }).map_err(|error| translate(&error))
    }

    /// Waits for running statements and closes all connections.
    pub async fn close(&self) {
        if let Some(Apart { lease, ledger, questions }) = &self.apart {
            for pool in [lease, ledger, questions] {
                pool.close().await;
            }
        }
        match &self.engine {
            Engine::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Engine::Postgres(pool) => pool.close().await,
        }
    }
}

async fn read_on(engine: &Engine, held: places::Held) -> Result<Session, Refusal> {
    let link = match engine {
        Engine::Sqlite { readers, .. } => readers.acquire().await.map(Link::SqliteRead),
        Engine::Postgres(pool) => pool.acquire().await.map(Link::PostgresRead),
    };
    link.map(|link| Session { link, _held: held }).map_err(|error| translate(&error))
}

async fn begin_on(engine: &Engine, held: places::Held) -> Result<Tx, Refusal> {
    let begun = async {
        match engine {
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
    Ok(Tx { session: Session { link, _held: held }, epoch: None, changing: None })
}

impl Tx {
    /// Commits, and says of a failure whether COMMIT may still have taken effect.
    pub async fn commit(mut self) -> Result<(), CommitError> {
        // PostgreSQL answers the COMMIT of a transaction in which a statement failed as if all were well, and rolls
        // back: a question fails there, and on a dead connection too, before COMMIT is sent.
        if let Some(epoch) = self.epoch {
            self.is_in_force(epoch).await.map_err(CommitError::NotSent)?;
        } else if let Link::PostgresWrite(tx) = &mut self.session.link {
            let asked = super::dispatch::within(sqlx::query("SELECT 1").execute(&mut **tx)).await;
            asked.map_err(CommitError::NotSent)?;
        }
        let committed = async {
            match self.session.link {
                Link::SqliteWrite(tx) => tx.commit().await,
                Link::PostgresWrite(tx) => tx.commit().await,
                Link::SqliteRead(_) | Link::PostgresRead(_) => Ok(()),
            }
        };
        let committed = tokio::time::timeout(DEADLINE, committed).await;
        drop(self.changing);
        match committed {
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
