//! Where the catalog is remembered: one store on two engines, SQLite (embedded) and PostgreSQL, each SQL text once.
//!
//! `Session` reads, `Tx` also writes and commits; their methods are grouped by table, a file each. To add a table:
//! a new numbered file of the same name in both folders of `migrations/`, its line in `migrate.rs`, a file here, and
//! a case for every method in `tests/conformance`.

mod accounts;
mod agencies;
mod asking;
mod audit;
mod begin;
mod connectors;
mod counters;
mod directory;
mod dispatch;
mod document;
mod error;
mod evolution;
mod fallen;
mod grants;
mod idempotency;
mod keys;
mod ledger;
mod live_readers;
mod lock;
mod look;
mod migrate;
mod notes;
mod open;
mod page;
mod places;
mod positions;
mod quarantine;
mod quotas;
mod recall;
mod reconcile;
mod refusals;
mod registry;
mod requests;
mod resources;
mod results;
mod schemas;
mod server;
mod sources;
mod subscriptions;
#[cfg(feature = "testing")]
pub mod testing;
mod time;
mod topics;
mod visibility;
mod windows;

use std::sync::Arc;

use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres, Sqlite, SqlitePool, Transaction};

use asking::Asking;
pub use audit::{EventFilter, EventPlace, EventRef, StoredEvent};
pub use counters::IDS_AHEAD;
pub use evolution::{Footing, Ground, Judged};
pub use keys::NewKey;
pub use ledger::StoreLedger;
pub use lock::{Lock, LockClass};
pub use look::Look;
pub use notes::Note;
pub use open::StoreConfig;
pub use page::Page;
pub use places::{Asker, Places, asked_by, asked_now_by, carried};
pub use quarantine::{QuarantineEntry, QuarantineState};
pub use quotas::QuotaUse;
use recall::{Changing, Recall};
pub use reconcile::{
    Decided, Decision, Difference, Exported, FirstKept, LogHolds, Mismatch, Reconciled, Repeatable, Says,
    read_exported,
};
pub use refusals::RefusalCount;
pub use registry::{Listed, Versions};
pub use resources::{Rejection, ResourceChange, ResourceQuery, StandingConsent};
pub use results::StoredResult;
pub use server::{LEASE, Lease, RENEW};

use crate::ids::KeyId;

/// The store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    engine: Engine,
    /// PostgreSQL's connections for the server's own work.
    apart: Option<Apart>,
    recall: Arc<Recall>,
    /// Keys of callers that are asked for while nobody is known yet.
    keys: Arc<Asking<KeyId>>,
    /// Of the server that works with it: every transaction that writes compares it (protocol.md 10).
    epoch: Option<i64>,
    /// Milliseconds that a test has moved its clock by.
    #[cfg(feature = "testing")]
    shifted: Arc<std::sync::atomic::AtomicI64>,
}

/// Connections to PostgreSQL that wait behind no caller.
#[derive(Debug, Clone)]
struct Apart {
    /// Renews the lease.
    lease: PgPool,
    /// Commits groups, on the committer's own thread and from nowhere else: a connection is served by the runtime that
    /// opened it.
    ledger: PgPool,
    /// Questions that many ask together.
    questions: PgPool,
}

#[derive(Debug, Clone)]
enum Engine {
    Sqlite {
        /// One connection, handed out first come, first served: SQLite has one writer at a time.
        writer: SqlitePool,
        readers: SqlitePool,
    },
    Postgres(PgPool),
}

/// A connection that reads; every statement sees what is committed when it begins.
#[derive(Debug)]
pub struct Session {
    link: Link,
    /// Whose connection it is.
    _held: places::Held,
}

#[derive(Debug)]
enum Link {
    SqliteRead(PoolConnection<Sqlite>),
    SqliteWrite(Transaction<'static, Sqlite>),
    PostgresRead(PoolConnection<Postgres>),
    PostgresWrite(Transaction<'static, Postgres>),
}

/// A transaction that writes. Dropped without `commit`, it leaves nothing behind.
#[derive(Debug)]
pub struct Tx {
    session: Session,
    /// Of a group: the epoch that must be in force when it is committed.
    epoch: Option<i64>,
    /// What is remembered may be old once this has ended.
    changing: Option<Changing>,
}

impl std::ops::Deref for Tx {
    type Target = Session;
    fn deref(&self) -> &Session {
        &self.session
    }
}

impl std::ops::DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.session
    }
}
