//! This node (protocol.md 10): its id in the data folder, and the lock that keeps a second process out of it.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use changtong_catalog::clock::Ids;
use uuid::{Builder, Uuid};

#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: std::io::Error },
    #[error("another process serves from the data folder {}; stop it, or give this one its own by --data", dir.display())]
    Locked { dir: PathBuf },
}

/// The node's id. While it lives no other process can hold the folder; a lock of the system ends with the process,
/// however it ends.
#[derive(Debug)]
pub struct Node {
    id: Uuid,
    _lock: File,
}

impl Node {
    pub fn open(dir: &Path, ids: &dyn Ids) -> Result<Self, NodeError> {
        let path = dir.join("node");
        let at = |error| NodeError::Io { path: path.clone(), error };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(at)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(at)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(NodeError::Locked { dir: dir.to_path_buf() });
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(at(error)),
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(at)?;
        let id = match text.trim().parse() {
            Ok(id) => id,
            Err(_) => write_id(&mut file, ids).map_err(at)?,
        };
        Ok(Self { id, _lock: file })
    }

    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }
}

/// Random: it is needed before the store has told the time.
fn write_id(file: &mut File, ids: &dyn Ids) -> std::io::Result<Uuid> {
    let mut random = [0; 16];
    ids.fill(&mut random);
    let id = Builder::from_random_bytes(random).into_uuid();
    file.rewind()?;
    file.set_len(0)?;
    writeln!(file, "{id}")?;
    file.sync_all()?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemIds;

    #[test]
    fn the_id_stays_and_one_process_holds_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let first = Node::open(dir.path(), &SystemIds).unwrap();
        assert!(matches!(Node::open(dir.path(), &SystemIds), Err(NodeError::Locked { .. })));
        let id = first.id();
        drop(first);
        assert_eq!(Node::open(dir.path(), &SystemIds).unwrap().id(), id);
    }
}
