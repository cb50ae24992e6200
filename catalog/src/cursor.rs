//! Cursors: opaque text that holds subscription, view, seek count and the next offset of every partition, under an
//! HMAC (protocol.md 6).
//!
//! The bytes: version, subscription (16 bytes), view (8, big-endian), in version 2 the generation, seek count, number of
//! partitions and their offsets (unsigned varints), then the first 16 bytes of the HMAC over all of it; base64url without
//! padding. Version 1 is of generation 1.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::error::{Code, Refusal};
use crate::grant::Grant;
use crate::ids::{Generation, SubscriptionId};
use crate::mac::{MacKey, same};

/// The version that stands for generation 1, and the one that names its generation.
const FIRST: u8 = 1;
const NAMED: u8 = 2;
const MAC: usize = 16;
/// More text than the largest cursor (10,000 partitions) has.
const MOST_TEXT: usize = 150_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    pub subscription: SubscriptionId,
    /// Digest of (generation, grant, items, filters, masks, history): [`view_digest`].
    pub view: i64,
    /// Whose offsets they are.
    pub generation: Generation,
    pub seek_count: i32,
    /// Next offset of every partition.
    pub next: Vec<i64>,
}

impl Cursor {
    #[must_use]
    pub fn encode(&self, key: &MacKey) -> String {
        let first = self.generation == Generation(1);
        let mut bytes = vec![if first { FIRST } else { NAMED }];
        bytes.extend(self.subscription.0.as_bytes());
        bytes.extend(self.view.to_be_bytes());
        if !first {
            put_varint(&mut bytes, u64::from(self.generation.0.cast_unsigned()));
        }
        put_varint(&mut bytes, u64::from(self.seek_count.cast_unsigned()));
        put_varint(&mut bytes, self.next.len() as u64);
        self.next.iter().for_each(|offset| put_varint(&mut bytes, offset.cast_unsigned()));
        let mac = key.half(&bytes);
        bytes.extend(mac);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads what `encode` wrote under one of the keys. What it belongs to (subscription, view, seek count) is for the
    /// caller to compare.
    pub fn decode<'a>(text: &str, keys: impl IntoIterator<Item = &'a MacKey>) -> Result<Self, Refusal> {
        Self::read(text, keys).ok_or_else(invalid)
    }

    fn read<'a>(text: &str, keys: impl IntoIterator<Item = &'a MacKey>) -> Option<Self> {
        let bytes = (text.len() <= MOST_TEXT).then(|| URL_SAFE_NO_PAD.decode(text).ok())??;
        let (body, mac) = bytes.split_at_checked(bytes.len().checked_sub(MAC)?)?;
        let genuine = keys.into_iter().fold(false, |genuine, key| genuine | same(&key.half(body), mac));
        if !genuine {
            return None;
        }
        let (&[version], rest) = body.split_first_chunk()?;
        let (subscription, rest) = rest.split_first_chunk::<16>()?;
        let (view, mut rest) = rest.split_first_chunk::<8>()?;
        let generation = match version {
            FIRST => Generation(1),
            NAMED => Generation(small(&mut rest)?),
            _ => return None,
        };
        let seek_count = small(&mut rest)?;
        let partitions = usize::try_from(take_varint(&mut rest)?).ok().filter(|n| *n <= rest.len())?;
        let next: Option<Vec<i64>> =
            (0..partitions).map(|_| Some(take_varint(&mut rest)?.cast_signed())).collect();
        let subscription = SubscriptionId(Uuid::from_bytes(*subscription));
        let view = i64::from_be_bytes(*view);
        let whole = Self { subscription, view, generation, seek_count, next: next? };
        rest.is_empty().then_some(whole)
    }
}

fn invalid() -> Refusal {
    Refusal::new(
        Code::CursorInvalid,
        "游标无效:请原样使用本服务应答中的 next,或不带游标从已确认位置读起",
        "the cursor is not valid: use `next` of an answer of this service unchanged, or no cursor to read from the \
         acknowledged position",
    )
}

fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn small(bytes: &mut &[u8]) -> Option<i32> {
    u32::try_from(take_varint(bytes)?).ok().map(u32::cast_signed)
}

/// Per partition the larger offset: where an acknowledgement moves a position, how far several windows let out.
#[must_use]
pub fn farther(a: &[i64], b: &[i64]) -> Vec<i64> {
    let (long, short) = if a.len() < b.len() { (b, a) } else { (a, b) };
    let larger = long.iter().zip(short).map(|(a, b)| *a.max(b));
    larger.chain(long[short.len()..].iter().copied()).collect()
}

/// Whether `a` is nowhere beyond `b`. Positions of different partition counts are never comparable.
#[must_use]
pub fn not_beyond(a: &[i64], b: &[i64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a <= b)
}

