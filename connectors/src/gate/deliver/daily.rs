//! Calls of a day, of grants that limit them. A call that goes on with an open window is in no commit until the window
//! closes, so the store alone cannot say how many there were: this process, the only one on its database, counts them
//! as they come. From where, the store says with the first window of a grant's day.

use std::collections::HashMap;
use std::sync::Arc;

use changtong_catalog::ids::GrantId;
use chrono::{Days, NaiveDate};
use parking_lot::Mutex;
use tokio::sync::MutexGuard;

#[derive(Default)]
pub(super) struct Daily(Mutex<HashMap<(GrantId, NaiveDate), Arc<Calls>>>);

/// Calls of one grant and day.
#[derive(Default)]
pub(super) struct Calls {
    /// `None` before the first window: then no window stands with which a call could go on.
    used: Mutex<Option<i64>>,
    /// Held while that first window is asked for.
    first: tokio::sync::Mutex<()>,
}

/// What became of a call that asks to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    Here,
    /// Nothing is known yet: the store counts it and says how many there are.
    ByTheStore,
    /// So many were made, and there are no more.
    No(i64),
}

impl Daily {
    pub fn of(&self, grant: GrantId, day: NaiveDate) -> Arc<Calls> {
        let mut all = self.0.lock();
        if let Some(calls) = all.get(&(grant, day)) {
            return calls.clone();
        }
        // A window of yesterday may still be open.
        let yesterday = day.checked_sub_days(Days::new(1)).unwrap_or(day);
        all.retain(|(_, of), _| *of >= yesterday);
        all.entry((grant, day)).or_default().clone()
    }
}

impl Calls {
    /// Until the first window has its answer, one asks at a time.
    pub async fn first(&self) -> Option<MutexGuard<'_, ()>> {
        if self.used.lock().is_some() {
            return None;
        }
        let first = self.first.lock().await;
        self.used.lock().is_none().then_some(first)
    }

    pub fn take(&self, most: i64) -> Counted {
        match &mut *self.used.lock() {
            Some(used) if *used >= most => Counted::No(*used),
            Some(used) => {
                *used += 1;
                Counted::Here
            }
            None => Counted::ByTheStore,
        }
    }

    pub fn learn(&self, used: i64) {
        *self.used.lock() = Some(used);
    }

    /// The call opened nothing.
    pub fn give_back(&self) {
        if let Some(used) = &mut *self.used.lock() {
            *used -= 1;
        }
    }
}
