//! HMAC-SHA-256 with the key schedule done once: row handles, pseudonyms, cursors, API keys.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Bytes of a block of SHA-256.
const BLOCK: usize = 64;

/// A key that is ready for use. It never shows itself.
#[derive(Clone)]
pub struct MacKey(Hmac<Sha256>);

impl MacKey {
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        // RFC 2104: a key longer than a block is hashed first, a shorter one padded with zeros.
        let mut block = [0; BLOCK];
        if key.len() > BLOCK {
            block[..32].copy_from_slice(&Sha256::digest(key));
        } else {
            block[..key.len()].copy_from_slice(key);
        }
        Self(Hmac::new(&block.into()))
    }

    /// A key of its own for one use, so that no two uses share a key.
    #[must_use]
    pub fn derive(&self, purpose: &[u8]) -> Self {
        Self::new(&self.sum(purpose))
    }

    #[must_use]
    pub fn sum(&self, bytes: &[u8]) -> [u8; 32] {
        #[cfg(test)]
        STEPS.with(|steps| steps.set((steps.get().0 + 1, steps.get().1)));
        self.0.clone().chain_update(bytes).finalize().into_bytes().into()
    }

    /// The first half of the sum.
    #[must_use]
    pub fn half(&self, bytes: &[u8]) -> [u8; 16] {
        let sum = self.sum(bytes);
        let mut half = [0; 16];
        half.copy_from_slice(&sum[..16]);
        half
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(hidden)")
    }
}

/// Whether two sums are equal, in a time that doesn't tell where they differ.
#[must_use]
pub fn same(a: &[u8], b: &[u8]) -> bool {
    #[cfg(test)]
    STEPS.with(|steps| steps.set((steps.get().0, steps.get().1 + a.len().min(b.len()))));
    a.ct_eq(b).into()
}

#[cfg(test)]
thread_local! {
    /// Sums made and bytes compared on this thread.
    static STEPS: std::cell::Cell<(usize, usize)> = const { std::cell::Cell::new((0, 0)) };
}

/// For tests that count instead of timing.
#[cfg(test)]
pub(crate) fn steps() -> (usize, usize) {
    STEPS.with(std::cell::Cell::get)
}

/// Lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, cases 1, 2 and 6 (a key longer than a block).
    #[test]
    fn sums_as_rfc_4231_says() {
        let cases: [(&[u8], &[u8], &str); 3] = [
            (&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ];
        for (key, text, sum) in cases {
            assert_eq!(hex(&MacKey::new(key).sum(text)), sum);
        }
    }

    #[test]
    fn keys_are_apart_and_hidden() {
        let key = MacKey::new(b"master");
        assert_ne!(key.derive(b"a").sum(b""), key.derive(b"b").sum(b""));
        assert_eq!(format!("{key:?}"), "MacKey(hidden)");
        assert!(same(b"abc", b"abc") && !same(b"abc", b"abd") && !same(b"abc", b"ab"));
    }
}
