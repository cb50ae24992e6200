//! Which partition a record goes to (protocol.md 2): Java's murmur2 of the framed key bytes, as Kafka's own clients
//! choose it, and without a key one partition for the whole batch.

use crate::ids::BatchId;

/// The partition of a record with a key. `key` is the framed key; `partitions` the topic's count, at least 1.
#[must_use]
pub fn of_key(key: &[u8], partitions: i32) -> i32 {
    (murmur2(key) & 0x7fff_ffff) % partitions.max(1)
}

/// The partition of every record of a batch without keys.
#[must_use]
pub fn of_batch(batch: BatchId, partitions: i32) -> i32 {
    of_key(batch.0.as_bytes(), partitions)
}

/// Kafka's murmur2 (seed 0x9747b28c), as a signed number like Java's.
#[must_use]
pub fn murmur2(bytes: &[u8]) -> i32 {
    const M: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    // Java's lengths are ints, so what is longer than u32 can't occur there.
    let mut h = SEED ^ bytes.len() as u32;
    let (words, rest) = bytes.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        h = h.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (at, byte) in rest.iter().enumerate() {
            h ^= u32::from(*byte) << (8 * at);
        }
        h = h.wrapping_mul(M);
    }
    h ^= h >> 13;
    h = h.wrapping_mul(M);
    (h ^ (h >> 15)).cast_signed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn hashes_as_java_does() {
        let vectors: [(&[u8], i32); 5] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"abc", 479_470_107),
            (b"", 275_646_681),
            (&[0, 0, 0, 0, 0x07, 0x04, 0x55, 0x41, 0xe2, 0x13], 1_680_787_275),
        ];
        for (bytes, hash) in vectors {
            assert_eq!(murmur2(bytes), hash, "{bytes:02x?}");
        }
        assert_eq!(of_key(b"21", 3), (-973_932_308 & 0x7fff_ffff) % 3);
    }

    #[test]
    fn batches_without_keys_spread() {
        let mut batches = [0; 3];
        for n in 0..3_000_u128 {
            batches[usize::try_from(of_batch(BatchId(Uuid::from_u128(n << 64 | 7)), 3)).unwrap()] += 1;
        }
        assert!(batches.iter().all(|n| *n > 800), "{batches:?}");
    }

    proptest! {
        #[test]
        fn every_key_has_a_partition(key: Vec<u8>, partitions in 1..500_i32) {
            prop_assert!((0..partitions).contains(&of_key(&key, partitions)));
            prop_assert_eq!(of_key(&key, partitions), of_key(&key, partitions));
        }
    }
}
