//! Events of records in motion (protocol.md 3, 4, 6, 7).

use serde::{Deserialize, Serialize};

use super::events;
use crate::audit::fact::{Batch, Digest};
use crate::clock::Time;
use crate::error::Code;
use crate::ids::{
    BatchId, Generation, GrantId, PurposeCode, QuarantineId, RequestId, ResourceNumber, SchemaId,
    SubscriptionId, TopicName, WindowId,
};
use crate::ports::CloseReason;
use crate::visibility::Run;

/// Which end of a reading an event marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadPhase {
    Started,
    Ended,
}

events! {
    /// Committed before the topic is made.
    TopicWanted {
        resource: ResourceNumber,
        generation: Generation,
        topic: TopicName,
        partitions: i32,
    }
    /// Batches of one account, credential, resource and schema that one commit made visible.
    Published {
        resource: ResourceNumber,
        generation: Generation,
        schema: SchemaId,
        fingerprint: Digest,
        batches: Vec<Batch>,
        policy: i32,
    }
    /// Committed before the first byte of the window leaves.
    DeliverOpened {
        window: WindowId,
        grant: GrantId,
        version: i32,
        resource: ResourceNumber,
        generation: Generation,
        subscription: SubscriptionId,
        purpose: PurposeCode,
        from: Vec<i64>,
        most: i64,
        until: Time,
        policy: i32,
    }
    /// What left in the window. Found open at a start, only `most` and `let_out` are known.
    DeliverClosed {
        window: WindowId,
        grant: GrantId,
        resource: ResourceNumber,
        subscription: SubscriptionId,
        reason: CloseReason,
        let_out: Vec<i64>,
        through: Option<Vec<i64>>,
        sent: Option<i64>,
        passed_over: Option<i64>,
        bytes: Option<i64>,
        digest: Option<Digest>,
        most: Option<i64>,
    }
    /// The consumer's word on what it received.
    DeliverAcked {
        subscription: SubscriptionId,
        grant: GrantId,
        resource: ResourceNumber,
        generation: Generation,
        seek_count: i32,
        position: Vec<i64>,
        window: Option<WindowId>,
        digest: Option<Digest>,
    }
    DeliverSought {
        subscription: SubscriptionId,
        grant: GrantId,
        resource: ResourceNumber,
        generation: Generation,
        seek_count: i32,
        position: Vec<i64>,
    }
    /// The owner's own reading of its resource.
    StewardRead {
        resource: ResourceNumber,
        generation: Generation,
        phase: ReadPhase,
        from: Vec<i64>,
        through: Option<Vec<i64>>,
        sent: Option<i64>,
    }
    /// A sample on a page.
    PreviewShown {
        resource: ResourceNumber,
        generation: Generation,
        request: Option<RequestId>,
        sent: i64,
    }
    /// Records of a batch that do not fit, kept for the owner to decide on.
    QuarantineAdded {
        resource: ResourceNumber,
        batch: BatchId,
        records: i64,
    }
    QuarantineShown {
        quarantine: QuarantineId,
        resource: ResourceNumber,
    }
    QuarantineReplayed {
        quarantine: QuarantineId,
        resource: ResourceNumber,
        batch: BatchId,
    }
    QuarantineDiscarded {
        quarantine: QuarantineId,
        resource: ResourceNumber,
    }
    /// Offsets that no commit covers were declared dead, all holes of one settling together.
    Settled {
        resource: ResourceNumber,
        generation: Generation,
        holes: Vec<Run>,
    }
    /// The log lost acknowledged records; the resource stands still.
    LogRolledBack {
        resource: ResourceNumber,
        generation: Generation,
    }
    /// An operator decided what counts of a log that was ahead of its store.
    LogReconciled {
        /// How many events were adopted, and the records they tell of.
        events: i64,
        records: i64,
        /// Records declared dead.
        dead: i64,
    }
    /// Refusals of one caller with one code within one minute.
    Refused {
        refusal: Code,
        minute: Time,
        count: i64,
        resource: Option<ResourceNumber>,
        grant: Option<GrantId>,
        policy: i32,
    }
}
