//! Key material (protocol.md 10): files in `keys.dir`, mode 0600, made at first start and never in the database. Each
//! use stores the id of its key; adding a file rotates; an id that is used and missing refuses the start.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use changtong_catalog::clock::{Ids, Time};
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::mac::MacKey;

/// What a key is for: the first part of its file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// HMAC of the secrets of API keys.
    Pepper,
    /// Master of the row handles of grants.
    Handle,
    /// Master of the pseudonyms of consumer agencies.
    Pseudonym,
    /// HMAC of cursors.
    Cursor,
}

impl Purpose {
    pub const ALL: [Self; 4] = [Self::Pepper, Self::Handle, Self::Pseudonym, Self::Cursor];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pepper => "pepper",
            Self::Handle => "handle",
            Self::Pseudonym => "pseudonym",
            Self::Cursor => "cursor",
        }
    }
}

/// One key: 32 random bytes. Shows itself to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyBytes([u8; 32]);

impl KeyBytes {
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for KeyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: std::io::Error },
    #[error("{} can be read by others than its owner (mode {mode:o}); chmod 600 it", path.display())]
    Open { path: PathBuf, mode: u32 },
    #[error("{} is not a key: 64 hexadecimal digits are expected", path.display())]
    NotAKey { path: PathBuf },
    #[error(
        "the store uses the {} key {id}, which is not in {}; put the file back (keys are backed up apart from the \
         database) or set keys.dir",
        purpose.as_str(), dir.display()
    )]
    Missing { purpose: Purpose, id: String, dir: PathBuf },
}

/// All keys of the folder.
#[derive(Debug, Clone)]
pub struct KeyRing {
    dir: PathBuf,
    keys: BTreeMap<Purpose, BTreeMap<String, KeyBytes>>,
}

impl KeyRing {
    /// Reads the folder; makes it, and a first key of each purpose that has none.
    pub fn open(dir: &Path, now: Time, ids: &dyn Ids) -> Result<Self, KeysError> {
        let at = |path: &Path| {
            let path = path.to_path_buf();
            move |error| KeysError::Io { path, error }
        };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(at(dir))?;
        let mut ring = Self { dir: dir.to_path_buf(), keys: BTreeMap::new() };
        for entry in std::fs::read_dir(dir).map_err(at(dir))? {
            let path = entry.map_err(at(dir))?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let Some((purpose, id)) = name.strip_suffix(".key").and_then(|name| name.split_once('-')) else {
                continue;
            };
            if let Some(purpose) = Purpose::ALL.into_iter().find(|known| known.as_str() == purpose) {
                let key = read_key(&path)?;
                ring.keys.entry(purpose).or_default().insert(id.to_owned(), key);
            }
        }
        for purpose in Purpose::ALL {
            if !ring.keys.contains_key(&purpose) {
                ring.add(purpose, now, ids)?;
            }
        }
        Ok(ring)
    }

    /// A further key of the purpose; from now on the one in force.
    pub fn add(&mut self, purpose: Purpose, now: Time, ids: &dyn Ids) -> Result<(), KeysError> {
        let id = ids.uuid(now).simple().to_string();
        let mut bytes = [0; 32];
        ids.fill(&mut bytes);
        let path = self.dir.join(format!("{}-{id}.key", purpose.as_str()));
        write_key(&path, &bytes).map_err(|error| KeysError::Io { path, error })?;
        self.keys.entry(purpose).or_default().insert(id, KeyBytes(bytes));
        Ok(())
    }

    /// The newest key of the purpose (ids begin with their time) and its id.
    #[must_use]
    pub fn current(&self, purpose: Purpose) -> Option<(&str, &KeyBytes)> {
        let (id, key) = self.keys.get(&purpose)?.last_key_value()?;
        Some((id, key))
    }

    /// The key in force, as HMACs are made with it, and its id.
    pub fn in_force(&self, purpose: Purpose) -> Result<(String, MacKey), Refusal> {
        let (id, key) = self.current(purpose).ok_or_else(|| {
            Refusal::new(
                Code::Internal,
                format!("密钥目录中没有 {} 密钥", purpose.as_str()),
                format!("the keys folder has no {} key", purpose.as_str()),
            )
        })?;
        Ok((id.to_owned(), MacKey::new(key.expose())))
    }

