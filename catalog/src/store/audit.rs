//! The audit log as rows (protocol.md 9): insert only, keyed by (day, id), found by what a body says of itself.

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

use chrono::{Days, NaiveDate};
use sqlx::{AssertSqlSafe, QueryBuilder, query, query_scalar};

use super::dispatch::{Conn, on, within};
use super::error::internal;
use super::{Session, Store, Tx};
use crate::audit::{Encoded, Event, EventCode};
use crate::clock::Time;
use crate::error::Refusal;
use crate::ids::{AgencyId, EventId, GrantId, ResourceNumber};

/// What an answer says of the event that records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRef {
    pub id: EventId,
    pub leaf_sha256: String,
}

/// Which events are asked for; what is `None` does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Of the actor.
    pub agency: Option<AgencyId>,
    pub resource: Option<ResourceNumber>,
    pub grant: Option<GrantId>,
    pub code: Option<EventCode>,
    /// From then on.
    pub from: Option<Time>,
    /// Before then.
    pub to: Option<Time>,
}

/// A place in the order of (day, id).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventPlace {
    pub day: NaiveDate,
    pub id: EventId,
}

/// An event as its row holds it; `body` is what was hashed.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredEvent {
    pub day: NaiveDate,
    pub id: EventId,
    pub at: Time,
    pub code: String,
    pub agency: Option<AgencyId>,
    pub resource: Option<ResourceNumber>,
    pub grant_id: Option<GrantId>,
    pub body: Vec<u8>,
}

impl StoredEvent {
    #[must_use]
    pub fn place(&self) -> EventPlace {
        EventPlace { day: self.day, id: self.id }
    }
}

const INSERT: &str =
    "INSERT INTO audit_event (day, id, at, code, agency, account, resource, grant_id, body) ";
const SELECT: &str = "SELECT day, id, at, code, agency, resource, grant_id, body FROM audit_event WHERE ";

/// Rows of one INSERT: far below the parameters that either engine takes.
const ROWS: usize = 500;

impl Tx {
    /// Writes the event of a change into the transaction of that change.
    pub async fn record(&mut self, event: &Event) -> Result<EventRef, Refusal> {
        let mut refs = self.record_all(std::slice::from_ref(event)).await?;
        refs.pop().ok_or_else(internal)
    }

    /// Writes several events; answers in their order.
    pub async fn record_all(&mut self, events: &[Event]) -> Result<Vec<EventRef>, Refusal> {
        let encoded = events.iter().map(Event::encode).collect::<Result<Vec<_>, _>>()?;
        for rows in encoded.chunks(ROWS) {
            let written = insert(self, rows).await?;
            if written != rows.len() as u64 {
                return Err(internal());
            }
        }
        Ok(encoded
            .into_iter()
            .map(|event| EventRef { id: event.id, leaf_sha256: event.leaf_sha256 })
            .collect())
    }
}

async fn insert(session: &mut Session, rows: &[Encoded]) -> Result<u64, Refusal> {
    on!(session, |conn| async {
        let mut insert = QueryBuilder::new(INSERT);
        insert.push_values(rows, |mut row, event| {
            row.push_bind(event.day).push_bind(event.id).push_bind(event.at).push_bind(event.code.as_str());
            row.push_bind(event.agency).push_bind(event.account).push_bind(event.resource);
            row.push_bind(event.grant).push_bind(event.body.as_slice());
        });
        insert.build().execute(conn).await.map(|done| done.rows_affected())
    })
}

impl Session {
    /// A page of events in the order of (day, id).
    pub async fn events(
        &mut self,
        filter: &EventFilter,
        after: Option<EventPlace>,
        limit: i64,
    ) -> Result<Vec<StoredEvent>, Refusal> {
        on!(self, |conn| async {
            let mut select = QueryBuilder::new(SELECT);
            // Days first: they choose the partitions.
            let from_day = filter.from.map_or(NaiveDate::default(), |from| from.date_naive());
            let after = after.unwrap_or(EventPlace { day: from_day, id: EventId(uuid::Uuid::nil()) });
            select.push("day >= ").push_bind(after.day.max(from_day));
            select.push(" AND (day, id) > (").push_bind(after.day).push(", ").push_bind(after.id).push(")");
            if let Some(from) = filter.from {
                select.push(" AND at >= ").push_bind(from);
            }
            if let Some(to) = filter.to {
                select.push(" AND day <= ").push_bind(to.date_naive()).push(" AND at < ").push_bind(to);
            }
            if let Some(agency) = filter.agency {
                select.push(" AND agency = ").push_bind(agency);
            }
            if let Some(resource) = filter.resource {
                select.push(" AND resource = ").push_bind(resource);
            }
            if let Some(grant) = filter.grant {
                select.push(" AND grant_id = ").push_bind(grant);
            }
            if let Some(code) = filter.code {
                select.push(" AND code = ").push_bind(code.as_str());
            }
            select.push(" ORDER BY day, id LIMIT ").push_bind(limit);
            select.build_query_as().fetch_all(conn).await
        })
    }
}

impl Store {
    /// Makes the partitions of `days` days from `first` on (PostgreSQL only; SQLite has one table). A day whose events
    /// already lie in the default partition keeps them there.
    pub async fn make_audit_days(&self, first: NaiveDate, days: u64) -> Result<(), Refusal> {
        let mut session = self.read().await?;
        let Conn::Postgres(conn) = session.conn() else { return Ok(()) };
        for day in (0..days).filter_map(|ahead| first.checked_add_days(Days::new(ahead))) {
            let Some(next) = day.succ_opt() else { break };
            const TAKEN: &str =
                "SELECT count(*) FROM (SELECT 1 FROM audit_event_other WHERE day = $1 LIMIT 1) t";
            let taken: i64 = within(query_scalar(TAKEN).bind(day).fetch_one(&mut *conn)).await?;
            if taken > 0 {
                tracing::info!(%day, "events of this day stay in the default partition");
                continue;
            }
            // Only dates are put into the text, and a date has digits and hyphens.
            let make = format!(
                "CREATE TABLE IF NOT EXISTS audit_event_{} PARTITION OF audit_event \
                 FOR VALUES FROM ('{day}') TO ('{next}')",
                day.format("%Y%m%d")
            );
            within(query(AssertSqlSafe(make)).execute(&mut *conn)).await?;
        }
        Ok(())
    }
}
