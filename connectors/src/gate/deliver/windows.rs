//! All windows from their asking to the commit of their closing, and the reason they are kept that long: who ends
//! something must find every one of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use changtong_catalog::ids::{SubscriptionId, WindowId};
use changtong_catalog::ports::{CloseReason, Ended};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::daily::Daily;
use super::pace::Pace;
use super::turns::Turns;
use super::waiting::Waits;
use super::window::{Reader, Window};
use crate::commit::Committer;
use crate::events::{WindowClosed, WindowOpened};
use crate::metrics::Metrics;

pub struct Windows {
    committer: Committer,
    metrics: Arc<Metrics>,
    all: Mutex<HashMap<WindowId, Arc<Window>>>,
    /// By subscription, for the poll that goes on.
    of: Mutex<HashMap<SubscriptionId, Vec<WindowId>>>,
    pub(super) waits: Waits,
    pub(super) turns: Turns,
    pub(super) daily: Daily,
    pub(in crate::gate) pace: Pace,
}

impl Windows {
    /// `lasts`: W.
    pub fn new(committer: Committer, metrics: Arc<Metrics>, lasts: Duration) -> Self {
        Self {
            committer,
            metrics,
            all: Mutex::default(),
            of: Mutex::default(),
            waits: Waits::default(),
            turns: Turns::default(),
            daily: Daily::default(),
            pace: Pace::new(lasts),
        }
    }

    /// Before its opening is asked for, so that an end can't slip in between.
    pub(super) fn add(&self, window: &Arc<Window>) {
        self.all.lock().insert(window.id, window.clone());
        self.of.lock().entry(window.reader.subscription).or_default().push(window.id);
    }

    /// It never opened.
    pub(super) fn forget(&self, window: &Window) {
        self.all.lock().remove(&window.id);
        let mut of = self.of.lock();
        if let Some(ids) = of.get_mut(&window.reader.subscription) {
            ids.retain(|id| *id != window.id);
            if ids.is_empty() {
                of.remove(&window.reader.subscription);
            }
        }
        window.set_over();
    }

    /// Its opening is committed: it ends by time, whatever its reader does.
    pub(super) fn opened(self: &Arc<Self>, window: &Arc<Window>, lasts: Duration) {
        WindowOpened { window: window.id }.emit(&self.metrics);
        let (windows, window) = (self.clone(), window.clone());
        let until = Instant::now() + lasts;
        tokio::spawn(async move {
            let mut over = window.watch_over();
            tokio::select! {
                () = sleep_until(until) => windows.close(&window, CloseReason::Time),
                _ = over.wait_for(|over| *over) => {}
            }
        });
    }

    /// The open window of the same reader that stands where this call starts.
    pub(super) fn resume(&self, reader: &Reader, at: &[i64], now: Duration) -> Option<Arc<Window>> {
        let ids = self.of.lock().get(&reader.subscription).cloned().unwrap_or_default();
        let all = self.all.lock();
        let found = ids.iter().filter_map(|id| all.get(id)).find(|window| window.resume(reader, at, now));
        found.cloned()
    }

    /// Whether this server asked for it.
    pub(super) fn knows(&self, id: WindowId) -> bool {
        self.all.lock().contains_key(&id)
    }

    /// Flips it; the closing rides in one of the next groups.
    pub(super) fn close(self: &Arc<Self>, window: &Arc<Window>, reason: CloseReason) {
        let Some(closing) = window.close(reason) else { return };
        let lines = closing.sent.unsigned_abs();
        WindowClosed { window: window.id, reason, lines }.emit(&self.metrics);
        if reason == CloseReason::Count {
            self.pace.used_up(window.reader.subscription);
        }
        let (windows, window) = (self.clone(), window.clone());
        let done = move || {
            windows.forget(&window);
            windows.turns.closed(window.grant());
        };
        self.committer.close(closing, Box::new(done));
    }

    /// Ends every window that is concerned, asked-for ones included, and wakes the polls that wait. What is given
    /// back turns true when the closing of each is committed.
    pub(in crate::gate) fn end(self: &Arc<Self>, ended: &Ended) -> Vec<watch::Receiver<bool>> {
        let concerned = self.matching(|window| window.is_concerned(ended));
        let waits = concerned.iter().map(|window| window.watch_over()).collect();
        concerned.iter().for_each(|window| self.close(window, CloseReason::Ended));
        self.waits.end(ended);
        self.turns.look_again();
        waits
    }

    /// Turns true when the closing of each window that is concerned is committed, whoever closes it.
    pub(super) fn ending(&self, ended: &Ended) -> Vec<watch::Receiver<bool>> {
        self.matching(|window| window.is_concerned(ended)).iter().map(|window| window.watch_over()).collect()
    }

    /// Wakes the waiting polls, lets answers under way end, closes everything.
    pub async fn drain(self: &Arc<Self>, deadline: Duration) {
        let deadline = Instant::now() + deadline;
        self.waits.end_all();
        while Instant::now() < deadline && !self.matching(|window| window.is_busy()).is_empty() {
            sleep(Duration::from_millis(10)).await;
        }
        let all = self.matching(|_| true);
        let waits: Vec<_> = all.iter().map(|window| window.watch_over()).collect();
        all.iter().for_each(|window| self.close(window, CloseReason::Shutdown));
        for mut over in waits {
            let _ = timeout_at(deadline, over.wait_for(|over| *over)).await;
        }
    }

    fn matching(&self, wanted: impl Fn(&Window) -> bool) -> Vec<Arc<Window>> {
        self.all.lock().values().filter(|window| wanted(window)).cloned().collect()
    }

    #[cfg(test)]
    pub(in crate::gate) fn turns(&self) -> &Turns {
        &self.turns
    }

    #[cfg(test)]
    pub(in crate::gate) fn count(&self) -> usize {
        self.all.lock().len()
    }
}
