//! Subscriptions: named positions within a grant. Moving a position is the bus side's.

use sqlx::{FromRow, query, query_as, query_scalar};

use super::dispatch::{on, one, rows};
use super::document::{checked, from_json, to_json};
use super::page::{decode, size};
use super::{Page, Session, Store, Tx};
use crate::clock::Time;
use crate::error::Refusal;
use crate::grant::Subscription;
use crate::ids::{Generation, GrantId, ResourceNumber, SubscriptionId};

macro_rules! columns {
    () => {
        "s.id AS subscription_id, s.grant_id, s.name, s.deletes, s.seek_count, s.view, s.generation AS position_generation, \
         s.position, s.created_at, s.acked_at"
    };
}
macro_rules! select {
    ($tail:literal) => {
        concat!("SELECT ", columns!(), " FROM subscription s ", $tail)
    };
}

#[derive(FromRow)]
pub(super) struct SubscriptionRow {
    subscription_id: SubscriptionId,
    grant_id: GrantId,
    name: String,
    deletes: bool,
    seek_count: i32,
    view: i64,
    position_generation: Generation,
    position: String,
    created_at: Time,
    acked_at: Option<Time>,
}

impl TryFrom<SubscriptionRow> for Subscription {
    type Error = Refusal;
    fn try_from(row: SubscriptionRow) -> Result<Self, Refusal> {
        Ok(Self {
            id: row.subscription_id,
            grant: row.grant_id,
            name: row.name,
            deletes: row.deletes,
            seek_count: row.seek_count,
            view: row.view,
            generation: row.position_generation,
            position: from_json(&row.position)?,
            created_at: row.created_at,
            acked_at: row.acked_at,
        })
    }
}

impl Session {
    pub async fn subscription(&mut self, id: SubscriptionId) -> Result<Option<Subscription>, Refusal> {
        let row: Option<SubscriptionRow> =
            on!(self, |conn| query_as(select!("WHERE s.id = $1")).bind(id).fetch_optional(conn))?;
        row.map(Subscription::try_from).transpose()
    }

    /// Names of the subscriptions under all grants on a resource, in the order they were made.
    pub async fn subscription_names(
        &mut self,
        resource: ResourceNumber,
    ) -> Result<Vec<(GrantId, String)>, Refusal> {
        const LIST: &str = "SELECT s.grant_id, s.name FROM subscription s JOIN share_grant g ON g.id = s.grant_id \
            WHERE g.resource = $1 ORDER BY s.id";
        on!(self, |conn| query_as(LIST).bind(resource).fetch_all(conn))
    }
}

impl Tx {
    pub(crate) async fn count_subscriptions(&mut self, grant: GrantId) -> Result<i64, Refusal> {
        const COUNT: &str = "SELECT count(*) FROM subscription WHERE grant_id = $1";
        on!(self, |conn| query_scalar(COUNT).bind(grant).fetch_one(conn))
    }

    pub async fn insert_subscription(&mut self, subscription: &Subscription) -> Result<(), Refusal> {
        const INSERT: &str = "INSERT INTO subscription \
            (id, grant_id, name, deletes, seek_count, view, generation, position, created_at) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let (name, position) = (checked(&subscription.name)?, to_json(&subscription.position)?);
        one(rows!(self, |conn| query(INSERT)
            .bind(subscription.id)
            .bind(subscription.grant)
            .bind(name)
            .bind(subscription.deletes)
            .bind(subscription.seek_count)
            .bind(subscription.view)
            .bind(subscription.generation)
            .bind(position.as_str())
            .bind(subscription.created_at)
            .execute(conn))?)
    }
}

impl Store {
    /// The subscriptions of a grant, in the order they were made.
    pub async fn subscriptions(
        &self,
        grant: GrantId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Subscription>, Refusal> {
        const LIST: &str =
            select!("WHERE s.grant_id = $1 AND ($2 IS NULL OR s.id > $2) ORDER BY s.id LIMIT $3");
        let after: Option<SubscriptionId> = decode(after, |text| text.parse().ok())?;
        let mut session = self.read().await?;
        let (limit, most) = size(limit);
        let rows: Vec<SubscriptionRow> =
            on!(session, |conn| query_as(LIST).bind(grant).bind(after).bind(most).fetch_all(conn))?;
        let items = rows.into_iter().map(Subscription::try_from).collect::<Result<_, Refusal>>()?;
        Ok(Page::of(items, limit, |subscription: &Subscription| subscription.id.to_string()))
    }
}
