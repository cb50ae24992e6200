//! A record set aside, without its bytes.

use changtong_catalog::clock::Time;
use changtong_catalog::ids::{BatchId, QuarantineId, ResourceCode};
use changtong_catalog::store::{QuarantineEntry, QuarantineState};
use serde::Serialize;

#[derive(Debug, Serialize)]
pub struct Shown {
    id: QuarantineId,
    resource: ResourceCode,
    batch: BatchId,
    code: String,
    path: String,
    reason: Reason,
    at: Time,
    state: QuarantineState,
    #[serde(skip_serializing_if = "Option::is_none")]
    replayed_as: Option<BatchId>,
}

#[derive(Debug, Serialize)]
struct Reason {
    zh: String,
    en: String,
}

impl Shown {
    pub fn of(entry: QuarantineEntry, resource: ResourceCode) -> Self {
        Self {
            id: entry.id,
            resource,
            batch: entry.batch,
            code: entry.code,
            path: entry.path,
            reason: Reason { zh: entry.reason_zh, en: entry.reason_en },
            at: entry.at,
            state: entry.state,
            replayed_as: entry.replayed_as,
        }
    }
}
