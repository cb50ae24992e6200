//! A catalog entry: its file as an agency writes it, and the entry as the catalog keeps it.

pub mod check;
pub mod default;
pub mod item;
pub mod lifecycle;
pub mod proposal;
pub mod retention;

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::ids::{AccountId, AgencyId, Generation, ResourceCode, ResourceNumber, SchemaId};
use crate::lifecycle::Suspender;
pub use default::DefaultValue;
pub use item::{AvroType, Item, ItemType};
pub use proposal::Proposal;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Keyed; the latest record of a key is its state; deletes exist.
    Table,
    /// Facts; no deletes.
    Stream,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShareType {
    Unconditional,
    Conditional,
    Withheld,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceState {
    Draft,
    Submitted,
    Approved,
    Published,
    Suspended,
    Retired,
}

/// 更新周期 (domain.md 2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdateCycle {
    Realtime,
    Hourly,
    Daily,
    Weekly,
    TenDay,
    Monthly,
    Quarterly,
    HalfYearly,
    Yearly,
    Irregular,
    Other,
}

/// A resource as its file says it (interface.md 7); the same shape is the body of POST and PUT.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceFile {
    pub class: String,
    pub title: String,
    /// Alias or credit code of the provider.
    pub provider: String,
    #[serde(rename = "abstract", default)]
    pub summary: String,
    pub kind: Kind,
    /// `forever`, or for a stream a duration such as `90d`.
    #[serde(default = "forever")]
    pub retention: String,
    pub share_type: ShareType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_condition: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_scope: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withheld_basis: Option<String>,
    pub update_cycle: UpdateCycle,
    #[serde(default)]
    pub auto_register: bool,
    #[serde(default)]
    pub key: Vec<String>,
    #[serde(default)]
    pub items: Vec<Item>,
}

fn forever() -> String {
    "forever".to_owned()
}

/// A resource as the catalog keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    pub number: ResourceNumber,
    pub code: ResourceCode,
    pub provider: AgencyId,
    pub state: ResourceState,
    /// Raised by every change; the `ETag`.
    pub version: i32,
    pub generation: Generation,
    pub file: ResourceFile,
    pub written_by: AccountId,
    pub submitted_by: Option<AccountId>,
    pub approved_by: Option<AccountId>,
    /// Present from the first publishing on.
    pub schema: Option<SchemaId>,
    pub key_schema: Option<SchemaId>,
    pub published_at: Option<Time>,
    /// A log found rolled back stops the resource (protocol.md 4).
    pub log_rolled_back: bool,
    /// While it is suspended.
    pub suspended_by: Option<Suspender>,
    /// The agency that provides it is shut out: the resource stands still until it is let in again.
    pub provider_suspended: bool,
    /// The revision that waits for a reviewer.
    pub proposal: Option<Proposal>,
}

impl Resource {
    /// Indexes of the key items in `file.items`, in key order.
    #[must_use]
    pub fn key_items(&self) -> Vec<usize> {
        let place = |name: &String| self.file.items.iter().position(|item| item.name == *name);
        self.file.key.iter().filter_map(place).collect()
    }
}
