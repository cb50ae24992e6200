//! Row handles: `k` of a delivered record (protocol.md 8). A consumer keeps its copy by them without ever seeing the
//! key items, and no two grants share them.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::ids::GrantId;
use crate::mac::MacKey;

/// The handle key of one grant, for its life.
#[derive(Debug, Clone)]
pub struct HandleKey(MacKey);

impl HandleKey {
    /// From the named master key that the grant stores.
    #[must_use]
    pub fn of_grant(master: &MacKey, grant: GrantId) -> Self {
        Self(master.derive(grant.to_string().as_bytes()))
    }

    /// `key_datum` is the encoded key without its frame, so a handle outlives a change of schema ids.
    #[must_use]
    pub fn handle(&self, key_datum: &[u8]) -> Handle {
        Handle(self.0.half(key_datum))
    }
}

/// 16 bytes; base64url without padding as text, as they are in Avro.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(pub [u8; 16]);

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 22];
        let length = URL_SAFE_NO_PAD.encode_slice(self.0, &mut text).map_err(|_| fmt::Error)?;
        f.write_str(str::from_utf8(&text[..length]).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn key(grant: u128) -> HandleKey {
        HandleKey::of_grant(&MacKey::new(&[7; 32]), GrantId(Uuid::from_u128(grant)))
    }

    /// Computed with Python's hmac and base64.
    #[test]
    fn a_handle_is_what_the_protocol_says() {
        assert_eq!(
            key(0x0197_0000_0000_7000_8000_0000_0000_0001).handle(b"\x06JFK").to_string(),
            "FhFsO0AWkg7nq7vhdaRhgA"
        );
    }

    proptest! {
        #[test]
        fn handles_belong_to_one_row_and_one_grant(a: Vec<u8>, b: Vec<u8>) {
            prop_assert_eq!(key(1).handle(&a), key(1).handle(&a));
            prop_assert_eq!(key(1).handle(&a) == key(1).handle(&b), a == b);
            prop_assert_ne!(key(1).handle(&a), key(2).handle(&a));
            prop_assert_eq!(key(1).handle(&a).to_string().len(), 22);
        }
    }
}
