//! An entry as a caller may see it: its file, and what the catalog knows of it.

use changtong_catalog::account::Caller;
use changtong_catalog::clock::Time;
use changtong_catalog::error::Refusal;
use changtong_catalog::ids::{AccountId, AgencyId, Generation, ResourceCode, ResourceNumber, SchemaId};
use changtong_catalog::lifecycle::Suspender;
use changtong_catalog::resource::{Proposal, Resource, ResourceFile, ResourceState};
use changtong_catalog::store::Rejection;
use changtong_catalog::visible::{self, Sight};
use serde::Serialize;

#[derive(Debug, Serialize)]
pub struct Shown {
    code: ResourceCode,
    number: ResourceNumber,
    agency: AgencyId,
    state: ResourceState,
    version: i32,
    generation: Generation,
    #[serde(flatten)]
    file: ResourceFile,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema_id: Option<SchemaId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_schema_id: Option<SchemaId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    published_at: Option<Time>,
    log_rolled_back: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    suspended_by: Option<Suspender>,
    /// The agency that provides it is shut out.
    provider_suspended: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    people: Option<People>,
    /// The revision that waits, for its agency.
    #[serde(skip_serializing_if = "Option::is_none")]
    proposal: Option<Proposal>,
    /// That what was written last was sent back, for its agency.
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected: Option<Rejected>,
}

/// Which accounts had it in hand; of interest to its agency and the authority only.
#[derive(Debug, Serialize)]
struct People {
    written_by: AccountId,
    #[serde(skip_serializing_if = "Option::is_none")]
    submitted_by: Option<AccountId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approved_by: Option<AccountId>,
}

#[derive(Debug, Serialize)]
struct Rejected {
    by: AccountId,
    at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Shown {
    pub fn with_rejection(mut self, rejection: Option<Rejection>) -> Self {
        self.rejected = rejection.map(|Rejection { by, at, reason }| Rejected { by, at, reason });
        self
    }

    pub fn to(caller: &Caller, entry: &Resource) -> Result<Self, Refusal> {
        let file = visible::of_entry(caller, entry)?;
        let whole = visible::sight(caller, entry) == Sight::Whole;
        let inside =
            caller.agency == entry.provider || caller.is(changtong_catalog::account::Role::Authority);
        Ok(Self {
            code: entry.code.clone(),
            number: entry.number,
            agency: entry.provider,
            state: entry.state,
            version: entry.version,
            generation: entry.generation,
            file,
            schema_id: entry.schema.filter(|_| whole),
            key_schema_id: entry.key_schema.filter(|_| whole),
            published_at: entry.published_at,
            log_rolled_back: entry.log_rolled_back,
            suspended_by: entry.suspended_by,
            provider_suspended: entry.provider_suspended,
            people: inside.then_some(People {
                written_by: entry.written_by,
                submitted_by: entry.submitted_by,
                approved_by: entry.approved_by,
            }),
            proposal: visible::proposal(caller, entry).cloned(),
            rejected: None,
        })
    }
}
