//! Small appends travel together: one that comes while others are under way waits for the next departure, so that many
//! of them share requests to the brokers. Where nobody else is under way nobody waits.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

/// An append of more records than this fills requests by itself and goes at once.
const SMALL: usize = 512;

pub(super) struct Departures {
    /// The longest that one waits for others.
    linger: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Small appends that have left and are not acknowledged.
    under_way: usize,
    next: Departure,
}

/// Those that wait for one departure; they leave when they are dropped.
#[derive(Default)]
struct Departure {
    number: u64,
    at: Option<Instant>,
    waiting: Vec<oneshot::Sender<()>>,
}

/// Held by an append until it is acknowledged or given up.
pub(super) struct UnderWay<'a>(Option<&'a Departures>);

impl Departures {
    pub(super) fn new(linger: Duration) -> Self {
        Self { linger, state: Mutex::default() }
    }

    /// Waits for the departure of an append of so many records.
    pub(super) async fn join(&self, records: usize) -> UnderWay<'_> {
        if records > SMALL || self.linger.is_zero() {
            return UnderWay(None);
        }
        let (number, at, left) = {
            let mut state = self.state.lock();
            if state.under_way == 0 {
                state.under_way += 1;
                return UnderWay(Some(self));
            }
            let (leave, left) = oneshot::channel();
            state.next.waiting.push(leave);
            let at = *state.next.at.get_or_insert_with(|| Instant::now() + self.linger);
            (state.next.number, at, left)
        };
        tokio::select! {
            _ = left => {}
            () = sleep_until(at) => {
                let mut state = self.state.lock();
                if state.next.number == number {
                    state.depart();
                }
            }
        }
        self.state.lock().under_way += 1;
        UnderWay(Some(self))
    }
}

impl State {
    fn depart(&mut self) {
        self.next = Departure { number: self.next.number + 1, ..Departure::default() };
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let Some(departures) = self.0 else { return };
        let mut state = departures.state.lock();
        state.under_way -= 1;
        if state.under_way == 0 {
            state.depart();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    /// Longer than any test.
    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn alone_nobody_waits_and_neither_does_a_large_one() {
        let departures = Departures::new(LONG);
        drop(departures.join(1).now_or_never().expect("nobody is under way"));
        let _alone = departures.join(1).now_or_never().expect("nobody is under way any more");
        let _large = departures.join(SMALL + 1).now_or_never().expect("it fills a request");
    }

    #[tokio::test]
    async fn those_that_wait_leave_together_with_the_last_acknowledgement() {
        let departures = Departures::new(LONG);
        let under_way = departures.join(1).await;
        let mut waiting = [Box::pin(departures.join(1)), Box::pin(departures.join(1))];
        for joined in &mut waiting {
            assert!(joined.now_or_never().is_none());
        }
        drop(under_way);
        let left = waiting.map(|joined| joined.now_or_never().expect("it has left"));
        assert_eq!(departures.state.lock().under_way, 2);
        drop(left);
        assert_eq!(departures.state.lock().under_way, 0);
    }

    #[tokio::test]
    async fn nobody_waits_longer_than_the_linger() {
        let departures = Departures::new(Duration::from_millis(1));
        let _slow = departures.join(1).await;
        tokio::join!(departures.join(1), departures.join(1));
    }
}
