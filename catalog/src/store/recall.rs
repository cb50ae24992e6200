//! What `Directory` and the registry answered a moment ago: most requests ask for the same few keys, entries and
//! schemas. An answer is given again until a transaction of this server may have changed it, and for `FRESH` at most, as
//! a command on the same database may have.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::ids::{KeyId, ResourceCode, ResourceNumber, SchemaId};
use crate::ports::{KeyRecord, ResourceStanding};
use crate::registry::{Context, Known, Owner, Subject};
use crate::store::registry::Eyes;

const FRESH: Duration = Duration::from_secs(1);

/// The most answers of a kind.
const MOST: usize = 1024;
/// The most bytes of a kind: schemas and entries may be large.
const MOST_BYTES: usize = 32 << 20;

#[derive(Default)]
pub(super) struct Recall {
    /// Counts transactions after which answers may differ.
    changes: AtomicU64,
    pub keys: Memory<KeyId, KeyRecord>,
    pub by_code: Memory<ResourceCode, ResourceStanding>,
    pub by_number: Memory<ResourceNumber, ResourceStanding>,
    pub schemas: Memory<(Context, SchemaId), Arc<Known>>,
    /// Whether a caller sees something that has a schema which very many have.
    pub seen: Memory<(Context, SchemaId, Eyes), bool>,
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

/// About how many bytes an answer takes.
pub(super) trait Weigh {
    fn bytes(&self) -> usize;
}

impl Weigh for KeyRecord {
    fn bytes(&self) -> usize {
        512
    }
}

impl Weigh for ResourceStanding {
    fn bytes(&self) -> usize {
        // The items of a version stand beside its text.
        let texts = self.versions.iter().map(|version| 4 * version.schema.text.len());
        4096 + texts.sum::<usize>() + self.key_schema.as_ref().map_or(0, |key| key.text.len())
    }
}

impl Weigh for Arc<Known> {
    fn bytes(&self) -> usize {
        let of_use = |name: usize| 256 + name;
        let uses = self
            .uses
            .iter()
            .map(|used| of_use(used.version.as_ref().map_or(0, |version| version.subject.name.len())));
        self.content.bytes() + uses.sum::<usize>()
    }
}

impl Weigh for bool {
    fn bytes(&self) -> usize {
        1
    }
}

impl Weigh for (Option<Owner>, Subject) {
    fn bytes(&self) -> usize {
        self.1.name.len()
    }
}

/// What an answer takes beside its own bytes: its key, its place.
const PLACE: usize = 256;

pub(super) struct Memory<K, V>(Mutex<Kept<K, V>>);

struct Kept<K, V> {
    known: HashMap<K, (Asked, V)>,
    bytes: usize,
    /// When old answers were last dropped.
    swept: Option<Instant>,
}

impl<K, V> Default for Memory<K, V> {
    fn default() -> Self {
        Self(Mutex::new(Kept { known: HashMap::new(), bytes: 0, swept: None }))
    }
}

impl<K: Hash + Eq, V: Clone + Weigh> Memory<K, V> {
    fn kept(&self) -> MutexGuard<'_, Kept<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn get(&self, key: &K, now: Asked) -> Option<V> {
        self.kept().known.get(key).filter(|(asked, _)| stands(*asked, now)).map(|(_, value)| value.clone())
    }

    /// What is old goes at most once in the time in which answers get old, or when room is needed.
    pub fn put(&self, key: K, asked: Asked, value: V) {
        let mut kept = self.kept();
        let bytes = PLACE + value.bytes();
        let due = kept.swept.is_none_or(|at| asked.at.saturating_duration_since(at) >= FRESH);
        if due || !kept.has_room(bytes) {
            kept.sweep(asked);
        }
        if let Some((_, old)) = kept.known.remove(&key) {
            kept.bytes -= PLACE + old.bytes();
        }
        if kept.has_room(bytes) {
            kept.bytes += bytes;
            kept.known.insert(key, (asked, value));
        }
    }
}

impl<K: Hash + Eq, V: Weigh> Kept<K, V> {
    fn has_room(&self, bytes: usize) -> bool {
        self.known.len() < MOST && self.bytes + bytes <= MOST_BYTES
    }

    fn sweep(&mut self, now: Asked) {
        self.known.retain(|_, (asked, _)| stands(*asked, now));
        self.bytes = self.known.values().map(|(_, value)| PLACE + value.bytes()).sum();
        self.swept = Some(now.at);
    }
}

fn stands(asked: Asked, now: Asked) -> bool {
    asked.change == now.change && now.at.saturating_duration_since(asked.at) < FRESH
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Time;
    use crate::registry::Content;

    impl Weigh for &str {
        fn bytes(&self) -> usize {
            self.len()
        }
    }

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
    fn what_is_kept_is_bounded_in_number() {
        let recall = Recall::default();
        let memory = Memory::default();
        let asked = recall.ask();
        (0..2 * MOST).for_each(|key| memory.put(key, asked, true));
        assert_eq!(memory.kept().known.len(), MOST);
        recall.changed();
        memory.put(usize::MAX, recall.ask(), true);
        assert_eq!(memory.kept().known.len(), 1, "old ones make room");
    }

    fn known(id: i32, bytes: usize) -> Arc<Known> {
        let content = Arc::new(Content::of_text("x".repeat(bytes)));
        let (context, guid, at) = (Context::default(), content.guid(), Time::default());
        Arc::new(Known { context, id: SchemaId(id), content, guid, at, uses: Vec::new(), whole: true })
    }

    #[test]
    fn what_is_kept_is_bounded_in_bytes() {
        let recall = Recall::default();
        let asked = recall.ask();
        let held = |memory: &Memory<i32, Arc<Known>>| -> usize {
            memory.kept().known.values().map(|(_, known)| known.content.text.len()).sum()
        };
        let memory = Memory::default();
        (0..1000).for_each(|id| memory.put(id, asked, known(id, 250_000)));
        assert!(((MOST_BYTES - 300_000)..=MOST_BYTES).contains(&held(&memory)), "{}", held(&memory));
        // The same one again takes no more room.
        (0..1000).for_each(|_| memory.put(1, asked, known(1, 250_000)));
        let all = memory.kept().known.len();
        assert_eq!(memory.kept().bytes, all * (PLACE + 250_000));
        memory.put(5000, asked, known(5000, MOST_BYTES + 1));
        assert_eq!(memory.get(&5000, asked), None, "it alone is too much");
    }

    #[test]
    fn what_is_old_does_not_stay() {
        let recall = Recall::default();
        let memory = Memory::default();
        let asked = recall.ask();
        (0..100).for_each(|id| memory.put(id, asked, known(id, 1000)));
        memory.put(100, Asked { at: asked.at + FRESH, ..asked }, known(100, 1000));
        assert_eq!(memory.kept().known.len(), 1, "although there was room for all");
        assert_eq!(memory.kept().bytes, PLACE + 1000);
    }
}
