//! What the gate asks before it decides: the store's side of `ports::Directory`, one or two statements an answer.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::{FromRow, query_as};

use super::dispatch::on;
use super::document::from_json;
use super::error::internal;
use super::grants::GrantRow;
use super::places::carried;
use super::resources::ResourceRow;
use super::subscriptions::SubscriptionRow;
use super::{Session, Store, grants, resources};
use crate::clock::Time;
use crate::error::Refusal;
use crate::grant::{Grant, Subscription};
use crate::ids::{
    Generation, GrantId, KeyId, ResourceCode, ResourceNumber, SchemaId, SubscriptionId, TopicName,
};
use crate::ports::{
    Directory, Ended, GrantFloor, KeyRecord, Publishing, ResourceStanding, SchemaText, SchemaVersion,
    SubscriptionStanding, Topic, TopicEdges,
};
use crate::resource::ResourceFile;
use crate::visibility::Run;

#[derive(FromRow)]
struct StandingRow {
    #[sqlx(flatten)]
    resource: ResourceRow,
    topic: Option<TopicName>,
    partitions: Option<i32>,
    made: Option<bool>,
    key_fingerprint: Option<String>,
    key_text: Option<String>,
}

macro_rules! standing {
    ($tail:literal) => {
        concat!(
            "SELECT ",
            resources::columns!(),
            ", t.name AS topic, t.partitions, t.made, k.fingerprint AS key_fingerprint, k.text AS key_text \
             FROM resource r \
             LEFT JOIN topic t ON t.resource = r.number AND t.generation = r.generation \
             LEFT JOIN schema_text k ON k.id = r.key_schema ",
            $tail
        )
    };
}

/// A value schema that is or was in force, with the last file of the entry under it.
#[derive(FromRow)]
struct VersionRow {
    version: i32,
    id: SchemaId,
    fingerprint: String,
    text: String,
    file: String,
}

/// None that came after the entry was read.
const VERSIONS: &str = "SELECT v.version, v.id, t.fingerprint, t.text, f.file FROM \
    (SELECT v.version, v.id, COALESCE(LEAD(v.resource_version) OVER (ORDER BY v.version) - 1, $3) AS last \
        FROM registry_subject s JOIN registry_version v ON v.context = s.context AND v.subject = s.name \
        WHERE s.resource = $1 AND s.generation = $2 AND s.part = 'value' AND v.resource_version <= $3) v \
    JOIN schema_text t ON t.id = v.id \
    JOIN resource_version f ON f.resource = $1 AND f.version = v.last \
    ORDER BY v.version";

impl VersionRow {
    fn version(self) -> Result<SchemaVersion, Refusal> {
        let schema = SchemaText { id: self.id, text: self.text, fingerprint: self.fingerprint };
        let file: ResourceFile = from_json(&self.file)?;
        Ok(SchemaVersion { version: self.version, schema, items: file.items })
    }
}

impl StandingRow {
    fn standing(self, mut versions: Vec<SchemaVersion>) -> Result<ResourceStanding, Refusal> {
        let row = self;
        let resource = crate::resource::Resource::try_from(row.resource)?;
        let topic = match (row.topic, row.partitions, row.made) {
            (Some(name), Some(partitions), Some(made)) => {
                let (resource, generation) = (resource.number, resource.generation);
                Some(Topic { name, resource, generation, partitions, made })
            }
            _ => None,
        };
        // What a schema does not show may have changed since it was put in force.
        if let Some(in_force) = versions.last_mut().filter(|last| Some(last.schema.id) == resource.schema) {
            in_force.items.clone_from(&resource.file.items);
        }
        Ok(ResourceStanding {
            topic,
            versions: versions.into(),
            key_schema: schema(resource.key_schema, row.key_text, row.key_fingerprint),
            resource,
        })
    }
}

fn schema(id: Option<SchemaId>, text: Option<String>, fingerprint: Option<String>) -> Option<SchemaText> {
    Some(SchemaText { id: id?, text: text?, fingerprint: fingerprint? })
}

#[derive(FromRow)]
struct SubscriptionStandingRow {
    #[sqlx(flatten)]
    subscription: SubscriptionRow,
    #[sqlx(flatten)]
    grant: GrantRow,
    derived_fingerprint: String,
    derived_text: String,
    offsets: Option<String>,
    floor_generation: Option<Generation>,
}

/// `grant_id` stands once for both rows; the floor is that of the generation in force.
const SUBSCRIPTION: &str = concat!(
    "SELECT s.id AS subscription_id, s.name, s.deletes, s.seek_count, s.view, \
     s.generation AS position_generation, s.position, s.created_at, s.acked_at, ",
    grants::columns!(),
    ", d.fingerprint AS derived_fingerprint, d.text AS derived_text, f.offsets, \
     f.generation AS floor_generation \
     FROM subscription s JOIN share_grant g ON g.id = s.grant_id \
     JOIN resource r ON r.number = g.resource JOIN schema_text d ON d.id = g.schema_id \
     LEFT JOIN grant_floor f ON f.grant_id = g.id AND f.generation = r.generation \
     WHERE s.id = $1"
);