    #[must_use]
    pub fn get(&self, purpose: Purpose, id: &str) -> Option<&KeyBytes> {
        self.keys.get(&purpose)?.get(id)
    }

    /// Every key of the purpose, oldest first.
    pub fn all(&self, purpose: Purpose) -> impl Iterator<Item = (&str, &KeyBytes)> {
        self.keys.get(&purpose).into_iter().flatten().map(|(id, key)| (id.as_str(), key))
    }

    /// Refuses the start when the store names a key that is not here: what it made could never be matched again.
    pub fn require(&self, purpose: Purpose, id: &str) -> Result<(), KeysError> {
        match self.get(purpose, id) {
            Some(_) => Ok(()),
            None => Err(KeysError::Missing { purpose, id: id.to_owned(), dir: self.dir.clone() }),
        }
    }
}

fn read_key(path: &Path) -> Result<KeyBytes, KeysError> {
    let at = |error| KeysError::Io { path: path.to_path_buf(), error };
    let mode = std::fs::metadata(path).map_err(at)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeysError::Open { path: path.to_path_buf(), mode });
    }
    let text = std::fs::read_to_string(path).map_err(at)?;
    let digits = text.trim().as_bytes();
    let mut bytes = [0; 32];
    let well_formed = digits.len() == 64
        && digits.chunks(2).zip(&mut bytes).all(|(pair, byte)| match (digit(pair[0]), digit(pair[1])) {
            (Some(high), Some(low)) => {
                *byte = high << 4 | low;
                true
            }
            _ => false,
        });
    if well_formed { Ok(KeyBytes(bytes)) } else { Err(KeysError::NotAKey { path: path.to_path_buf() }) }
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Written beside, synced, then renamed: a crash leaves a whole key or none.
fn write_key(path: &Path, bytes: &[u8; 32]) -> std::io::Result<()> {
    let part = path.with_extension("part");
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&part, path)
}

#[cfg(test)]
mod tests {
    use changtong_catalog::clock::SeededIds;

    use super::*;

    fn now() -> Time {
        "2027-01-01T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn keys_are_made_once_and_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        let ids = SeededIds::new(1);
        let first = KeyRing::open(&path, now(), &ids).unwrap();
        let again = KeyRing::open(&path, now(), &ids).unwrap();
        for purpose in Purpose::ALL {
            assert_eq!(first.current(purpose), again.current(purpose));
        }
        for entry in std::fs::read_dir(&path).unwrap() {
            assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn rotation_adds_and_the_old_key_stays() {
        let dir = tempfile::tempdir().unwrap();
        let ids = SeededIds::new(1);
        let mut ring = KeyRing::open(dir.path(), now(), &ids).unwrap();
        let old = ring.current(Purpose::Pepper).map(|(id, _)| id.to_owned()).unwrap();
        ring.add(Purpose::Pepper, now() + chrono::TimeDelta::days(1), &ids).unwrap();
        assert_ne!(ring.current(Purpose::Pepper).unwrap().0, old);
        let again = KeyRing::open(dir.path(), now(), &ids).unwrap();
        assert!(again.require(Purpose::Pepper, &old).is_ok());
        let missing = again.require(Purpose::Pepper, "gone").unwrap_err().to_string();
        assert!(missing.contains("gone") && missing.contains("keys.dir"), "{missing}");
    }

    #[test]
    fn keys_that_others_can_read_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let ids = SeededIds::new(1);
        let ring = KeyRing::open(dir.path(), now(), &ids).unwrap();
        let (id, _) = ring.current(Purpose::Cursor).unwrap();
        let path = dir.path().join(format!("cursor-{id}.key"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(KeyRing::open(dir.path(), now(), &ids), Err(KeysError::Open { .. })));
    }

    #[test]
    fn keys_never_show() {
        assert_eq!(format!("{:?}", KeyBytes([7; 32])), "[redacted]");
    }
}
