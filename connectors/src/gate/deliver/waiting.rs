//! Readers that wait: each is woken by records of its topic, by its time, and when something it rests on was ended;
//! what ends others leaves it alone.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use changtong_catalog::ids::{GrantId, KeyId, SubscriptionId};
use changtong_catalog::ports::Ended;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use super::super::Gate;
use super::seat::Seat;
use super::window::Stakes;
use crate::commit::Partitions;

/// All that wait, and how many times something was ended.
#[derive(Default)]
pub(super) struct Waits(Mutex<State>);

#[derive(Default)]
struct State {
    ends: u64,
    next: u64,
    all: HashMap<u64, Waiter>,
}

struct Waiter {
    subscription: SubscriptionId,
    stakes: Stakes,
    told: Arc<Told>,
}

/// Whether a reader was told that something it rests on was ended, until it has heard it.
#[derive(Default)]
struct Told {
    is: AtomicBool,
    bell: Notify,
}

impl Told {
    fn tell(&self) {
        self.is.store(true, Ordering::Release);
        self.bell.notify_one();
    }
}

impl Waits {
    /// To be asked before what a reader rests on is looked up.
    pub fn ends(&self) -> u64 {
        self.0.lock().ends
    }

    /// Keys and grants that those who wait rest on.
    pub fn rest_on(&self) -> (Vec<KeyId>, Vec<GrantId>) {
        let state = self.0.lock();
        let stakes = || state.all.values().map(|waiter| &waiter.stakes);
        let keys: BTreeSet<&KeyId> = stakes().map(|stakes| &stakes.key).collect();
        let grants: BTreeSet<GrantId> = stakes().map(|stakes| stakes.grant).collect();
        (keys.into_iter().cloned().collect(), grants.into_iter().collect())
    }

    pub fn end(&self, ended: &Ended) {
        self.wake(|waiter| waiter.stakes.concerned(ended));
    }

    /// The position was set anew: older cursors are void.
    pub fn sought(&self, subscription: SubscriptionId) {
        self.wake(|waiter| waiter.subscription == subscription);
    }

    pub fn end_all(&self) {
        self.wake(|_| true);
    }

    fn wake(&self, concerned: impl Fn(&Waiter) -> bool) {
        let mut state = self.0.lock();
        state.ends += 1;
        state.all.values().filter(|waiter| concerned(waiter)).for_each(|waiter| waiter.told.tell());
    }
}

/// What a wait came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Woken {
    Time,
    /// Other views of the topic, or the first topic.
    Records,
    /// What was decided is to be decided again.
    Ended,
}

/// A reader's place among those that wait.
pub(super) struct Waiting {
    gate: Arc<Gate>,
    number: u64,
    told: Arc<Told>,
    topics: watch::Receiver<u64>,
    views: Option<watch::Receiver<Partitions>>,
}

impl Waiting {
    /// `ends` from before the standing was looked up: what was ended since then is told at once.
    pub fn new(gate: &Arc<Gate>, seat: &Seat, ends: u64) -> Self {
        let told = Arc::new(Told::default());
        let mut state = gate.windows.waits.0.lock();
        if state.ends != ends {
            told.tell();
        }
        state.next += 1;
        let number = state.next;
        let (subscription, stakes) = (seat.subscription(), seat.stakes());
        state.all.insert(number, Waiter { subscription, stakes, told: told.clone() });
        drop(state);
        Self { gate: gate.clone(), number, told, topics: gate.topics.watch(), views: None }
    }

    /// Waits for records of this topic from now on.
    pub fn watch(&mut self, views: watch::Receiver<Partitions>) {
        self.views = Some(views);
    }

    /// From here on a change counts as news; to be called before one looks.
    pub fn look(&mut self) {
        if let Some(views) = &mut self.views {
            views.mark_unchanged();
        }
    }

    /// Whether something it rests on was ended; the next wait says so.
    pub fn is_told(&self) -> bool {
        self.told.is.load(Ordering::Acquire)
    }

    /// The same, heard with this.
    pub fn take_told(&self) -> bool {
        self.told.is.swap(false, Ordering::AcqRel)
    }

    /// Until something it rests on was ended; what was told stays to be heard.
    pub async fn told(&self) {
        self.told.bell.notified().await;
    }

    pub async fn until(&mut self, until: Instant) -> Woken {
        let _waiting = Waited::new(&self.gate);
        let news = async {
            let changed = match &mut self.views {
                Some(views) => views.changed().await,
                None => self.topics.changed().await,
            };
            if changed.is_err() {
                // Nobody will ever tell: the gate is going.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = self.told.bell.notified() => {
                self.told.is.store(false, Ordering::Release);
                Woken::Ended
            }
            () = news => Woken::Records,
            () = sleep_until(until) => Woken::Time,
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.gate.windows.waits.0.lock().all.remove(&self.number);
    }
}

/// Counts a reader while it waits.
struct Waited<'g>(&'g Gate);

impl<'g> Waited<'g> {
    fn new(gate: &'g Gate) -> Self {
        gate.metrics.waiting_polls.inc();
        Self(gate)
    }
}

impl Drop for Waited<'_> {
    fn drop(&mut self) {
        self.0.metrics.waiting_polls.dec();
    }
}
