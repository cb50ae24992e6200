//! The one file that a connector in its own process keeps: who it is, and what it last heard.
//!
//! | member | for | if it is lost |
//! |---|---|---|
//! | `node` | the server tells one process from another | it waits until the old one counts as silent |
//! | `server`, `name` | a state file that belongs elsewhere is refused | nothing |
//! | `connector` | a connector that a person removed is not registered anew | it registers itself again |
//!
//! No position and no cursor is in it, and no key: what counts lies in the bus and with what a sink wrote.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use changtong_catalog::clock::Ids;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::ConnectorId;
use serde::{Deserialize, Serialize};
use uuid::{Builder, Uuid};

use super::orders::Entry;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    node: Uuid,
    server: String,
    name: String,
    connector: Option<ConnectorId>,
}

/// The file, held by this process alone: a lock of the system ends with the process, however it ends.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    file: File,
    kept: Kept,
}

impl StateFile {
    /// Of that connector at that server; made if it is missing.
    pub fn open(path: &Path, server: &str, name: &str, ids: &dyn Ids) -> Result<Self, Refusal> {
        let failed = |error: std::io::Error| unusable(path, &error.to_string());
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        let mut file = file.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(path)),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(failed)?;
        let kept = match serde_json::from_str::<Kept>(&text) {
            Ok(kept) if kept.server != server || kept.name != name => return Err(elsewhere(path, &kept)),
            Ok(kept) => kept,
            Err(_) => fresh(server, name, ids),
        };
        let mut state = Self { path: path.to_path_buf(), file, kept };
        state.write().map_err(failed)?;
        Ok(state)
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn node(&self) -> Uuid {
        self.kept.node
    }

    /// Whether the server knew it once.
    pub(super) fn is_registered(&self) -> bool {
        self.kept.connector.is_some()
    }

    pub(super) fn remember(&mut self, entry: &Entry) {
        if self.kept.connector.replace(entry.id) == Some(entry.id) {
            return;
        }
        if let Err(error) = self.write() {
            tracing::warn!(path = %self.path.display(), %error, "the state file cannot be written");
        }
    }

    /// A crash in the middle leaves what cannot be read, and that is as good as none.
    fn write(&mut self) -> std::io::Result<()> {
        let text = serde_json::to_string_pretty(&self.kept)?;
        self.file.rewind()?;
        self.file.set_len(0)?;
        writeln!(self.file, "{text}")?;
        self.file.sync_all()
    }
}

fn fresh(server: &str, name: &str, ids: &dyn Ids) -> Kept {
    let mut random = [0; 16];
    ids.fill(&mut random);
    let node = Builder::from_random_bytes(random).into_uuid();
    Kept { node, server: server.to_owned(), name: name.to_owned(), connector: None }
}

fn unusable(path: &Path, why: &str) -> Refusal {
    let path = path.display();
    Refusal::new(
        Code::FileUnreadable,
        format!("状态文件 {path} 无法使用:{why};可用 --state 另行指定"),
        format!("the state file {path} cannot be used: {why}; --state names another"),
    )
}

fn held(path: &Path) -> Refusal {
    let path = path.display();
    Refusal::new(
        Code::Conflict,
        format!("另一个进程正在使用状态文件 {path};一个连接器只由一个进程运行"),
        format!("another process uses the state file {path}; one process runs a connector"),
    )
}

fn elsewhere(path: &Path, kept: &Kept) -> Refusal {
    let (path, name, server) = (path.display(), &kept.name, &kept.server);
    Refusal::new(
        Code::Conflict,
        format!("状态文件 {path} 属于 {server} 上的连接器 {name};请用 --state 另行指定,或确认无用后删除它"),
        format!(
            "the state file {path} belongs to the connector {name} at {server}; name another by --state, or delete it if \
             it is no longer needed"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemIds;

    fn open(path: &Path, server: &str, name: &str) -> Result<StateFile, Refusal> {
        StateFile::open(path, server, name, &SystemIds)
    }

    #[test]
    fn the_node_stays_and_one_process_holds_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in.state");
        let first = open(&path, "http://a", "in").unwrap();
        assert_eq!(open(&path, "http://a", "in").unwrap_err().code, Code::Conflict);
        let node = first.node();
        drop(first);
        assert_eq!(open(&path, "http://a", "in").unwrap().node(), node);
        for (server, name) in [("http://b", "in"), ("http://a", "out")] {
            let refusal = open(&path, server, name).unwrap_err();
            assert!(refusal.code == Code::Conflict && refusal.text.en.contains("in.state"), "{refusal}");
        }
    }

    #[test]
    fn a_damaged_file_is_as_good_as_none_and_a_missing_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in.state");
        std::fs::write(&path, "{\"node\":\"00").unwrap();
        assert!(!open(&path, "http://a", "in").unwrap().is_registered());
        let refusal = open(&folder.path().join("none/in.state"), "http://a", "in").unwrap_err();
        assert!(refusal.text.en.contains("none/in.state"), "{refusal}");
    }
}
