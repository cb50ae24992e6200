//! Who reads what is kept for a time only: for the alarm before a live subscription loses records (protocol.md 6).

use std::time::Duration;

use sqlx::{FromRow, query_as};

use super::dispatch::on;
use super::grants::{self, GrantRow};
use super::resources::{self, ResourceRow};
use super::subscriptions::SubscriptionRow;
use super::{Session, Store};
use crate::clock::Time;
use crate::error::Refusal;
use crate::grant::{Grant, GrantState, Subscription};
use crate::ids::{ResourceNumber, TopicName};
use crate::ports::Topic;
use crate::resource::retention::Retention;
use crate::resource::{Kind, Resource};

#[derive(FromRow)]
struct ReadRow {
    #[sqlx(flatten)]
    resource: ResourceRow,
    topic: TopicName,
    partitions: i32,
}

const READ: &str = concat!(
    "SELECT ",
    resources::columns!(),
    ", t.name AS topic, t.partitions \
     FROM resource r JOIN topic t ON t.resource = r.number AND t.generation = r.generation \
     WHERE t.made AND r.state IN ('published', 'suspended') AND EXISTS (SELECT 1 FROM share_grant g \
     JOIN subscription s ON s.grant_id = g.id WHERE g.resource = r.number AND g.state = 'active') \
     ORDER BY r.number"
);

#[derive(FromRow)]
struct ReaderRow {
    #[sqlx(flatten)]
    subscription: SubscriptionRow,
    #[sqlx(flatten)]
    grant: GrantRow,
}

/// `grant_id` stands once for both rows.
const READERS: &str = concat!(
    "SELECT s.id AS subscription_id, s.name, s.deletes, s.seek_count, s.view, s.generation AS position_generation, \
     s.position, s.created_at, s.acked_at, ",
    grants::columns!(),
    " FROM subscription s JOIN share_grant g ON g.id = s.grant_id \
     WHERE g.resource = $1 AND g.state = 'active' ORDER BY s.id"
);

impl Store {
    pub(super) async fn topics_that_forget(&self) -> Result<Vec<(Topic, Duration)>, Refusal> {
        let mut session: Session = self.read().await?;
        let rows: Vec<ReadRow> = on!(session, |conn| query_as(READ).fetch_all(conn))?;
        let mut forgetting = Vec::new();
        for row in rows {
            let resource = Resource::try_from(row.resource)?;
            let (Kind::Stream, Retention::For(kept)) = (resource.file.kind, resource.file.retention.parse()?)
            else {
                continue;
            };
            let topic = Topic {
                name: row.topic,
                resource: resource.number,
                generation: resource.generation,
                partitions: row.partitions,
                made: true,
            };
            forgetting.push((topic, kept));
        }
        Ok(forgetting)
    }

    pub(super) async fn readers_of(
        &self,
        resource: ResourceNumber,
        now: Time,
    ) -> Result<Vec<(Subscription, Grant)>, Refusal> {
        let mut session = self.read().await?;
        let rows: Vec<ReaderRow> = on!(session, |conn| query_as(READERS).bind(resource).fetch_all(conn))?;
        let mut readers = Vec::with_capacity(rows.len());
        for row in rows {
            let grant = Grant::try_from(row.grant)?;
            if grant.state_at(now) == GrantState::Active {
                readers.push((row.subscription.try_into()?, grant));
            }
        }
        Ok(readers)
    }
}
