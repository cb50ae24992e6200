//! Events of entries, requests, grants and subscriptions: one for each new version of a row.

use super::events;
use crate::audit::fact::Digest;
use crate::clock::Time;
use crate::grant::Cause;
use crate::ids::{
    AccountId, AgencyId, Generation, GrantId, GrantNumber, RequestId, ResourceCode, ResourceNumber, SchemaId,
    SubscriptionId, TopicName,
};
use crate::request::RefusalReason;
use crate::resource::{Kind, ShareType};

events! {
    ResourceDrafted {
        resource: ResourceNumber,
        version: i32,
        resource_code: ResourceCode,
        provider: AgencyId,
        kind: Kind,
        file: Digest,
    }
    ResourceChanged {
        resource: ResourceNumber,
        version: i32,
        file: Digest,
    }
    ResourceSubmitted {
        resource: ResourceNumber,
        version: i32,
        file: Digest,
    }
    ResourceApproved {
        resource: ResourceNumber,
        version: i32,
        file: Digest,
    }
    ResourceRejected {
        resource: ResourceNumber,
        version: i32,
        file: Digest,
        /// Of the reason's text.
        reason: Option<Digest>,
    }
    /// The entry is in the catalog; of an unconditional one this is its head's standing consent.
    ResourcePublished {
        resource: ResourceNumber,
        version: i32,
        generation: Generation,
        share_type: ShareType,
        file: Digest,
        /// Absent of a withheld entry without items.
        schema: Option<SchemaId>,
        fingerprint: Option<Digest>,
        key_schema: Option<SchemaId>,
    }
    ResourceSuspended {
        resource: ResourceNumber,
        version: i32,
        cause: Cause,
    }
    ResourceResumed {
        resource: ResourceNumber,
        version: i32,
    }
    /// Metadata or items of a published entry changed, never its key or kind.
    ResourceRevised {
        resource: ResourceNumber,
        version: i32,
        file: Digest,
    }
    /// Another file was proposed for what is published; that of the entry itself where the proposal was taken back.
    ResourceProposed {
        resource: ResourceNumber,
        version: i32,
        file: Digest,
    }
    /// The proposed file is dropped.
    ResourceProposalRejected {
        resource: ResourceNumber,
        version: i32,
        /// The entry's version from which on it waited.
        proposed: i32,
        file: Digest,
        /// Of the reason's text.
        reason: Option<Digest>,
    }
    /// The actor puts in force what another account proposed; stands beside `resource.revised`, whose version it names.
    ResourceProposalApproved {
        resource: ResourceNumber,
        revised: i32,
        proposed: i32,
        written_by: AccountId,
    }
    /// A revision's items make another value schema, which breaks nobody; stands beside `resource.revised`.
    ResourceSchemaPutInForce {
        resource: ResourceNumber,
        generation: Generation,
        schema: SchemaId,
        fingerprint: Digest,
        /// Of the resource's subject.
        schema_version: i32,
    }
    ResourceRetired {
        resource: ResourceNumber,
        version: i32,
        cause: Cause,
        filing: Option<Digest>,
    }
    /// What is still there was copied into a new topic, which is in force.
    ResourceNewGeneration {
        resource: ResourceNumber,
        version: i32,
        generation: Generation,
        topic: TopicName,
        partitions: i32,
        /// How many were copied.
        records: i64,
    }
    RequestDrafted {
        request: RequestId,
        version: i32,
        resource: ResourceNumber,
        consumer: AgencyId,
        file: Digest,
    }
    RequestChanged {
        request: RequestId,
        version: i32,
        resource: ResourceNumber,
        file: Digest,
    }
    /// The consent of the consumer's data-office head.
    RequestSubmitted {
        request: RequestId,
        version: i32,
        resource: ResourceNumber,
        file: Digest,
        /// Of office and document.
        consent: Digest,
    }
    RequestNeedMaterial {
        request: RequestId,
        version: i32,
        resource: ResourceNumber,
        /// Of the text that says what is missing.
        answer: Digest,
    }
    RequestAgreed {
        request: RequestId,
        version: i32,
        resource: ResourceNumber,
        grant: GrantId,
        /// By the standing consent of an unconditional entry.
        standing: bool,
        /// Of what the provider added.
        agreement: Digest,
    }
    RequestRefused {
        request: RequestId,
        version: i32,
        resource: ResourceNumber,
        reason: RefusalReason,
        answer: Option<Digest>,
    }
    RequestWithdrawn {
        request: RequestId,
        version: i32,
        resource: ResourceNumber,
    }
    GrantCreated {
        grant: GrantId,
        version: i32,
        grant_number: GrantNumber,
        resource: ResourceNumber,
        consumer: AgencyId,
        request: RequestId,
        schema: SchemaId,
        fingerprint: Digest,
        /// Of items, masks, filters, history and limits.
        terms: Digest,
        floor: Option<Time>,
        delete_lines: bool,
        valid_until: Option<Time>,
    }
    GrantSuspended {
        grant: GrantId,
        version: i32,
        resource: ResourceNumber,
        cause: Cause,
    }
    GrantResumed {
        grant: GrantId,
        version: i32,
        resource: ResourceNumber,
    }
    GrantRevoked {
        grant: GrantId,
        version: i32,
        resource: ResourceNumber,
        cause: Cause,
        /// Of the reference under which the end of the service was filed.
        filing: Option<Digest>,
    }
    /// The consumer moved to the derived schema of another version.
    GrantSchemaMoved {
        grant: GrantId,
        version: i32,
        resource: ResourceNumber,
        schema: SchemaId,
        fingerprint: Digest,
        schema_version: i32,
    }
    GrantExpired {
        grant: GrantId,
        version: i32,
        resource: ResourceNumber,
        valid_until: Time,
    }
    SubscriptionCreated {
        subscription: SubscriptionId,
        grant: GrantId,
        resource: ResourceNumber,
        deletes: bool,
        position: Vec<i64>,
    }
}
