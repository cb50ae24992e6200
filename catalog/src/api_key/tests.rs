//! What a key is, what opens with it, and what refusing it costs.

use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::account::Roles;
use crate::clock::SeededIds;
use crate::ids::{AccountId, AgencyId};

fn key() -> KeyText {
    KeyText::make(&SeededIds::new(7))
}

fn pepper() -> MacKey {
    MacKey::new(b"pepper")
}

fn record(key: &KeyText) -> KeyRecord {
    KeyRecord {
        id: key.id().clone(),
        mac: key.mac(&pepper()).to_vec(),
        pepper: "p1".to_owned(),
        account: AccountId(Uuid::from_u128(1)),
        agency: AgencyId(Uuid::from_u128(2)),
        roles: Roles::default(),
        expires_at: "2027-01-01T00:00:00Z".parse().unwrap(),
        ended: None,
    }
}

fn now() -> Time {
    "2026-12-31T23:59:59.999999Z".parse().unwrap()
}

#[test]
fn a_key_says_what_it_is_and_hides_its_secret() {
    let text = key().text();
    let parts: Vec<&str> = text.expose().split('_').collect();
    assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [3, 8, 32, 6]);
    assert_eq!(KeyText::parse(text.expose()), Ok(key()));
    let shown = format!("{:?} {text:?}", key());
    assert!(shown.contains(parts[1]) && !shown.contains(parts[2]), "{shown}");
    assert_ne!(key(), KeyText::make(&SeededIds::new(8)));
}

/// The checksum is zlib's CRC-32 of all before its underscore; this key was made by other means.
#[test]
fn the_checksum_is_crc32_in_base62() {
    let body = "ctk_abcdefgh_0123456789ABCDEFGHIJabcdefghijkl";
    assert!(KeyText::parse(&format!("{body}_0oVmqy")).is_ok());
    assert_eq!(checksum(""), "000000");
}

#[test]
fn only_the_stored_secret_opens() {
    let key = key();
    let stored = record(&key);
    assert_eq!(key.check(Some(&stored), &pepper(), now()), Ok(()));
    let other = KeyText { id: key.id.clone(), secret: KeyText::make(&SeededIds::new(8)).secret };
    let changed = |change: fn(&mut KeyRecord)| {
        let mut record = stored.clone();
        change(&mut record);
        record
    };
    let refusals = [
        key.check(None, &pepper(), now()),
        other.check(Some(&stored), &pepper(), now()),
        key.check(Some(&stored), &MacKey::new(b"another pepper"), now()),
        key.check(Some(&changed(|record| record.ended = Some(Fallen::Revoked))), &pepper(), now()),
        key.check(Some(&changed(|record| record.id = KeyId("another1".to_owned()))), &pepper(), now()),
        key.check(Some(&changed(|record| record.mac = vec![0; 32])), &pepper(), now()),
        key.check(Some(&changed(|record| record.mac.clear())), &pepper(), now()),
        key.check(Some(&stored), &pepper(), stored.expires_at),
        KeyText::parse("ctk_x").map(drop),
    ];
    for refusal in refusals {
        assert_eq!(refusal, Err(unauthenticated()), "every refusal is the same");
    }
}

/// A book of one key that counts the questions.
struct Counting {
    record: KeyRecord,
    is_remembered: bool,
    questions: AtomicUsize,
}

impl Counting {
    fn page(&self, id: &KeyId) -> Option<KeyRecord> {
        (self.record.id == *id).then(|| self.record.clone())
    }
}

impl KeyBook for Counting {
    fn remembered(&self, id: &KeyId) -> Option<KeyRecord> {
        self.page(id).filter(|_| self.is_remembered)
    }

    async fn stored(&self, id: &KeyId) -> Result<Option<KeyRecord>, Refusal> {
        self.questions.fetch_add(1, Ordering::Relaxed);
        Ok(self.page(id))
    }

    fn pepper(&self, _: Option<&KeyRecord>) -> Result<MacKey, Refusal> {
        Ok(pepper())
    }
}

/// Time is not measured here: what is counted is what could take it.
#[tokio::test]
async fn every_refusal_costs_the_same_steps() {
    let key = key();
    let stored = record(&key);
    let guessed = KeyText::guess(key.id().clone(), &SeededIds::new(9));
    let unknown = KeyText::make(&SeededIds::new(10));
    let fallen = KeyRecord { ended: Some(Fallen::Account), ..stored.clone() };
    let steps = async |key: Option<&KeyText>, record: &KeyRecord, is_remembered, now| {
        let book = Counting { record: record.clone(), is_remembered, questions: AtomicUsize::new(0) };
        let before = crate::mac::steps();
        let judged = judge(key, &book, now).await;
        let after = crate::mac::steps();
        let steps = (book.questions.into_inner(), after.0 - before.0, after.1 - before.1);
        (judged.map(|record| record.id), steps)
    };
    let right = (Ok(key.id().clone()), (0, 1, 32));
    assert_eq!(steps(Some(&key), &stored, true, now()).await, right, "remembered");
    let refused = (Err(unauthenticated()), (1, 2, 64));
    for is_remembered in [true, false] {
        for (key, record, now) in [
            (Some(&guessed), &stored, now()),
            (Some(&unknown), &stored, now()),
            (Some(&key), &fallen, now()),
            (Some(&key), &stored, stored.expires_at),
            (KeyText::parse("ctk_x").ok().as_ref(), &stored, now()),
        ] {
            let found = steps(key, record, is_remembered, now).await;
            assert_eq!(found, refused, "one question, two HMACs, 2 × 32 bytes: {key:?}");
        }
    }
    let asked = (Ok(key.id().clone()), (1, 2, 64));
    assert_eq!(steps(Some(&key), &stored, false, now()).await, asked, "a key not seen lately costs no less");
}

#[test]
fn every_character_is_equally_likely() {
    let ids = SeededIds::new(1);
    let mut counts = [0_usize; 128];
    for byte in (0..2_000).flat_map(|_| base62(&ids, 31).into_bytes()) {
        counts[usize::from(byte)] += 1;
    }
    let used: Vec<usize> = BASE62.iter().map(|b| counts[usize::from(*b)]).collect();
    assert!(used.iter().all(|n| (800..1_200).contains(n)), "{used:?}");
}

proptest! {
    #[test]
    fn keys_come_back_and_typos_do_not(seed: u64, at in 0..51_usize, typo in "[!-~]") {
        let key = KeyText::make(&SeededIds::new(seed));
        let text = key.text().expose().to_owned();
        prop_assert_eq!(KeyText::parse(&text), Ok(key));
        let mut mistyped = text.clone();
        mistyped.replace_range(at..=at, &typo);
        prop_assert_eq!(KeyText::parse(&mistyped).is_ok(), mistyped == text);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(ctk_)?.{0,60}") {
        prop_assert!(KeyText::parse(&text).is_err());
    }
}