impl Session {
    async fn with_versions(&mut self, row: Option<StandingRow>) -> Result<Option<ResourceStanding>, Refusal> {
        let Some(row) = row else { return Ok(None) };
        let (number, generation, version) = row.resource.place();
        let rows: Vec<VersionRow> =
            on!(self, |conn| query_as(VERSIONS).bind(number).bind(generation).bind(version).fetch_all(conn))?;
        let versions = rows.into_iter().map(VersionRow::version).collect::<Result<_, _>>()?;
        row.standing(versions).map(Some)
    }

    pub async fn resource_standing(
        &mut self,
        number: ResourceNumber,
    ) -> Result<Option<ResourceStanding>, Refusal> {
        let row: Option<StandingRow> =
            on!(self, |conn| query_as(standing!("WHERE r.number = $1")).bind(number).fetch_optional(conn))?;
        self.with_versions(row).await
    }

    async fn resource_standing_by_code(
        &mut self,
        code: &ResourceCode,
    ) -> Result<Option<ResourceStanding>, Refusal> {
        let row: Option<StandingRow> =
            on!(self, |conn| query_as(standing!("WHERE r.class = $1 AND r.sequence = $2"))
                .bind(code.class().as_str())
                .bind(code.sequence())
                .fetch_optional(conn))?;
        self.with_versions(row).await
    }
}

impl Store {
    /// A key's record as it was read a moment ago; `None` says nothing.
    #[must_use]
    pub fn remembered_key(&self, id: &KeyId) -> Option<KeyRecord> {
        self.recall.keys.get(id, self.recall.ask())
    }
}

#[async_trait]
impl Directory for Store {
    fn publishing(&self, work: Publishing) -> Publishing {
        Box::pin(carried(work))
    }

    async fn key(&self, id: &KeyId) -> Result<Option<KeyRecord>, Refusal> {
        let asked = self.recall.ask();
        let found = self.keys.ask(self, id.clone()).await?;
        if let Some(record) = &found {
            self.recall.keys.put(id.clone(), asked, record.clone());
        }
        Ok(found)
    }

    async fn resource(&self, code: &ResourceCode) -> Result<Option<ResourceStanding>, Refusal> {
        let asked = self.recall.ask();
        if let Some(known) = self.recall.by_code.get(code, asked) {
            return Ok(Some(known));
        }
        let found = self.read().await?.resource_standing_by_code(code).await?;
        if let Some(standing) = &found {
            self.recall.by_code.put(code.clone(), asked, standing.clone());
        }
        Ok(found)
    }

    async fn resource_by_number(&self, number: ResourceNumber) -> Result<Option<ResourceStanding>, Refusal> {
        let asked = self.recall.ask();
        if let Some(known) = self.recall.by_number.get(&number, asked) {
            return Ok(Some(known));
        }
        let found = self.read().await?.resource_standing(number).await?;
        if let Some(standing) = &found {
            self.recall.by_number.put(number, asked, standing.clone());
        }
        Ok(found)
    }

    async fn subscription(&self, id: SubscriptionId) -> Result<Option<SubscriptionStanding>, Refusal> {
        let mut session = self.read().await?;
        let row: Option<SubscriptionStandingRow> =
            on!(session, |conn| query_as(SUBSCRIPTION).bind(id).fetch_optional(conn))?;
        drop(session);
        let Some(row) = row else { return Ok(None) };
        let grant = Grant::try_from(row.grant)?;
        let resource = self.resource_by_number(grant.resource).await?.ok_or_else(internal)?;
        // A cut-over between the two statements leaves the floor unresolved, never one of another generation.
        let current = row.floor_generation == Some(resource.resource.generation);
        let floor = row.offsets.filter(|_| current).map(|offsets| from_json(&offsets)).transpose()?;
        let (text, fingerprint) = (row.derived_text, row.derived_fingerprint);
        Ok(Some(SubscriptionStanding {
            subscription: row.subscription.try_into()?,
            derived_schema: SchemaText { id: grant.schema, text, fingerprint },
            grant,
            resource,
            floor,
        }))
    }

    async fn grant(&self, id: GrantId) -> Result<Option<Grant>, Refusal> {
        self.read().await?.grant(id).await
    }

    async fn topics(&self) -> Result<Vec<Topic>, Refusal> {
        self.read().await?.made_topics().await
    }

    async fn generations(&self, resource: ResourceNumber) -> Result<Vec<TopicEdges>, Refusal> {
        self.read().await?.generations(resource).await
    }

    async fn floors(
        &self,
        resource: ResourceNumber,
        generation: Generation,
    ) -> Result<Vec<GrantFloor>, Refusal> {
        self.read().await?.floors(resource, generation).await
    }

    async fn published(
        &self,
        resource: ResourceNumber,
        generation: Generation,
    ) -> Result<Vec<(Run, Time)>, Refusal> {
        super::reconcile::published(&mut self.read().await?, resource, generation).await
    }

    async fn schema(&self, id: SchemaId) -> Result<Option<SchemaText>, Refusal> {
        self.read().await?.schema(id).await
    }

    async fn forgetting(&self) -> Result<Vec<(Topic, Duration)>, Refusal> {
        self.topics_that_forget().await
    }

    async fn fallen(&self, keys: &[KeyId], grants: &[GrantId], now: Time) -> Result<Vec<Ended>, Refusal> {
        self.fallen_of(keys, grants, now).await
    }

    async fn live_readers(
        &self,
        resource: ResourceNumber,
        now: Time,
    ) -> Result<Vec<(Subscription, Grant)>, Refusal> {
        self.readers_of(resource, now).await
    }
}
