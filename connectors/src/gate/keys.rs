//! Key material of the data path, by the ids that the store keeps (protocol.md 10). Never printed.

use std::collections::BTreeMap;
use std::fmt;

use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::mac::MacKey;

/// Keys of one use; the current one makes, all of them read.
#[derive(Clone)]
pub struct KeyRing {
    current: String,
    keys: BTreeMap<String, MacKey>,
}

impl KeyRing {
    /// `None` if the current key is not among them.
    #[must_use]
    pub fn new(current: impl Into<String>, keys: BTreeMap<String, [u8; 32]>) -> Option<Self> {
        let current = current.into();
        let keys: BTreeMap<_, _> = keys.into_iter().map(|(id, key)| (id, MacKey::new(&key))).collect();
        keys.contains_key(&current).then_some(Self { current, keys })
    }

    #[must_use]
    pub fn current(&self) -> &str {
        &self.current
    }

    pub fn all(&self) -> impl Iterator<Item = &MacKey> {
        self.keys.values()
    }

    pub fn get(&self, id: &str) -> Result<&MacKey, Refusal> {
        self.keys.get(id).ok_or_else(|| {
            Refusal::new(
                Code::Internal,
                format!("密钥 {id} 不在密钥目录中"),
                format!("the key {id} is not in the keys folder"),
            )
        })
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").field("current", &self.current).finish_non_exhaustive()
    }
}

/// What the gate needs of `keys.dir`.
#[derive(Debug, Clone)]
pub struct GateKeys {
    /// Master keys of row handles; a grant names its own.
    pub handle: KeyRing,
    /// Master keys of pseudonyms (mask `hmac`).
    pub pseudonym: KeyRing,
    /// Keys that seal cursors.
    pub cursor: KeyRing,
}
