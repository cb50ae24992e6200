//! A grant that no store has seen, for tests and benches of every crate: agency 2 reads some items of entry 12 until the
//! middle of 2027. What matters to a test it says itself: `Grant { items, ..grant() }`.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::DateTime;
use uuid::Uuid;

use crate::grant::{Grant, GrantState};
use crate::ids::{AgencyId, GrantId, GrantNumber, RequestId, ResourceNumber, SchemaId};
use crate::request::{GrantLimits, History, Purpose};

/// 2026-09-24T00:00:00Z and 2027-06-30T16:00:00Z.
const MADE: Duration = Duration::from_secs(1_790_208_000);
const ENDS: Duration = Duration::from_secs(1_814_371_200);

#[must_use]
pub fn grant() -> Grant {
    Grant {
        id: GrantId(Uuid::from_u128(4)),
        number: GrantNumber(34),
        resource: ResourceNumber(12),
        consumer: AgencyId(Uuid::from_u128(2)),
        request: RequestId(Uuid::from_u128(3)),
        version: 1,
        state: GrantState::Active,
        purposes: vec![Purpose {
            code: "delay-weather".to_owned(), text: "延误与天气关联分析".to_owned()
        }],
        items: ["origin", "flight", "dep_delay", "time_hour"].map(str::to_owned).to_vec(),
        masks: BTreeMap::new(),
        provider_filter: None,
        consumer_filter: None,
        history: History::All,
        floor: None,
        delete_lines: true,
        limits: GrantLimits::default(),
        schema: SchemaId(9),
        schema_version: 1,
        handle_key: "h1".to_owned(),
        pseudonym_key: "p1".to_owned(),
        created_at: DateTime::UNIX_EPOCH + MADE,
        valid_until: Some(DateTime::UNIX_EPOCH + ENDS),
        cause: None,
        suspended_by: None,
    }
}
