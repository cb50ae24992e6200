//! Who waits for the quota of a grant because open windows hold all that is left of it (protocol.md 6): served in the
//! order they came, and before any reader that opens a further window, so that steady readers hold nobody off.

use std::collections::HashMap;
use std::sync::Arc;

use changtong_catalog::ids::GrantId;
use parking_lot::Mutex;
use tokio::sync::{MutexGuard, watch};

#[derive(Default)]
pub(in crate::gate) struct Turns(Mutex<HashMap<GrantId, Arc<Turn>>>);

struct Turn {
    waiting: Mutex<i64>,
    /// Fair: first come, first served.
    order: tokio::sync::Mutex<()>,
    /// Counts closings of the grant's windows that were committed.
    closings: watch::Sender<u64>,
}

/// One that waits; it leaves when dropped.
pub(in crate::gate) struct Waiter<'t> {
    turns: &'t Turns,
    grant: GrantId,
    turn: Arc<Turn>,
}

impl Turns {
    pub fn is_waited_for(&self, grant: GrantId) -> bool {
        self.0.lock().contains_key(&grant)
    }

    pub fn join(&self, grant: GrantId) -> Waiter<'_> {
        let fresh = || {
            let (waiting, order, closings) =
                (Mutex::new(0), tokio::sync::Mutex::default(), watch::Sender::new(0));
            Arc::new(Turn { waiting, order, closings })
        };
        let mut turns = self.0.lock();
        let turn = turns.entry(grant).or_insert_with(fresh).clone();
        *turn.waiting.lock() += 1;
        Waiter { turns: self, grant, turn }
    }

    #[cfg(test)]
    pub fn waiting(&self, grant: GrantId) -> i64 {
        self.0.lock().get(&grant).map_or(0, |turn| *turn.waiting.lock())
    }

    /// A closing of the grant's was committed: quota came back.
    pub fn closed(&self, grant: GrantId) {
        if let Some(turn) = self.0.lock().get(&grant) {
            turn.closings.send_modify(|count| *count += 1);
        }
    }

    /// Something was ended: who waits asks again, and is told if that was what it rests on.
    pub fn look_again(&self) {
        self.0.lock().values().for_each(|turn| turn.closings.send_modify(|count| *count += 1));
    }
}

impl Waiter<'_> {
    pub async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.order.lock().await
    }

    /// How many wait, this one included.
    pub fn readers(&self) -> i64 {
        *self.turn.waiting.lock()
    }

    pub fn closings(&self) -> watch::Receiver<u64> {
        self.turn.closings.subscribe()
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut turns = self.turns.0.lock();
        let mut waiting = self.turn.waiting.lock();
        *waiting -= 1;
        if *waiting == 0 {
            turns.remove(&self.grant);
        }
    }
}
