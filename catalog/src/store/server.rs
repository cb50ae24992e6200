//! One server per database (protocol.md 10): the row that says which node is in force, under which epoch, until when.

use std::time::Duration;

use sqlx::{query, query_as, query_scalar};
use uuid::Uuid;

use super::dispatch::{on, rows};
use super::error::internal;
use super::{Lock, LockClass, Store, Tx};
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

impl LeaseRow {
    /// The lock of a node's data folder shows that its predecessor is dead; another node's lease must have run out.
    fn keeps_out(&self, node: Uuid, now: Time) -> bool {
        self.node != node && now < self.lease_until
    }
}

/// What the one lock of its class is on.
const EPOCH: &str = "epoch";

/// Shared by all that a server writes.
pub(super) fn epoch_lock() -> Lock {
    Lock::on(LockClass::Epoch, EPOCH)
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
        let mut tx = self.begin_unfenced().await?;
        if let Some(held) = tx.server_row().await?.filter(|held| held.keeps_out(node, now)) {
            return Err(another(Some(&held)));
        }
        // Waits for what the server before has begun, and lets nothing of it begin any more.
        tx.lock_exclusive(LockClass::Epoch, EPOCH).await?;
        let held = tx.server_row().await?;
        let until = now + LEASE;
        let epoch = held.as_ref().map_or(1, |held| held.epoch + 1);
        let taken = match &held {
            Some(held) if held.keeps_out(node, now) => return Err(another(Some(held))),
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
        let mut tx = self.begin_renewal().await?;
        if !tx.move_lease(lease, until).await? {
            return Err(another(None));
        }
        tx.finish().await?;
        Ok(Lease { until, ..lease })
    }

    /// A clean stop ends the lease at once, so that the next server need not wait for it.
    pub async fn release_server(&self, lease: Lease, now: Time, ids: &dyn Ids) -> Result<(), Refusal> {
        let mut tx = self.begin_unfenced().await?;
        if !tx.move_lease(lease, now).await? {
            return Err(another(None));
        }
        let what = ServerStopped { node: lease.node, epoch: lease.epoch };
        tx.record(&Event::new(EventId(ids.uuid(now)), now, Actor::Server, what)).await?;
        tx.finish().await
    }
}

impl Tx {
    /// Refuses unless this epoch is the one in force, which it stays until the transaction ends. The first lock of
    /// all: who waits for a take-over holds nothing that another may need.
    pub(super) async fn hold_epoch(&mut self, epoch: i64) -> Result<(), Refusal> {
        self.lock_all_shared(vec![epoch_lock()]).await?;
        self.is_in_force(epoch).await
    }

    /// Under that lock.
    pub(super) async fn is_in_force(&mut self, epoch: i64) -> Result<(), Refusal> {
        const SELECT: &str = "SELECT epoch FROM server_lease WHERE id = 1";
        let in_force: Option<i64> = on!(self, |conn| query_scalar(SELECT).fetch_optional(conn))?;
        if in_force == Some(epoch) { Ok(()) } else { Err(another(None)) }
    }

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

/// Who holds the database and until when, where the row was read.
fn another(held: Option<&LeaseRow>) -> Refusal {
    let Some(held) = held else {
        return Refusal::new(
            Code::AnotherServerActive,
            "这个数据库已由另一台服务器接管,本机不再对外提供数据;请停掉其中一台",
            "another server has taken this database, this one does nothing more with it; stop one of the two",
        )
        .retry_after(LEASE);
    };
    let (node, until) = (held.node.to_string(), rfc3339(held.lease_until));
    Refusal::new(
        Code::AnotherServerActive,
        format!(
            "这个数据库正由节点 {node} 的服务器使用,租约至 {until},每 {} 秒续期;一个数据库只能有一台服务器:请停掉其中\
             一台,或为本机另配数据库(database.url)",
            RENEW.as_secs()
        ),
        format!(
            "the server of node {node} works with this database; its lease runs until {until} and is renewed every {} s. \
             A database has one server: stop one of the two, or give this one a database of its own (database.url)",
            RENEW.as_secs()
        ),
    )
    .with("node", node)
    .with("until", until)
    .retry_after(LEASE)
}
