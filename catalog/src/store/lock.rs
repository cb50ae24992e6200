//! The locks of protocol.md 3: transaction-level advisory locks on PostgreSQL, nothing on SQLite, whose writer is
//! alone anyway. What is decided under a lock is read after it.

use std::collections::BTreeMap;
use std::fmt::Display;

use sha2::{Digest, Sha256};
use sqlx::{Encode, Postgres, Type, query};

use super::dispatch::{Conn, within};
use super::{Session, Tx};
use crate::error::Refusal;

/// What is locked, in the order in which a transaction takes its locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockClass {
    /// One lock: shared by all that a server writes, alone to whoever takes the database.
    Epoch = 0,
    /// Id: the text of the whole scope and key.
    Idempotency,
    /// Id: resource number and connector.
    Source,
    Agency,
    Account,
    Key,
    /// Id: the number of the resource, for all its generations.
    Topic,
    Grant,
    Quota,
    /// Id: a context of the Schema Registry.
    Registry,
}

/// One lock: a class and an id, as the 64-bit key that PostgreSQL wants. Two ids with one key only wait for each
/// other without need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lock {
    class: LockClass,
    key: i64,
}

impl Lock {
    pub fn on(class: LockClass, id: impl Display) -> Self {
        let digest = Sha256::digest(id.to_string());
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&digest[..8]);
        bytes[0] = class as u8;
        Self { class, key: i64::from_be_bytes(bytes) }
    }
}

const SHARED: &str = "SELECT count(pg_advisory_xact_lock_shared(k)) FROM unnest($1::bigint[]) AS t(k)";
const EXCLUSIVE: &str = "SELECT count(pg_advisory_xact_lock(k)) FROM unnest($1::bigint[]) AS t(k)";

impl Tx {
    pub async fn lock_shared(&mut self, class: LockClass, id: impl Display) -> Result<(), Refusal> {
        self.lock_all_shared(vec![Lock::on(class, id)]).await
    }

    pub async fn lock_exclusive(&mut self, class: LockClass, id: impl Display) -> Result<(), Refusal> {
        self.lock_all_exclusive(vec![Lock::on(class, id)]).await
    }

    /// Takes all of them in one statement, in the order every transaction takes them.
    pub async fn lock_all_shared(&mut self, locks: Vec<Lock>) -> Result<(), Refusal> {
        lock(self, SHARED, locks).await
    }

    pub async fn lock_all_exclusive(&mut self, locks: Vec<Lock>) -> Result<(), Refusal> {
        lock(self, EXCLUSIVE, locks).await
    }
}

impl Tx {
    /// Holds a row until the transaction ends, so that what is decided on it still stands when it is written. The
    /// SQL is PostgreSQL's (`… FOR UPDATE`); SQLite's one writer holds everything.
    pub(super) async fn hold<T>(&mut self, sql: &'static str, id: T) -> Result<(), Refusal>
    where
        T: for<'q> Encode<'q, Postgres> + Type<Postgres> + Send,
    {
        match self.conn() {
            Conn::Sqlite(_) => Ok(()),
            Conn::Postgres(conn) => within(query(sql).bind(id).execute(conn)).await.map(drop),
        }
    }
}

const MIXED: &str = "SELECT count(CASE WHEN alone THEN pg_advisory_xact_lock(k) \
    ELSE pg_advisory_xact_lock_shared(k) END) FROM unnest($1::bigint[], $2::boolean[]) AS t(k, alone)";

impl Tx {
    /// Shared and exclusive locks of all classes in one statement, in the order every transaction takes them.
    pub async fn lock_mixed(&mut self, shared: Vec<Lock>, exclusive: Vec<Lock>) -> Result<(), Refusal> {
        let Conn::Postgres(conn) = self.conn() else { return Ok(()) };
        let mut locks: BTreeMap<Lock, bool> = shared.into_iter().map(|lock| (lock, false)).collect();
        locks.extend(exclusive.into_iter().map(|lock| (lock, true)));
        if locks.is_empty() {
            return Ok(());
        }
        let (keys, alone): (Vec<i64>, Vec<bool>) =
            locks.into_iter().map(|(lock, alone)| (lock.key, alone)).unzip();
        within(query(MIXED).bind(keys).bind(alone).execute(conn)).await.map(drop)
    }
}

async fn lock(session: &mut Session, sql: &'static str, mut locks: Vec<Lock>) -> Result<(), Refusal> {
    locks.sort_unstable();
    locks.dedup();
    if locks.is_empty() {
        return Ok(());
    }
    match session.conn() {
        // The one writer is exclusive by itself.
        Conn::Sqlite(_) => Ok(()),
        Conn::Postgres(conn) => {
            let keys: Vec<i64> = locks.iter().map(|lock| lock.key).collect();
            within(query(sql).bind(keys).execute(conn)).await.map(drop)
        }
    }
}
