//! A grant as its two sides see it.

use std::collections::BTreeMap;

use changtong_catalog::account::{Caller, Role};
use changtong_catalog::clock::Time;
use changtong_catalog::grant::{Cause, Grant, GrantState};
use changtong_catalog::ids::{AgencyId, GrantId, GrantNumber, RequestId, ResourceCode, SchemaId};
use changtong_catalog::lifecycle::Suspender;
use changtong_catalog::mask::Mask;
use changtong_catalog::request::{GrantLimits, History, Purpose};
use changtong_catalog::resource::Resource;
use serde::Serialize;

#[derive(Debug, Serialize)]
pub struct Shown {
    id: GrantId,
    number: GrantNumber,
    resource: ResourceCode,
    consumer_agency: AgencyId,
    provider_agency: AgencyId,
    request: RequestId,
    version: i32,
    /// As it is by store time now.
    state: GrantState,
    purposes: Vec<Purpose>,
    items: Vec<String>,
    masks: BTreeMap<String, Mask>,
    /// The provider's alone to see: it may name items that the consumer isn't granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_filter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumer_filter: Option<String>,
    history: History,
    #[serde(skip_serializing_if = "Option::is_none")]
    floor: Option<Time>,
    delete_lines: bool,
    limits: GrantLimits,
    schema_id: SchemaId,
    created_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_until: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Cause>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suspended_by: Option<Suspender>,
}

impl Shown {
    pub fn of(caller: &Caller, grant: Grant, entry: &Resource, now: Time) -> Self {
        let gave = caller.agency == entry.provider || caller.is(Role::Authority);
        Self {
            state: grant.state_at(now),
            id: grant.id,
            number: grant.number,
            resource: entry.code.clone(),
            consumer_agency: grant.consumer,
            provider_agency: entry.provider,
            request: grant.request,
            version: grant.version,
            purposes: grant.purposes,
            items: grant.items,
            masks: grant.masks,
            provider_filter: grant.provider_filter.filter(|_| gave),
            consumer_filter: grant.consumer_filter,
            history: grant.history,
            floor: grant.floor,
            delete_lines: grant.delete_lines,
            limits: grant.limits,
            schema_id: grant.schema,
            created_at: grant.created_at,
            valid_until: grant.valid_until,
            cause: grant.cause,
            suspended_by: grant.suspended_by,
        }
    }
}
