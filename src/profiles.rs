//! Profiles: under which name a command finds an address and a key. One file, mode 0600:
//! `CHANGTONG_PROFILES`, else `~/.config/changtong/profiles.toml`.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::client::Client;
use crate::settings::environment_variable;

/// Where a server is, and the key to call it with.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    pub url: String,
    pub key: String,
    /// File of the authorities that sign the server's certificate; not there: those of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
}

impl Profile {
    /// Of the server that a client calls.
    #[must_use]
    pub fn of(client: &Client, key: &str) -> Self {
        let ca = client.trust().file().map(Path::to_path_buf);
        Self { url: client.url().to_owned(), key: key.to_owned(), ca }
    }
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile").field("url", &self.url).finish_non_exhaustive()
    }
}

/// The file as read.
#[derive(Debug, Clone)]
pub struct Profiles {
    path: PathBuf,
    profiles: BTreeMap<String, Profile>,
}

impl Profiles {
    /// Where the file is, unless neither variable nor home folder says.
    #[must_use]
    pub fn usual_path() -> Option<PathBuf> {
        if let Some(path) = environment_variable("CHANGTONG_PROFILES") {
            return Some(PathBuf::from(path));
        }
        let config = environment_variable("XDG_CONFIG_HOME").map(PathBuf::from);
        let config = config.or_else(|| Some(PathBuf::from(environment_variable("HOME")?).join(".config")))?;
        Some(config.join("changtong").join("profiles.toml"))
    }

    /// Reads the file; one that does not exist has no profiles.
    pub fn open(path: &Path) -> Result<Self, String> {
        let at = |reason: &dyn fmt::Display| format!("{}: {reason}", path.display());
        let profiles = match std::fs::read_to_string(path) {
            Ok(text) => {
                let mode = std::fs::metadata(path).map_err(|error| at(&error))?.permissions().mode();
                if mode & 0o077 != 0 {
                    return Err(at(&"it holds keys and others can read it; chmod 600 it"));
                }
                // What the reader says of a value may quote it, and it may be a key.
                toml::from_str(&text).map_err(|error: toml::de::Error| {
                    let before = text.get(..error.span().map_or(0, |span| span.start)).unwrap_or_default();
                    let line = before.matches('\n').count() + 1;
                    at(&format!("line {line} is not as `changtong login` writes it"))
                })?
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(at(&error)),
        };
        Ok(Self { path: path.to_path_buf(), profiles })
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Profile> {
        self.profiles.get(name)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.profiles.keys().map(String::as_str)
    }

    pub fn set(&mut self, name: &str, profile: Profile) {
        self.profiles.insert(name.to_owned(), profile);
    }

    /// Written beside and renamed, so that a crash never leaves half a file.
    pub fn save(&self) -> Result<(), String> {
        let at = |error: std::io::Error| format!("{}: {error}", self.path.display());
        let text = toml::to_string(&self.profiles).map_err(|error| error.to_string())?;
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(at)?;
        }
        let part = self.path.with_extension("part");
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&part)
            .map_err(at)?;
        file.write_all(text.as_bytes()).map_err(at)?;
        file.sync_all().map_err(at)?;
        std::fs::rename(&part, &self.path).map_err(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_kept_and_their_keys_never_show() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep").join("profiles.toml");
        let mut profiles = Profiles::open(&path).unwrap();
        assert_eq!(profiles.names().count(), 0);
        profiles.set(
            "authority",
            Profile { url: "http://127.0.0.1:7070".into(), key: "ctk_secret".into(), ca: None },
        );
        profiles.save().unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = Profiles::open(&path).unwrap();
        assert_eq!(again.get("authority"), profiles.get("authority"));
        assert!(!format!("{again:?}").contains("ctk_secret"));
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("profiles.toml");
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Profiles::open(&path).unwrap_err().contains("chmod 600"));
    }
}
