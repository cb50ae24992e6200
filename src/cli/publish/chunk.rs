//! One request of a publish, and the key that makes it happen once.

use bytes::Bytes;
use changtong_catalog::clock::Ids as _;
use sha2::{Digest as _, Sha256};

use crate::clock::SystemIds;

/// Bytes of a body at most; the server takes more, others wait meanwhile.
pub const MOST_BYTES: usize = 4 << 20;

#[derive(Debug, Clone)]
pub struct Chunk {
    pub media_type: &'static str,
    pub body: Bytes,
    /// Place in the file of its first record, from 0.
    pub first: u64,
    /// Bytes of the file that were read when it was made.
    pub read: u64,
}

impl Chunk {
    /// Made from the content and its place: a file with equal parts publishes each, the same file again publishes none.
    pub fn key(&self, resource: &str, on_invalid: &str, salt: Option<&str>) -> String {
        let mut hash = Sha256::new();
        for part in [resource, on_invalid, self.media_type, salt.unwrap_or_default()] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        hash.update(self.first.to_be_bytes());
        hash.update(&self.body);
        hash.finalize().iter().take(20).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What makes the keys of one command differ from those of every other.
pub fn salt() -> String {
    let mut random = [0; 16];
    SystemIds.fill(&mut random);
    format!("{:032x}", u128::from_be_bytes(random))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_of_the_content_and_its_place() {
        let chunk =
            |first, body: &'static str| Chunk { media_type: "text/csv", body: body.into(), first, read: 0 };
        let key = chunk(0, "a\n1\n").key("r", "reject", None);
        assert_eq!(key, chunk(0, "a\n1\n").key("r", "reject", None));
        assert_eq!(key.len(), 40);
        let others = [
            chunk(5, "a\n1\n").key("r", "reject", None),
            chunk(0, "a\n2\n").key("r", "reject", None),
            chunk(0, "a\n1\n").key("s", "reject", None),
            chunk(0, "a\n1\n").key("r", "quarantine", None),
            chunk(0, "a\n1\n").key("r", "reject", Some("x")),
        ];
        assert!(others.iter().all(|other| *other != key));
    }
}
