//! Positions of subscriptions and floors of grants (protocol.md 6).

use std::collections::BTreeMap;

use sqlx::{FromRow, QueryBuilder, query, query_as, query_scalar};

use super::dispatch::{all, on, rows};
use super::document::{from_json, to_json};
use super::{Session, Tx};
use crate::clock::Time;
use crate::error::Refusal;
use crate::ids::{AgencyId, Generation, GrantId, ResourceNumber, SubscriptionId};
use crate::ports::{Ended, GrantFloor};

/// A subscription's position and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Position {
    pub grant: GrantId,
    pub resource: ResourceNumber,
    pub consumer: AgencyId,
    pub seek_count: i32,
    pub view: i64,
    pub generation: Generation,
    pub next: Vec<i64>,
    pub acked_at: Option<Time>,
}

#[derive(FromRow)]
struct Row {
    id: SubscriptionId,
    grant_id: GrantId,
    resource: ResourceNumber,
    consumer: AgencyId,
    seek_count: i32,
    view: i64,
    generation: Generation,
    position: String,
    acked_at: Option<Time>,
}

impl Row {
    fn read(self) -> Result<(SubscriptionId, Position), Refusal> {
        let position = Position {
            grant: self.grant_id,
            resource: self.resource,
            consumer: self.consumer,
            seek_count: self.seek_count,
            view: self.view,
            generation: self.generation,
            next: from_json(&self.position)?,
            acked_at: self.acked_at,
        };
        Ok((self.id, position))
    }
}

const SELECT: &str = "SELECT s.id, s.grant_id, g.resource, g.consumer, s.seek_count, s.view, s.generation, \
    s.position, s.acked_at \
    FROM subscription s JOIN share_grant g ON g.id = s.grant_id WHERE ";

impl Session {
    pub(super) async fn positions(
        &mut self,
        ids: &[SubscriptionId],
    ) -> Result<BTreeMap<SubscriptionId, Position>, Refusal> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let rows: Vec<Row> = on!(self, |conn| async {
            let mut select = QueryBuilder::new(SELECT);
            select.push("s.id IN (");
            ids.iter().fold(&mut select.separated(", "), |list, id| list.push_bind(id));
            select.push(")").build_query_as().fetch_all(conn).await
        })?;
        rows.into_iter().map(Row::read).collect()
    }

    /// The subscriptions that end with a grant, a resource, or an agency on either side; those of an account or key are
    /// known by their windows only.
    pub(super) async fn positions_of(
        &mut self,
        ended: &Ended,
    ) -> Result<BTreeMap<SubscriptionId, Position>, Refusal> {
        let rows: Vec<Row> = on!(self, |conn| async {
            let mut select = QueryBuilder::new(SELECT);
            match ended {
                Ended::Grant(id) => select.push("s.grant_id = ").push_bind(*id),
                Ended::Resource(number) => select.push("g.resource = ").push_bind(*number),
                Ended::Agency(id) => {
                    select.push("g.consumer = ").push_bind(*id);
                    select
                        .push(" OR g.resource IN (SELECT number FROM resource WHERE provider = ")
                        .push_bind(*id);
                    select.push(")")
                }
                Ended::Account(_) | Ended::Key(_) => return Ok(Vec::new()),
            };
            select.build_query_as().fetch_all(conn).await
        })?;
        rows.into_iter().map(Row::read).collect()
    }

    pub(super) async fn floor(
        &mut self,
        grant: GrantId,
        generation: Generation,
    ) -> Result<Option<Vec<i64>>, Refusal> {
        const FLOOR: &str = "SELECT offsets FROM grant_floor WHERE grant_id = $1 AND generation = $2";
        let offsets: Option<String> =
            on!(self, |conn| query_scalar(FLOOR).bind(grant).bind(generation).fetch_optional(conn))?;
        offsets.map(|offsets| from_json(&offsets)).transpose()
    }
}

#[derive(FromRow)]
struct FloorRow {
    id: GrantId,
    floor: Option<Time>,
    offsets: Option<String>,
}

impl Session {
    /// Of every grant on a resource, whatever its state.
    pub(crate) async fn floors(
        &mut self,
        resource: ResourceNumber,
        generation: Generation,
    ) -> Result<Vec<GrantFloor>, Refusal> {
        const SELECT: &str = "SELECT g.id, g.floor, f.offsets FROM share_grant g \
            LEFT JOIN grant_floor f ON f.grant_id = g.id AND f.generation = $2 \
            WHERE g.resource = $1 ORDER BY g.number";
        let rows: Vec<FloorRow> =
            on!(self, |conn| query_as(SELECT).bind(resource).bind(generation).fetch_all(conn))?;
        let floor = |row: FloorRow| {
            let offsets = row.offsets.map(|text| from_json(&text)).transpose()?;
            Ok(GrantFloor { grant: row.id, time: row.floor, offsets })
        };
        rows.into_iter().map(floor).collect()
    }
}

impl Tx {
    /// Under the locks of the quotas of their grants, which were taken before the positions were read.
    pub(super) async fn set_positions(
        &mut self,
        moved: &[(SubscriptionId, &Position)],
    ) -> Result<(), Refusal> {
        if moved.is_empty() {
            return Ok(());
        }
        let next = moved.iter().map(|(_, to)| to_json(&to.next)).collect::<Result<Vec<_>, _>>()?;
        let written = rows!(self, |conn| async {
            // Both engines name the columns of VALUES column1, column2, …
            let mut update = QueryBuilder::new(
                "UPDATE subscription SET seek_count = v.column2, view = v.column3, generation = v.column4, \
                 position = v.column5, acked_at = v.column6 FROM (",
            );
            update.push_values(moved.iter().zip(&next), |mut row, ((id, to), next)| {
                row.push_bind(id).push_bind(to.seek_count).push_bind(to.view);
                row.push_bind(to.generation).push_bind(next.as_str()).push_bind(to.acked_at);
            });
            update.push(") AS v WHERE subscription.id = v.column1");
            update.build().execute(conn).await
        })?;
        all(written, moved.len())
    }

    /// False if it was stored already.
    pub(crate) async fn insert_floor(
        &mut self,
        grant: GrantId,
        generation: Generation,
        offsets: &[i64],
    ) -> Result<bool, Refusal> {
        const INSERT: &str = "INSERT INTO grant_floor (grant_id, generation, offsets) VALUES ($1, $2, $3) \
            ON CONFLICT (grant_id, generation) DO NOTHING";
        let offsets = to_json(&offsets)?;
        let written = rows!(self, |conn| query(INSERT)
            .bind(grant)
            .bind(generation)
            .bind(offsets.as_str())
            .execute(conn))?;
        Ok(written == 1)
    }
}
