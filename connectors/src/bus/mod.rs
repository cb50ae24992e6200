//! What a connector needs of the bus, and nothing more. In the server it is answered by the gate, under the
//! connector's account; for a connector in its own process by the API.

use async_trait::async_trait;
use bytes::Bytes;
use changtong_catalog::error::Refusal;
use changtong_catalog::ids::{SubscriptionId, WindowId};
use changtong_catalog::ports::{Receipt, ResourceStanding, SourceStep};
use changtong_catalog::resource::Kind;

use crate::avro::Format;
use crate::gate::{From, OnInvalid};

/// A batch of a source with the step it is.
#[derive(Debug, Clone)]
pub struct SourceBatch {
    pub body: Bytes,
    pub format: Format,
    pub on_invalid: OnInvalid,
    pub step: SourceStep,
}

/// A granted item as it is delivered: as the derived schema has it.
pub use changtong_catalog::schema::read::Read as GrantedItem;

/// The subscription that a sink reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribed {
    pub id: SubscriptionId,
    pub kind: Kind,
    /// Whether delete lines come.
    pub deletes: bool,
    /// Granted items, in the order of the derived schema.
    pub items: Vec<GrantedItem>,
    /// It was made by this very call, at the place asked for.
    pub created: bool,
}

/// What a sink confirms to have applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    pub next: String,
    pub window: Option<WindowId>,
    pub digest: Option<String>,
}

#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// The resource that a source fills.
    async fn resource(&self) -> Result<ResourceStanding, Refusal>;

    /// The stored position of a source, `-` before the first.
    async fn position(&self, source: &str) -> Result<String, Refusal>;

    async fn publish(&self, batch: SourceBatch) -> Result<Receipt, Refusal>;

    /// The owner's reading of the resource: lines and a final `{"next"}`.
    async fn read_own(&self, cursor: Option<&str>) -> Result<Bytes, Refusal>;

    /// The subscription of this name under the sink's grant; made at `from` if there is none.
    async fn subscribe(&self, name: &str, from: &From, deletes: bool) -> Result<Subscribed, Refusal>;

    /// One read: lines and the final `{"next", "window", "digest"}`. Waits on the bus while nothing is there.
    async fn poll(&self, subscription: SubscriptionId, cursor: Option<&str>) -> Result<Bytes, Refusal>;

    async fn acknowledge(&self, subscription: SubscriptionId, applied: Applied) -> Result<(), Refusal>;

    /// Sets the position; answers its cursor.
    async fn seek(&self, subscription: SubscriptionId, from: &From) -> Result<String, Refusal>;

    /// The stored position as a cursor.
    async fn subscription_position(&self, subscription: SubscriptionId) -> Result<String, Refusal>;
}

#[cfg(test)]
pub(crate) mod memory;
