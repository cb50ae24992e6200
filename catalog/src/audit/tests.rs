//! The bytes of every event are fixed, the list is whole, and nothing passes the size of a body.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;

use super::fact::Fact;
use super::*;
use crate::ids::{AccountId, AgencyId, EventId, Generation, GrantId, KeyId, ResourceNumber, SchemaId};
use crate::visibility::Run;

fn golden_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/events")
}

fn actor() -> Actor {
    Actor::Key { agency: AgencyId::sample(), account: AccountId::sample(), key: KeyId::sample() }
}

fn is_of_server(code: EventCode) -> bool {
    use EventCode::*;
    matches!(
        code,
        ServerStarted | ServerStopped | ServerLease | Settled | LogRolledBack | LogReconciled | GrantExpired
    )
}

fn golden(code: EventCode) -> Event {
    let actor = if is_of_server(code) { Actor::Server } else { actor() };
    Event::new(EventId::sample(), Fact::sample(), actor, code.sample())
}

fn file_of(code: EventCode) -> String {
    format!("{}.v1.json", code.as_str())
}

#[test]
fn the_bytes_of_every_event_are_the_golden_ones() {
    for code in EventCode::ALL {
        let written = golden(*code).encode().unwrap();
        let path = golden_folder().join(file_of(*code));
        let expected = fs::read_to_string(&path).unwrap_or_else(|_| {
            fs::write(&path, &written.body).unwrap();
            panic!("{} was missing and has been written: look at it and commit it", file_of(*code))
        });
        assert_eq!(String::from_utf8(written.body).unwrap(), expected, "{}", code.as_str());
    }
}

#[test]
fn there_is_no_golden_file_without_a_code() {
    let codes: BTreeSet<_> = EventCode::ALL.iter().map(|code| file_of(*code)).collect();
    assert_eq!(codes.len(), EventCode::ALL.len(), "two events share a code");
    let files: BTreeSet<_> = fs::read_dir(golden_folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(files, codes);
}

/// Rows of the tables in docs/events.md: first cell → the cells after it.
fn rows() -> (BTreeMap<String, String>, BTreeSet<String>) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/events.md");
    let text = fs::read_to_string(path).unwrap();
    let (codes, fields) = text.split_once("## Fields").unwrap();
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let table =
        |text: &str| text.lines().filter(|line| line.starts_with("| `")).map(cells).collect::<Vec<_>>();
    let codes = table(codes).into_iter().map(|row| (row[1].replace('`', ""), row[2].clone())).collect();
    let fields = table(fields).into_iter().map(|row| row[1].replace('`', "")).collect();
    (codes, fields)
}

#[test]
fn the_document_names_every_code_and_its_fields() {
    let (codes, fields) = rows();
    let mut expected_fields: BTreeSet<String> =
        ["v", "id", "at", "code", "actor"].map(str::to_owned).into_iter().collect();
    let mut expected_codes = BTreeMap::new();
    for code in EventCode::ALL {
        let names: Vec<_> = code.fields().iter().map(|field| format!("`{field}`")).collect();
        expected_codes.insert(code.as_str().to_owned(), names.join(", "));
        expected_fields.extend(code.fields().iter().map(|field| (*field).to_owned()));
    }
    assert_eq!(codes, expected_codes);
    assert_eq!(fields, expected_fields);
}

#[test]
fn the_store_finds_an_event_by_what_its_body_says() {
    for code in EventCode::ALL {
        let event = golden(*code);
        let encoded = event.encode().unwrap();
        let read = Projection::read(&encoded.body).unwrap();
        assert_eq!(read.id, encoded.id.to_string());
        assert_eq!(read.code, encoded.code.as_str());
        assert_eq!(read.agency, encoded.agency.map(|id| id.to_string()));
        assert_eq!(read.account, encoded.account.map(|id| id.to_string()));
        assert_eq!((read.resource, read.grant), (encoded.resource, encoded.grant));
        assert_eq!(encoded.resource.is_some(), code.fields().contains(&"resource"));
        assert_eq!(encoded.grant.is_some(), code.fields().contains(&"grant"));
    }
}

