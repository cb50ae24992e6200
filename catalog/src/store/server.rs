//! One server per database (protocol.md 10): the row that says which node is in force, under which epoch, until when.

use std::time::Duration;

use sqlx::{query, query_as, query_scalar};
use uuid::Uuid;

use super::dispatch::{on, rows};
use super::error::internal;
use super::{Session, Store, Tx};
use crate::audit::{Actor, Build, Event, ServerLease, ServerStarted, ServerStopped};
use crate::clock::{Ids, Time, rfc3339};
use crate::error::{Code, Refusal};
use crate::ids::EventId;

/// How long a server holds the row without renewing it.
pub const LEASE: Duration = Duration::from_secs(10);
/// How often it renews.
pub const RENEW: Duration = Duration::from_secs(3);

/// The row as taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    pub node: Uuid,
    pub epoch: i64,
    pub until: Time,
}

#[derive(sqlx::FromRow)]
struct LeaseRow {
    node: Uuid,
    epoch: i64,
    lease_until: Time,
}

impl Store {
    /// Takes the row: at once if it names this node, whose data folder's lock shows that its predecessor is dead;
    /// else when the lease has run out; else `another_server_active`. The epoch rises each time.
    pub async fn take_server(
        &self,
        node: Uuid,
        build: Build,
        now: Time,
        ids: &dyn Ids,
    ) -> Result<Lease, Refusal> {
        let mut tx = self.begin().await?;
        let held = tx.server_row().await?;
        let until = now + LEASE;
        let epoch = held.as_ref().map_or(1, |held| held.epoch + 1);
        let taken = match &held {
            Some(held) if held.node != node && now < held.lease_until => return Err(another(Some(held))),
            Some(held) => tx.replace_server(node, held.epoch, until).await?,
            None => tx.first_server(node, until).await?,
        };
        if !taken {
            return Err(another(None));
        }
        let event = |what| Event::new(EventId(ids.uuid(now)), now, Actor::Server, what);
        if let Some(held) = held.filter(|held| held.node != node) {
            tx.record(&event(ServerLease { node, epoch, from_node: held.node }.into())).await?;
        }
        tx.record(&event(crate::audit::What::from(ServerStarted { node, epoch, build }))).await?;
        tx.finish().await?;
        Ok(Lease { node, epoch, until })
    }

    /// Renews the lease; refused once another epoch is in force.
    pub async fn renew_server(&self, lease: Lease, now: Time) -> Result<Lease, Refusal> {
        let until = now + LEASE;
        let mut tx = self.begin().await?;
        if !tx.move_lease(lease, until).await? {
            return Err(another(None));
        }
        tx.finish().await?;
        Ok(Lease { until, ..lease })
    }

    /// A clean stop ends the lease at once, so that the next server need not wait for it.
    pub async fn release_server(&self, lease: Lease, now: Time, ids: &dyn Ids) -> Result<(), Refusal> {
        let mut tx = self.begin().await?;
        if !tx.move_lease(lease, now).await? {
            return Err(another(None));
        }
        let what = ServerStopped { node: lease.node, epoch: lease.epoch };
        tx.record(&Event::new(EventId(ids.uuid(now)), now, Actor::Server, what)).await?;
        tx.finish().await
    }
}

impl Session {
    /// Refuses unless this epoch is the one in force.
    pub async fn check_epoch(&mut self, epoch: i64) -> Result<(), Refusal> {
        const SELECT: &str = "SELECT epoch FROM server_lease WHERE id = 1";
        let in_force: Option<i64> = on!(self, |conn| query_scalar(SELECT).fetch_optional(conn))?;
        if in_force == Some(epoch) { Ok(()) } else { Err(another(None)) }
    }
}

impl Tx {
    async fn server_row(&mut self) -> Result<Option<LeaseRow>, Refusal> {
        const SELECT: &str = "SELECT node, epoch, lease_until FROM server_lease WHERE id = 1";
        on!(self, |conn| query_as(SELECT).fetch_optional(conn))
    }

    /// False if another server was first.
    async fn first_server(&mut self, node: Uuid, until: Time) -> Result<bool, Refusal> {
        const INSERT: &str = "INSERT INTO server_lease (id, node, epoch, lease_until) VALUES (1, $1, 1, $2) \
            ON CONFLICT (id) DO NOTHING";
        single(rows!(self, |conn| query(INSERT).bind(node).bind(until).execute(conn))?)
    }

    /// False if the row has moved since it was read.
    async fn replace_server(&mut self, node: Uuid, read: i64, until: Time) -> Result<bool, Refusal> {
        const UPDATE: &str = "UPDATE server_lease SET node = $1, epoch = epoch + 1, lease_until = $2 WHERE id = 1 AND epoch = $3";
        single(rows!(self, |conn| query(UPDATE).bind(node).bind(until).bind(read).execute(conn))?)
    }

    async fn move_lease(&mut self, lease: Lease, until: Time) -> Result<bool, Refusal> {
        const UPDATE: &str =
            "UPDATE server_lease SET lease_until = $1 WHERE id = 1 AND epoch = $2 AND node = $3";
        let (epoch, node) = (lease.epoch, lease.node);
        single(rows!(self, |conn| query(UPDATE).bind(until).bind(epoch).bind(node).execute(conn))?)
    }
}

fn single(rows: u64) -> Result<bool, Refusal> {
    match rows {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(internal()),
    }
}

fn another(held: Option<&LeaseRow>) -> Refusal {
    let refusal = Refusal::new(
        Code::AnotherServerActive,
        "这个数据库正由另一台服务器使用,本机不再对外提供数据;请停掉其中一台,或等待其租约到期",
        "another server works with this database, this one does nothing more with it; stop one of the two, or wait \
         until its lease has run out",
    )
    .retry_after(LEASE);
    match held {
        Some(held) => refusal.with("node", held.node.to_string()).with("until", rfc3339(held.lease_until)),
        None => refusal,
    }
}