/// What a grant shows of a generation. Another digest is another view: a table's copies begin anew.
#[must_use]
pub fn view_digest(grant: &Grant, generation: Generation) -> i64 {
    let mut parts: Vec<Vec<u8>> = vec![
        b"changtong view 1".to_vec(),
        grant.id.0.as_bytes().to_vec(),
        generation.0.to_be_bytes().to_vec(),
        String::from(grant.history).into_bytes(),
        vec![u8::from(grant.delete_lines)],
    ];
    for filter in [&grant.provider_filter, &grant.consumer_filter] {
        parts.push(vec![u8::from(filter.is_some())]);
        parts.push(filter.clone().unwrap_or_default().into_bytes());
    }
    for item in &grant.items {
        parts.push(item.clone().into_bytes());
        parts.push(grant.masks.get(item).map_or("", |mask| mask.as_str()).as_bytes().to_vec());
    }
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest: [u8; 32] = hash.finalize().into();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mask::Mask;
    use crate::request::History;
    use crate::testing::grant;

    fn cursor() -> Cursor {
        let subscription = SubscriptionId(Uuid::from_u128(7));
        let next = vec![0, 300, 1 << 40];
        Cursor { subscription, view: -3, generation: Generation(1), seek_count: 2, next }
    }

    fn key() -> MacKey {
        MacKey::new(b"cursor")
    }

    /// Cursors live in clients: this text must be readable for ever.
    #[test]
    fn the_text_of_version_1_stays() {
        assert_eq!(
            cursor().encode(&key()),
            "AQAAAAAAAAAAAAAAAAAAAAf__________QIDAKwCgICAgIAgqzh61iH5DLe4NS3HzhKJ7g"
        );
        assert_eq!(
            Cursor::decode(
                "AQAAAAAAAAAAAAAAAAAAAAf__________QIDAKwCgICAgIAgqzh61iH5DLe4NS3HzhKJ7g",
                [&key()]
            ),
            Ok(cursor())
        );
    }

    #[test]
    fn a_later_generation_is_named() {
        let later = Cursor { generation: Generation(2), ..cursor() };
        let text = later.encode(&key());
        assert_eq!(text, "AgAAAAAAAAAAAAAAAAAAAAf__________QICAwCsAoCAgICAIKyDXVS3W9fVyLO3QS-nb-g");
        assert_eq!(Cursor::decode(&text, [&key()]), Ok(later));
    }

    #[test]
    fn any_key_of_the_ring_reads_and_no_other() {
        let text = cursor().encode(&key());
        let new = MacKey::new(b"new");
        assert_eq!(Cursor::decode(&text, [&new, &key()]), Ok(cursor()));
        assert_eq!(Cursor::decode(&text, [&new]).unwrap_err().code, Code::CursorInvalid);
        assert!(Cursor::decode(&text, []).is_err());
    }

    #[test]
    fn what_was_not_made_here_is_refused() {
        let long = "A".repeat(MOST_TEXT + 1);
        for text in ["", "A", "AAAA", "中", "next", &format!("{}=", cursor().encode(&key())), &long] {
            assert!(Cursor::decode(text, [&key()]).is_err(), "{text}");
        }
        // Well sealed, but of another version, cut short, or with something behind.
        let seal = |mut body: Vec<u8>| {
            let mac = key().half(&body);
            body.extend(mac);
            URL_SAFE_NO_PAD.encode(body)
        };
        let bytes = URL_SAFE_NO_PAD.decode(cursor().encode(&key())).unwrap();
        let body = bytes[..bytes.len() - MAC].to_vec();
        assert!(Cursor::decode(&seal(body.clone()), [&key()]).is_ok());
        let mut other = body.clone();
        other[0] = 3;
        let mut more = body.clone();
        more.push(0);
        let less = body[..body.len() - 1].to_vec();
        let endless = [&body[..25], &[0xff; 11]].concat();
        for bad in [other, more, less, endless, vec![], vec![1]] {
            assert!(Cursor::decode(&seal(bad), [&key()]).is_err());
        }
    }

    #[test]
    fn positions_compare_per_partition() {
        assert_eq!(farther(&[1, 9, 3], &[2, 8, 3]), [2, 9, 3]);
        assert_eq!(farther(&[], &[2]), [2]);
        assert!(not_beyond(&[1, 8], &[1, 9]) && !not_beyond(&[2, 8], &[1, 9]) && !not_beyond(&[1], &[1, 2]));
    }

    #[test]
    fn every_term_of_the_view_changes_its_digest() {
        let grant = grant();
        let digest = view_digest(&grant, Generation(1));
        assert_eq!(view_digest(&grant.clone(), Generation(1)), digest);
        assert_ne!(view_digest(&grant, Generation(2)), digest);
        let changes: [fn(&mut Grant); 8] = [
            |grant| grant.id = crate::ids::GrantId(Uuid::from_u128(99)),
            |grant| grant.items.push("tailnum".to_owned()),
            |grant| grant.items.reverse(),
            |grant| grant.masks.extend([(grant.items[0].clone(), Mask::Blank)]),
            |grant| grant.provider_filter = Some("dep_delay > 15".to_owned()),
            |grant| grant.consumer_filter = Some("dep_delay > 15".to_owned()),
            |grant| grant.history = History::Since("2026-01-01".parse().unwrap()),
            |grant| grant.delete_lines = !grant.delete_lines,
        ];
        let mut digests = vec![digest];
        for change in changes {
            let mut changed = grant.clone();
            change(&mut changed);
            digests.push(view_digest(&changed, Generation(1)));
        }
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), 9);
        // What is no part of the view.
        let mut renewed = grant.clone();
        renewed.version += 1;
        renewed.schema_version += 1;
        renewed.valid_until = None;
        assert_eq!(view_digest(&renewed, Generation(1)), digest);
    }

    proptest! {
        #[test]
        fn a_cursor_comes_back(id: u128, view: i64, of: i32, seek_count: i32, next: Vec<i64>, flip: prop::sample::Index) {
            let subscription = SubscriptionId(Uuid::from_u128(id));
            let cursor = Cursor { subscription, view, generation: Generation(of), seek_count, next };
            let text = cursor.encode(&key());
            prop_assert_eq!(Cursor::decode(&text, [&key()]), Ok(cursor));
            let mut bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
            let at = flip.index(bytes.len() * 8);
            bytes[at / 8] ^= 1 << (at % 8);
            prop_assert!(Cursor::decode(&URL_SAFE_NO_PAD.encode(bytes), [&key()]).is_err());
        }
    }
}
