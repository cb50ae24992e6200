//! What this process appended lately, for who reads on at the end of a topic: those records need not come back from the
//! brokers. Else each topic that is followed would need a consumer that waits there.

use std::collections::HashMap;
use std::time::Duration;

use changtong_catalog::ids::TopicName;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::batch::Placed;
use crate::log::kept::{self, Here, Kept, is_near};
use crate::log::{Entry, LogRecord, Range};

/// An append of so few records is kept whether anybody has asked or not: who waits for it asks next.
const SMALL: usize = 64;
/// How long a topic is followed after its end was last asked for.
const FOLLOWED: Duration = Duration::from_secs(600);
const SWEEP: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Lately(Mutex<Topics>);

#[derive(Debug)]
struct Topics {
    followed: HashMap<TopicName, Followed>,
    swept: Instant,
}

#[derive(Debug)]
struct Followed {
    asked: Instant,
    kept: Kept,
}

impl Lately {
    pub fn new() -> Self {
        Self(Mutex::new(Topics { followed: HashMap::new(), swept: Instant::now() }))
    }

    /// All of what is asked for, up to the limits, or none. Whoever asks near the end follows the topic.
    pub fn find(
        &self,
        topic: &TopicName,
        ranges: &[Range],
        most: usize,
        max_bytes: usize,
    ) -> Option<Vec<LogRecord>> {
        if !is_near(ranges) {
            return None;
        }
        let now = Instant::now();
        let mut topics = self.0.lock();
        let fresh = || Followed { asked: now, kept: Kept::default() };
        let followed = topics.followed.entry(topic.clone()).or_insert_with(fresh);
        followed.asked = now;
        match followed.kept.find(now, ranges, most, max_bytes) {
            Here::Found(records) if !records.is_empty() => Some(records),
            _ => None,
        }
    }

    /// Of a topic that somebody follows, or small.
    pub fn keep(&self, topic: &TopicName, entries: &[Entry], placed: &[Placed]) {
        let now = Instant::now();
        let mut topics = self.0.lock();
        topics.sweep(now);
        if entries.len() <= SMALL && !topics.followed.contains_key(topic) {
            topics.followed.insert(topic.clone(), Followed { asked: now, kept: Kept::default() });
        }
        let Some(followed) = topics.followed.get_mut(topic) else { return };
        let records = entries.iter().zip(placed).map(|(entry, placed)| LogRecord {
            partition: entry.partition,
            offset: placed.offset,
            appended_ms: placed.appended_ms,
            key: entry.key.clone(),
            value: entry.value.clone(),
        });
        followed.kept.keep(now, &Vec::from_iter(records));
    }
}

impl Topics {
    fn sweep(&mut self, now: Instant) {
        if now.saturating_duration_since(self.swept) < SWEEP {
            return;
        }
        self.swept = now;
        self.followed.retain(|_, followed| now.saturating_duration_since(followed.asked) < FOLLOWED);
        self.followed.values_mut().for_each(|followed| followed.kept.drop_older(now));
        let all: usize = self.followed.values().map(|followed| followed.kept.bytes()).sum();
        if all > kept::ALL {
            // The brokers have them.
            self.followed.values_mut().for_each(|followed| followed.kept = Kept::default());
        }
    }
}
