//! A request as its two sides see it.

use changtong_catalog::clock::Time;
use changtong_catalog::ids::{AgencyId, GrantId, RequestId, ResourceCode};
use changtong_catalog::request::{Request, RequestFile, RequestState};
use changtong_catalog::resource::Resource;
use serde::Serialize;

#[derive(Debug, Serialize)]
pub struct Shown {
    id: RequestId,
    state: RequestState,
    version: i32,
    resource_code: ResourceCode,
    consumer_agency: AgencyId,
    provider_agency: AgencyId,
    #[serde(flatten)]
    file: RequestFile,
    #[serde(skip_serializing_if = "Option::is_none")]
    submitted_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answered_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<GrantId>,
}

impl Shown {
    pub fn of(request: Request, entry: &Resource) -> Self {
        Self {
            id: request.id,
            state: request.state,
            version: request.version,
            resource_code: entry.code.clone(),
            consumer_agency: request.consumer,
            provider_agency: entry.provider,
            file: request.file,
            submitted_at: request.submitted_at,
            answered_at: request.answered_at,
            answer: request.answer,
            grant: request.grant,
        }
    }
}
