//! The two doors through which the bus side asks the store: `Directory` reads what stands, `Ledger` writes what
//! happened. The store implements both; the gate knows nothing else of it. Everything here is protocol.md's.

mod ledger;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::account::Roles;
use crate::api_key::Fallen;
use crate::clock::Time;
use crate::error::Refusal;
use crate::grant::{Grant, Subscription};
use crate::ids::{
    AccountId, AgencyId, Generation, GrantId, KeyId, ResourceCode, ResourceNumber, SchemaId, SubscriptionId,
    TopicName,
};
use crate::resource::{Item, Resource};
use crate::visibility::Run;
pub use ledger::*;

/// An API key as stored: never the secret, only its HMAC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    pub id: KeyId,
    /// HMAC-SHA-256(pepper, secret).
    pub mac: Vec<u8>,
    /// Which pepper made `mac`.
    pub pepper: String,
    pub account: AccountId,
    pub agency: AgencyId,
    /// Roles of the account, cut to the scopes of the key.
    pub roles: Roles,
    pub expires_at: Time,
    /// Why it lets nobody in any more, whatever the time.
    pub ended: Option<Fallen>,
}

impl KeyRecord {
    /// Key not revoked, account and agency not suspended.
    #[must_use]
    pub fn stands(&self) -> bool {
        self.ended.is_none()
    }

    #[must_use]
    pub fn fallen(&self, now: Time) -> Option<Fallen> {
        self.ended.or_else(|| (self.expires_at <= now).then_some(Fallen::Expired))
    }
}

/// The topic of one generation of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    pub name: TopicName,
    pub resource: ResourceNumber,
    pub generation: Generation,
    pub partitions: i32,
    /// False: wanted (committed) but perhaps not made yet.
    pub made: bool,
}

/// The topic of a generation, wanted or made, with where its readers come in and stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicEdges {
    pub topic: Topic,
    /// Where a reader that comes from the generation before goes on: behind what was copied. Empty of the first.
    pub begins: Vec<i64>,
    /// Where a reader of this generation stops, once another is in force.
    pub ends: Option<Vec<i64>>,
    /// When the copy into the next began: what its topic took later is a stranger's.
    pub ended_at: Option<Time>,
    /// What counted below its ends and was not copied, as the log had lost it or held others there.
    pub lost: Vec<Run>,
}

/// A grant's floor in one generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantFloor {
    pub grant: GrantId,
    /// As an append time; `None`: from the first record on.
    pub time: Option<Time>,
    /// As offsets, once resolved.
    pub offsets: Option<Vec<i64>>,
}

/// A schema text and what identifies it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaText {
    pub id: SchemaId,
    pub text: String,
    /// Hex SHA-256 of `text`.
    pub fingerprint: String,
}

/// A value schema that a resource has or had in its generation: a version of its subject.
#[derive(Debug, Clone, PartialEq)]
pub struct SchemaVersion {
    /// Rises; what a grant names in `schema_version`.
    pub version: i32,
    pub schema: SchemaText,
    /// What the text was made from. Of the version in force: the entry's.
    pub items: Vec<Item>,
}

/// A resource as the gate needs it.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceStanding {
    pub resource: Resource,
    /// `None` before the first publish.
    pub topic: Option<Topic>,
    /// Value schemas of the generation in force, oldest first: the last is in force, and any may be in the frame of a
    /// record. Empty before the first publishing of the entry.
    pub versions: Arc<[SchemaVersion]>,
    pub key_schema: Option<SchemaText>,
}

impl ResourceStanding {
    /// The value schema in force.
    #[must_use]
    pub fn value_schema(&self) -> Option<&SchemaText> {
        self.versions.last().map(|version| &version.schema)
    }
}

/// A subscription with everything a delivery is decided by.
#[derive(Debug, Clone, PartialEq)]
pub struct SubscriptionStanding {
    pub subscription: Subscription,
    pub grant: Grant,
    pub resource: ResourceStanding,
    /// The grant's floor as offsets of the generation in force, once resolved.
    pub floor: Option<Vec<i64>>,
    pub derived_schema: SchemaText,
}

/// A publish on its way.
pub type Publishing = Pin<Box<dyn Future<Output = Result<Receipt, Refusal>> + Send>>;

#[async_trait]
pub trait Directory: Send + Sync + 'static {
    /// A publish that goes on if its caller leaves: wherever it is spawned it asks in the name in which this is called.
    fn publishing(&self, work: Publishing) -> Publishing {
        work
    }

    async fn key(&self, id: &KeyId) -> Result<Option<KeyRecord>, Refusal>;
    async fn resource(&self, code: &ResourceCode) -> Result<Option<ResourceStanding>, Refusal>;
    async fn resource_by_number(&self, number: ResourceNumber) -> Result<Option<ResourceStanding>, Refusal>;
    async fn subscription(&self, id: SubscriptionId) -> Result<Option<SubscriptionStanding>, Refusal>;
    async fn grant(&self, id: GrantId) -> Result<Option<Grant>, Refusal>;
    /// Every topic that has been made, of generations that are or were in force: for the settling job.
    async fn topics(&self) -> Result<Vec<Topic>, Refusal>;
    /// The topics in force of resources that keep records for a time only and are read under a grant, and that time.
    async fn forgetting(&self) -> Result<Vec<(Topic, Duration)>, Refusal>;
    /// Of keys and grants that readers rest on, those that let nobody read then, whoever ended them.
    async fn fallen(&self, keys: &[KeyId], grants: &[GrantId], now: Time) -> Result<Vec<Ended>, Refusal>;
    /// The subscriptions of a resource under grants that are active then.
    async fn live_readers(
        &self,
        resource: ResourceNumber,
        now: Time,
    ) -> Result<Vec<(Subscription, Grant)>, Refusal>;
    /// The topics of all generations of a resource in their order, one that is only copied into included.
    async fn generations(&self, resource: ResourceNumber) -> Result<Vec<TopicEdges>, Refusal>;
    /// The floors of all grants on a resource, whatever has become of them.
    async fn floors(
        &self,
        resource: ResourceNumber,
        generation: Generation,
    ) -> Result<Vec<GrantFloor>, Refusal>;
    /// What the events say was published to a generation, and when.
    async fn published(
        &self,
        resource: ResourceNumber,
        generation: Generation,
    ) -> Result<Vec<(Run, Time)>, Refusal>;
    async fn schema(&self, id: SchemaId) -> Result<Option<SchemaText>, Refusal>;
}