#[test]
fn an_absent_field_is_left_out() {
    let what = AgencySuspended { agency: AgencyId::sample(), cause: None };
    let encoded = Event::new(EventId::sample(), Fact::sample(), Actor::Server, what).encode().unwrap();
    let text = String::from_utf8(encoded.body).unwrap();
    assert!(!text.contains("cause"), "{text}");
    assert_eq!((encoded.agency, encoded.account), (None, None), "the server has no agency");
}

#[test]
fn the_leaf_hashes_the_stored_bytes() {
    // SHA-256 of the byte 0x00 alone, and of 0x00 followed by "{}".
    assert_eq!(leaf_sha256(b""), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
    assert_ne!(leaf_sha256(b"{}"), Digest::of(b"{}").to_string());
}

#[test]
fn an_event_of_more_than_the_limit_is_refused() {
    let what = SubscriptionCreated {
        subscription: Fact::sample(),
        grant: GrantId::sample(),
        resource: ResourceNumber(1),
        deletes: true,
        position: vec![1; 5000],
    };
    let error = Event::new(EventId::sample(), Fact::sample(), Actor::Server, what).encode().unwrap_err();
    assert!(matches!(error, Unencodable::TooLarge { code: "subscription.created", bytes } if bytes > LIMIT));
}

#[test]
fn a_digest_is_taken_in_one_form_only() {
    let digest = Digest::of(b"x");
    assert_eq!(digest.as_str().parse::<Digest>().unwrap(), digest);
    for wrong in ["", "abc", &digest.to_string().to_uppercase(), &"g".repeat(64)] {
        assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
    }
}

const LARGEST: i64 = (1 << 53) - 1;

fn published(batches: Vec<Batch>) -> Published {
    Published {
        resource: ResourceNumber(LARGEST),
        generation: Generation(i32::MAX),
        schema: SchemaId(i32::MAX),
        fingerprint: Digest::of(b"schema"),
        batches,
        policy: i32::MAX,
    }
}

#[test]
fn the_largest_batch_fits_into_one_event() {
    let run = Run { partition: i32::MAX, first: LARGEST, last: LARGEST };
    let batch = Batch { id: Fact::sample(), runs: vec![run; 128], n: LARGEST };
    let parts = published(vec![batch.clone(), batch]).split(&actor()).unwrap();
    assert_eq!(parts.len(), 2);
    for part in parts {
        Event::new(EventId::sample(), Fact::sample(), actor(), part).encode().unwrap();
    }
}

proptest! {
    #[test]
    fn splitting_keeps_every_batch_whole_and_in_order(
        sizes in prop::collection::vec((1usize..129, 0..LARGEST), 0..60),
    ) {
        let batch = |(runs, first): &(usize, i64)| Batch {
            id: Fact::sample(),
            runs: (0..*runs).map(|p| Run { partition: p as i32, first: *first, last: LARGEST }).collect(),
            n: *first,
        };
        let batches: Vec<_> = sizes.iter().map(batch).collect();
        let parts = published(batches.clone()).split(&actor()).unwrap();
        let mut lengths = Vec::new();
        for part in &parts {
            prop_assert!(!part.batches.is_empty());
            let event = Event::new(EventId::sample(), Fact::sample(), actor(), part.clone());
            lengths.push(event.encode().unwrap().body.len());
        }
        // No event more than needed: the next batch would not have fitted.
        for (part, length) in parts.iter().skip(1).zip(lengths) {
            let next = serde_json::to_vec(&part.batches[0].to_value().unwrap()).unwrap().len();
            prop_assert!(length + 1 + next > LIMIT);
        }
        let joined: Vec<_> = parts.into_iter().flat_map(|part| part.batches).collect();
        prop_assert_eq!(joined, batches);
    }

    #[test]
    fn holes_split_without_loss(count in 0usize..2000) {
        let holes: Vec<_> =
            (0..count).map(|p| Run { partition: p as i32, first: LARGEST, last: LARGEST }).collect();
        let settled = Settled { resource: ResourceNumber(1), generation: Generation(1), holes: holes.clone() };
        let parts = settled.split(&Actor::Server).unwrap();
        for part in &parts {
            Event::new(EventId::sample(), Fact::sample(), Actor::Server, part.clone()).encode().unwrap();
        }
        prop_assert_eq!(parts.into_iter().flat_map(|part| part.holes).collect::<Vec<_>>(), holes);
    }
}
