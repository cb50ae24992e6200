//! How often a subscription opens windows: each is two audit events, and one lasts as long as W for whoever reads on
//! where it stopped. Whoever reads the same again and again, or goes away and comes back, opens more; for them it is
//! one in W too, after a few.

use std::collections::HashMap;
use std::time::Duration;

use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::SubscriptionId;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

/// Windows that may open at once after a pause.
const AT_ONCE: u32 = 8;

pub(in crate::gate) struct Pace {
    /// W.
    window: Duration,
    /// Of each subscription, by when all its windows would have ended, had each begun with the end of the one before.
    until: Mutex<HashMap<SubscriptionId, Instant>>,
}

impl Pace {
    pub fn new(window: Duration) -> Self {
        Self { window, until: Mutex::default() }
    }

    /// Waits for W at most; one that would wait longer has others before it and is refused.
    pub async fn turn(&self, subscription: SubscriptionId) -> Result<(), Refusal> {
        let now = Instant::now();
        let opens = self.reserve(subscription, now)?;
        if opens > now {
            sleep_until(opens).await;
        }
        Ok(())
    }

    /// When the next window may open.
    fn reserve(&self, subscription: SubscriptionId, now: Instant) -> Result<Instant, Refusal> {
        let mut all = self.until.lock();
        let until = all.get(&subscription).copied().unwrap_or(now).max(now) + self.window;
        let opens = until.checked_sub(self.window * AT_ONCE).unwrap_or(now).max(now);
        let wait = opens - now;
        if wait > self.window {
            return Err(too_often(self.window, wait));
        }
        all.insert(subscription, until);
        Ok(opens)
    }

    /// A window that let out all it may counts by its records, not by its time.
    pub fn used_up(&self, subscription: SubscriptionId) {
        if let Some(until) = self.until.lock().get_mut(&subscription) {
            *until -= self.window;
        }
    }

    /// Forgets those that stand where they began.
    pub fn sweep(&self, now: Instant) {
        self.until.lock().retain(|_, until| *until > now);
    }
}

fn too_often(window: Duration, wait: Duration) -> Refusal {
    Refusal::new(
        Code::RateLimited,
        "该订阅反复从别处读取,打开窗口过于频繁;请从上次应答末行的 next 接着读,或稍后重试",
        "the subscription opens windows too often, as it reads from elsewhere again and again; read on from `next` of \
         the last answer, or come back later",
    )
    .with("level", "subscription")
    .with("limit", "windows")
    .with("value", 1)
    .with("seconds", window.as_secs_f64())
    .retry_after(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    const W: Duration = Duration::from_secs(1);

    fn subscription(number: u128) -> SubscriptionId {
        SubscriptionId(uuid::Uuid::from_u128(number))
    }

    #[test]
    fn after_a_few_it_is_one_in_each_window() {
        let (pace, mut now) = (Pace::new(W), Instant::now());
        for _ in 0..AT_ONCE {
            assert_eq!(pace.reserve(subscription(1), now).unwrap(), now, "a few at once");
        }
        for _ in 0..20 {
            let opens = pace.reserve(subscription(1), now).unwrap();
            assert_eq!(opens - now, W);
            now = opens;
        }
        assert_eq!(pace.reserve(subscription(2), now).unwrap(), now, "another does not wait for it");
        pace.used_up(subscription(1));
        assert_eq!(pace.reserve(subscription(1), now).unwrap(), now, "one that was used up costs no time");
    }

    #[test]
    fn of_many_at_once_one_waits_and_the_others_are_refused() {
        let (pace, now) = (Pace::new(W), Instant::now());
        let answers: Vec<_> = (0..100).map(|_| pace.reserve(subscription(1), now)).collect();
        let refused: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
        assert_eq!(refused.len(), 100 - AT_ONCE as usize - 1);
        assert!(refused.iter().all(|refusal| refusal.code == Code::RateLimited));
        assert!(refused.iter().all(|refusal| refusal.retry_after.is_some_and(|wait| wait > W)));
        pace.sweep(now + 2 * AT_ONCE * W);
        assert!(pace.until.lock().is_empty(), "nothing is kept of who does not read");
    }
}
