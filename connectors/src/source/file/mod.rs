//! The file source: CSV, NDJSON and Avro container files below the declared root.
//!
//! | mode | part | position |
//! |---|---|---|
//! | `append` | each file | bytes and lines read, SHA-256 of those bytes |
//! | `replace` | the last file of the order | SHA-256 of the file, how far its difference is published, the file's name |
//!
//! Only whole lines are read, of a container file whole blocks (`container.rs`; `append` only). What was read once is hashed again before more is read from the same file, so a file
//! that was changed or cut is noticed and named, never read on from a wrong place.

mod append;
mod body;
mod container;
mod decode;
mod layout;
mod position;
mod raw;
mod refusals;
mod replace;
mod spec;
mod split;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use async_trait::async_trait;
use cap_std::fs::{Metadata, MetadataExt as _};
use changtong_catalog::error::Refusal;
use changtong_catalog::mac::hex;
use sha2::{Digest as _, Sha256};

pub use spec::{Encoding, FileFormat, FileSourceSpec, MaxDeletes, Mode};

use super::{Awaited, Part, Reading, Source};
use crate::bus::Bus;
use crate::gate::OnInvalid;
use crate::root::Root;

/// What tells that a file was written to since it was last looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(found: &Metadata) -> Self {
        let modified = (found.mtime(), found.mtime_nsec());
        Self { inode: found.ino(), size: found.len(), modified }
    }
}

pub struct FileSource {
    spec: FileSourceSpec,
    on_invalid: OnInvalid,
    root: Root,
    /// Files read to their end, as they were then.
    seen: BTreeMap<String, Stamp>,
    /// The stamps that `discover` saw, until their part is finished.
    found: BTreeMap<String, Stamp>,
    awaited: Option<Awaited>,
    state: replace::State,
}

impl FileSource {
    pub fn new(spec: FileSourceSpec, on_invalid: OnInvalid, root: Root) -> Result<Self, Refusal> {
        spec.check()?;
        root.check(&spec.path)?;
        let state = replace::State::default();
        Ok(Self {
            spec,
            on_invalid,
            root,
            seen: BTreeMap::new(),
            found: BTreeMap::new(),
            awaited: None,
            state,
        })
    }
}

#[async_trait]
impl Source for FileSource {
    async fn discover(&mut self) -> Result<Vec<Part>, Refusal> {
        let (root, pattern, mode) = (self.root.clone(), self.spec.path.clone(), self.spec.mode);
        let looking = tokio::task::spawn_blocking(move || {
            let mut labels = root.matching(&pattern)?;
            let awaited = labels
                .is_empty()
                .then(|| Awaited { path: root.shown(&pattern), has_folder: root.has_folder_of(&pattern) });
            if mode == Mode::Replace {
                labels = labels.pop().into_iter().collect();
            }
            // One that is gone by now, or is no file any more, is none of them; whether it can be read is seen then.
            let stamp = |label: String| Ok(root.look(&label)?.map(|found| (Stamp::of(&found), label)));
            let found = labels.into_iter().filter_map(|label| stamp(label).transpose());
            Ok::<_, Refusal>((awaited, found.collect::<Result<Vec<_>, Refusal>>()?))
        });
        let mut parts = Vec::new();
        let (awaited, found) = looking.await.map_err(|_| refusals::fault())??;
        self.awaited = awaited;
        for (stamp, label) in found {
            if self.seen.get(&label) == Some(&stamp) {
                continue;
            }
            let name = if mode == Mode::Replace { String::new() } else { part_name(&label) };
            self.found.insert(label.clone(), stamp);
            parts.push(Part { name, label, bytes: stamp.size });
        }
        Ok(parts)
    }

    fn awaited(&self) -> Option<Awaited> {
        self.awaited.clone()
    }

    async fn read(
        &mut self,
        part: &Part,
        position: &str,
        bus: &dyn Bus,
        confirmed: Option<&str>,
    ) -> Result<Reading, Refusal> {
        let standing = bus.resource().await?;
        let (root, label) = (self.root.clone(), part.label.clone());
        let opening = tokio::task::spawn_blocking(move || root.read(&label));
        let file = opening.await.map_err(|_| refusals::fault())??;
        match self.spec.mode {
            Mode::Append if self.spec.format == FileFormat::Avro => {
                container::read(&self.spec, &part.label, file, position)
            }
            Mode::Append => append::read(&self.spec, &standing, &part.label, file, position),
            Mode::Replace => {
                let job = replace::Job {
                    spec: &self.spec,
                    on_invalid: self.on_invalid,
                    standing: &standing,
                    label: &part.label,
                    confirmed,
                };
                replace::read(&mut self.state, job, file, position, bus).await
            }
        }
    }

    fn finished(&mut self, part: &Part) {
        if let Some(stamp) = self.found.remove(&part.label) {
            self.seen.insert(part.label.clone(), stamp);
        }
    }

    fn forget(&mut self) {
        self.seen.clear();
        self.state = replace::State::default();
    }
}

/// A file's part: 16 hex digits of its path's digest, as a position's name takes no other text.
fn part_name(label: &str) -> String {
    hex(&Sha256::digest(label.as_bytes())[..8])
}
