//! What `Directory` and the registry answered a moment ago: most requests ask for the same few keys, entries and
//! schemas. An answer is given again until a transaction of this server may have changed it, and for `FRESH` at most, as
//! a command on the same database may have.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::ids::{KeyId, ResourceCode, ResourceNumber, SchemaId};
use crate::ports::{KeyRecord, ResourceStanding};
use crate::registry::{Context, Known, Owner, Subject};

const FRESH: Duration = Duration::from_secs(1);

/// The most answers of a kind; an entry with all its texts takes some ten KiB.
const MOST: usize = 1024;

#[derive(Default)]
pub(super) struct Recall {
    /// Counts transactions after which answers may differ.
    changes: AtomicU64,
    pub keys: Memory<KeyId, KeyRecord>,
    pub by_code: Memory<ResourceCode, ResourceStanding>,
    pub by_number: Memory<ResourceNumber, ResourceStanding>,
    pub schemas: Memory<(Context, SchemaId), Arc<Known>>,
    /// The subject that another stands for, with whose that other is.
    pub aliases: Memory<Subject, (Option<Owner>, Subject)>,
}

impl fmt::Debug for Recall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recall").field("changes", &self.changes).finish_non_exhaustive()
    }
}

/// When something was asked, noted before it is read: what changes meanwhile makes the answer an old one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    change: u64,
    at: Instant,
}

impl Recall {
    pub fn ask(&self) -> Asked {
        Asked { change: self.changes.load(Ordering::Acquire), at: Instant::now() }
    }

    fn changed(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }
}

/// A transaction that may change what is remembered; dropped when it has ended, however it ended.
#[derive(Debug)]
pub(super) struct Changing(Arc<Recall>);

impl Changing {
    pub fn new(recall: &Arc<Recall>) -> Self {
        Self(recall.clone())
    }
}

impl Drop for Changing {
    fn drop(&mut self) {
        self.0.changed();
    }
}

pub(super) struct Memory<K, V>(Mutex<HashMap<K, (Asked, V)>>);

impl<K, V> Default for Memory<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq, V: Clone> Memory<K, V> {
    pub fn get(&self, key: &K, now: Asked) -> Option<V> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(key).filter(|(asked, _)| stands(*asked, now)).map(|(_, value)| value.clone())
    }

    pub fn put(&self, key: K, asked: Asked, value: V) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.retain(|_, (other, _)| stands(*other, asked));
        }
        if known.len() < MOST {
            known.insert(key, (asked, value));
        }
    }
}

fn stands(asked: Asked, now: Asked) -> bool {
    asked.change == now.change && now.at.saturating_duration_since(asked.at) < FRESH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_stands_until_something_changes_or_it_is_old() {
        let recall = Recall::default();
        let memory = Memory::default();
        let asked = recall.ask();
        memory.put(1, asked, "a");
        assert_eq!(memory.get(&1, recall.ask()), Some("a"));
        let later = Asked { at: asked.at + FRESH, ..asked };
        assert_eq!(memory.get(&1, later), None, "old");
        let before = recall.ask();
        recall.changed();
        assert_eq!(memory.get(&1, recall.ask()), None, "changed");
        memory.put(1, before, "read while it changed");
        assert_eq!(memory.get(&1, recall.ask()), None);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let recall = Recall::default();
        let memory = Memory::default();
        let asked = recall.ask();
        (0..2 * MOST).for_each(|key| memory.put(key, asked, ()));
        assert_eq!(memory.0.lock().unwrap().len(), MOST);
        recall.changed();
        let asked = recall.ask();
        memory.put(usize::MAX, asked, ());
        assert_eq!(memory.0.lock().unwrap().len(), 1, "old ones make room");
    }
}
