//! What counts, in memory: per topic the views of its partitions, replaced whole and in commit order, so that a
//! reader never sees half of a commit. A change wakes those who wait for records.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use changtong_catalog::ids::{Generation, ResourceNumber};
use changtong_catalog::ports::Topic;
use changtong_catalog::visibility::{PartitionView, Run, StoredRun, Verdict, is_older};
use parking_lot::Mutex;
use tokio::sync::watch;

/// One topic's views.
pub type Partitions = Arc<[PartitionView]>;

/// Resource and generation: what a topic is called by here.
pub type TopicKey = (ResourceNumber, Generation);

#[must_use]
pub fn key_of(topic: &Topic) -> TopicKey {
    (topic.resource, topic.generation)
}

#[derive(Debug, Default)]
pub struct Views {
    topics: Mutex<HashMap<TopicKey, Topical>>,
    /// The store went back behind them: what they say counts, and it knows it no longer.
    older: AtomicBool,
}

#[derive(Debug)]
struct Topical {
    now: watch::Sender<Partitions>,
    /// Of a generation that is over: what counts of it is said by the edges, not by the store's marks and runs.
    closed: bool,
}

impl Topical {
    fn of(views: Vec<PartitionView>, closed: bool) -> Self {
        Self { now: watch::Sender::new(views.into()), closed }
    }
}

impl Views {
    /// The views now and every change of them; `None` before they were loaded.
    #[must_use]
    pub fn watch(&self, key: TopicKey) -> Option<watch::Receiver<Partitions>> {
        self.topics.lock().get(&key).map(|topic| topic.now.subscribe())
    }

    #[must_use]
    pub fn get(&self, key: TopicKey) -> Option<Partitions> {
        self.topics.lock().get(&key).map(|topic| topic.now.borrow().clone())
    }

    /// All topics that are loaded.
    #[must_use]
    pub fn all(&self) -> Vec<(TopicKey, Partitions)> {
        self.topics.lock().iter().map(|(key, topic)| (*key, topic.now.borrow().clone())).collect()
    }

    /// What the store is known to hold; nothing of a topic whose views are not its own.
    pub(super) fn known(&self, key: TopicKey) -> Partitions {
        let topics = self.topics.lock();
        let own = topics.get(&key).filter(|topic| !topic.closed);
        own.map(|topic| topic.now.borrow().clone()).unwrap_or_default()
    }

    /// Takes what the store says now. `false`: it knew more before, and that goes on to count here.
    pub(super) fn take(&self, key: TopicKey, loaded: Vec<PartitionView>) -> bool {
        let mut topics = self.topics.lock();
        match topics.get(&key) {
            Some(topic) if topic.closed => {}
            Some(topic) if is_older(&loaded, &topic.now.borrow()) => return false,
            Some(topic) => drop(topic.now.send_replace(loaded.into())),
            None => drop(topics.insert(key, Topical::of(loaded, false))),
        }
        true
    }

    /// Of a topic that nothing is committed to any more.
    pub(super) fn close(&self, key: TopicKey, closed: Vec<PartitionView>) {
        match self.topics.lock().entry(key) {
            Entry::Occupied(mut topic) => {
                topic.get_mut().closed = true;
                topic.get().now.send_replace(closed.into());
            }
            Entry::Vacant(none) => drop(none.insert(Topical::of(closed, true))),
        }
    }

    /// Nothing is committed, settled or read any more, until the store was decided upon. `true`: nobody had found it.
    pub fn found_older(&self) -> bool {
        !self.older.swap(true, Ordering::AcqRel)
    }

    #[must_use]
    pub fn is_store_older(&self) -> bool {
        self.older.load(Ordering::Acquire)
    }

    /// Adds what a commit wrote: committed runs, then dead ones where no run lies. `false`: these views can't be the
    /// store's, which let the runs in; they must be loaded again.
    pub(super) fn record(&self, key: TopicKey, committed: &[Run], dead: &[Run]) -> bool {
        let topics = self.topics.lock();
        let Some(topic) = topics.get(&key) else { return true };
        let mut partitions = topic.now.borrow().to_vec();
        let whole = insert(&mut partitions, committed, dead);
        if whole {
            topic.now.send_replace(partitions.into());
        }
        whole
    }
}

fn insert(partitions: &mut [PartitionView], committed: &[Run], dead: &[Run]) -> bool {
    let place = |run: &Run| usize::try_from(run.partition).ok();
    for run in committed {
        let stored = StoredRun { first: run.first, last: run.last, verdict: Verdict::Committed };
        let Some(view) = place(run).and_then(|at| partitions.get_mut(at)) else { return false };
        if view.insert(stored).is_err() {
            return false;
        }
    }
    for run in dead {
        let Some(view) = place(run).and_then(|at| partitions.get_mut(at)) else { return false };
        for part in view.free(run.first, run.last) {
            if view.insert(part).is_err() {
                return false;
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: TopicKey = (ResourceNumber(1), Generation(1));

    fn run(partition: i32, first: i64, last: i64) -> Run {
        Run { partition, first, last }
    }

    #[test]
    fn a_commit_shows_whole_and_wakes_who_waits() {
        let views = Views::default();
        assert!(views.take(KEY, vec![PartitionView::default(); 2]));
        let mut waiting = views.watch(KEY).unwrap();
        assert!(!waiting.has_changed().unwrap());
        assert!(views.record(KEY, &[run(0, 0, 4), run(1, 0, 2)], &[run(1, 1, 5)]));
        assert!(waiting.has_changed().unwrap());
        let seen = waiting.borrow_and_update().clone();
        assert_eq!((seen[0].stable_end(), seen[1].stable_end()), (5, 6));
        assert!(seen[1].visible(0, 9).eq(std::iter::once(0..3)), "dead only where no run lay");
    }

    #[test]
    fn runs_that_cannot_be_are_not_half_recorded() {
        let views = Views::default();
        assert!(views.take(KEY, vec![PartitionView { settled: 5, runs: vec![] }]));
        assert!(!views.record(KEY, &[run(0, 7, 8), run(0, 4, 5)], &[]));
        assert!(!views.record(KEY, &[run(3, 7, 8)], &[]));
        assert_eq!(views.get(KEY).unwrap()[0].runs, []);
        assert!(
            views.record((ResourceNumber(2), Generation(1)), &[run(0, 0, 0)], &[]),
            "not loaded, not kept"
        );
    }

    #[test]
    fn a_store_that_went_back_is_not_believed_and_a_closed_generation_is_none() {
        let settled = |settled| vec![PartitionView { settled, runs: vec![] }];
        let views = Views::default();
        assert!(views.take(KEY, settled(5)) && views.take(KEY, settled(6)));
        let over = (ResourceNumber(2), Generation(1));
        views.close(over, settled(9));
        assert!(views.take(over, settled(3)), "what its marks say counts for nothing");
        assert!(views.known(over).is_empty(), "so nobody holds a store to it");
        assert_eq!(views.get(over).unwrap()[0].settled, 9);
        assert!(!views.is_store_older());
        assert!(!views.take(KEY, settled(5)));
        assert!(views.found_older() && !views.found_older() && views.is_store_older());
        assert_eq!(views.get(KEY).unwrap()[0].settled, 6);
    }
}
