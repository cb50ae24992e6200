//! A grant that no store has seen, and its keys: for what is fuzzed, tested and measured.

use std::collections::BTreeMap;

use changtong_catalog::grant::{Grant, GrantState};
use changtong_catalog::handle::HandleKey;
use changtong_catalog::ids::{AgencyId, GrantId, GrantNumber, RequestId, ResourceNumber, SchemaId};
use changtong_catalog::mac::MacKey;
use changtong_catalog::request::{GrantLimits, History};
use uuid::Uuid;

use crate::avro::GrantKeys;

/// Active, unmasked, behind these filters.
#[must_use]
pub fn grant(items: &[&str], provider: Option<&str>, consumer: Option<&str>) -> Grant {
    Grant {
        id: GrantId(Uuid::nil()),
        number: GrantNumber(1),
        resource: ResourceNumber(1),
        consumer: AgencyId(Uuid::nil()),
        request: RequestId(Uuid::nil()),
        version: 1,
        state: GrantState::Active,
        purposes: vec![],
        items: items.iter().map(|name| (*name).to_owned()).collect(),
        masks: BTreeMap::new(),
        provider_filter: provider.map(str::to_owned),
        consumer_filter: consumer.map(str::to_owned),
        history: History::All,
        floor: None,
        delete_lines: true,
        limits: GrantLimits::default(),
        schema: SchemaId(9),
        schema_version: 1,
        handle_key: "m1".to_owned(),
        pseudonym_key: "p1".to_owned(),
        created_at: chrono::DateTime::UNIX_EPOCH,
        valid_until: None,
        cause: None,
        suspended_by: None,
    }
}

#[must_use]
pub fn keys() -> GrantKeys {
    GrantKeys {
        handle: HandleKey::of_grant(&MacKey::new(&[1; 32]), GrantId(Uuid::nil())),
        pseudonyms: MacKey::new(&[2; 32]),
    }
}
