//! A grant on the items of a test, and its keys: for what is fuzzed, tested and measured.

use changtong_catalog::grant::Grant;
use changtong_catalog::handle::HandleKey;
use changtong_catalog::ids::GrantId;
use changtong_catalog::mac::MacKey;
use changtong_catalog::sample;
use uuid::Uuid;

use crate::avro::GrantKeys;

/// Active, unmasked, behind these filters.
#[must_use]
pub fn grant(items: &[&str], provider: Option<&str>, consumer: Option<&str>) -> Grant {
    Grant {
        items: items.iter().map(|name| (*name).to_owned()).collect(),
        provider_filter: provider.map(str::to_owned),
        consumer_filter: consumer.map(str::to_owned),
        ..sample::grant()
    }
}

#[must_use]
pub fn keys() -> GrantKeys {
    GrantKeys {
        handle: HandleKey::of_grant(&MacKey::new(&[1; 32]), GrantId(Uuid::nil())),
        pseudonyms: MacKey::new(&[2; 32]),
    }
}
