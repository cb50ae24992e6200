//! A grant: the items, masks, filters, limits and time for which a consumer may read a resource.

pub mod decide;
pub mod disclose;
pub mod filters;
pub mod lifecycle;
pub mod make;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::ids::{
    AgencyId, Generation, GrantId, GrantNumber, RequestId, ResourceNumber, SchemaId, SubscriptionId,
};
use crate::lifecycle::Suspender;
use crate::mask::Mask;
use crate::request::{GrantLimits, History, Purpose};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantState {
    Active,
    Suspended,
    Expired,
    Revoked,
}

/// Why a service ends or pauses (Decree 809 art. 27: never without cause).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    Misuse,
    Overdue,
    PurposeDone,
    LawChanged,
    DataFault,
    Security,
    ConsumerRequest,
}

impl Cause {
    /// The word in bodies and events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Misuse => "misuse",
            Self::Overdue => "overdue",
            Self::PurposeDone => "purpose_done",
            Self::LawChanged => "law_changed",
            Self::DataFault => "data_fault",
            Self::Security => "security",
            Self::ConsumerRequest => "consumer_request",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    pub id: GrantId,
    pub number: GrantNumber,
    pub resource: ResourceNumber,
    pub consumer: AgencyId,
    pub request: RequestId,
    /// Raised by every change of its terms.
    pub version: i32,
    pub state: GrantState,
    pub purposes: Vec<Purpose>,
    /// Granted items in the order of the resource's items.
    pub items: Vec<String>,
    pub masks: BTreeMap<String, Mask>,
    pub provider_filter: Option<String>,
    pub consumer_filter: Option<String>,
    pub history: History,
    /// Append time before which nothing is read; fixed when the grant became active. `None`: from the start.
    pub floor: Option<Time>,
    /// Whether lines that only say "this row left" may be delivered (protocol.md 8).
    pub delete_lines: bool,
    pub limits: GrantLimits,
    pub schema: SchemaId,
    /// Which of the resource's schema versions `schema` was derived from.
    pub schema_version: i32,
    /// Which of the master handle keys makes `k`, for the grant's life.
    pub handle_key: String,
    /// Which of the pseudonym keys the mask `hmac` uses, for the grant's life.
    pub pseudonym_key: String,
    pub created_at: Time,
    pub valid_until: Option<Time>,
    pub cause: Option<Cause>,
    /// While it is suspended.
    pub suspended_by: Option<Suspender>,
}

impl Grant {
    /// The state at a moment: validity is decided by store time, whether or not the job has marked it expired.
    #[must_use]
    pub fn state_at(&self, now: Time) -> GrantState {
        match (self.state, self.valid_until) {
            (GrantState::Active | GrantState::Suspended, Some(until)) if now >= until => GrantState::Expired,
            (state, _) => state,
        }
    }
}

/// A named position within a grant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Subscription {
    pub id: SubscriptionId,
    pub grant: GrantId,
    pub name: String,
    pub deletes: bool,
    /// Raised by every seek; older cursors are superseded.
    pub seek_count: i32,
    /// Digest of the view the position belongs to (cursor.rs).
    pub view: i64,
    /// Whose offsets the position holds: of a stream it may be an earlier generation.
    pub generation: Generation,
    /// Next offset per partition.
    pub position: Vec<i64>,
    pub created_at: Time,
    pub acked_at: Option<Time>,
}
