//! A topic that was deleted and filled again behind the bus, past where it ended (protocol.md 4): its end says nothing.
//! But what now lies where records of ours lay was appended later. So it is noted from which offset on nothing had been
//! appended by a time, and asked again and again whether that is still so: of records that stay where they are the
//! answer never falls.
//!
//! A topic's id would tell as well; librdkafka's binding gives none.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use changtong_catalog::clock::Time;
use changtong_catalog::error::Refusal;
use changtong_catalog::ports::Topic;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::Gate;
use super::settle::{ROLLED_BACK_AFTER, in_force};
use crate::commit::{TopicKey, key_of};

/// How often each topic is asked about, where they are few enough.
const EVERY: Duration = Duration::from_secs(10);
/// Topics asked about in one second.
const AT_ONCE: usize = 16;

#[derive(Default)]
pub(super) struct Replaced(Mutex<State>);

#[derive(Default)]
struct State {
    turn: VecDeque<Topic>,
    /// When all are asked about next.
    next_round: Duration,
    noted: HashMap<TopicKey, Noted>,
    suspected: HashMap<TopicKey, Duration>,
}

/// Per partition the first offset appended then or later, or the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Noted {
    at: Time,
    first: Vec<i64>,
}

impl State {
    /// Whether all have been asked about, long enough ago.
    fn begins_round(&mut self, now: Duration) -> bool {
        let begins = self.turn.is_empty() && self.next_round <= now;
        if begins {
            self.next_round = now + EVERY;
        }
        begins
    }
}

impl Replaced {
    /// What an earlier server noted.
    pub fn begin(&self, noted: HashMap<TopicKey, Noted>) {
        self.0.lock().noted = noted;
    }

    pub fn noted(&self) -> BTreeMap<TopicKey, Noted> {
        self.0.lock().noted.iter().map(|(topic, noted)| (*topic, noted.clone())).collect()
    }
}

impl Gate {
    /// Asks about the topics whose turn it is.
    pub(super) async fn look_for_replaced(&self) -> Result<(), Refusal> {
        if self.is_store_older() {
            return Ok(());
        }
        let now = self.clock.monotonic();
        if self.replaced.0.lock().begins_round(now) {
            let topics: VecDeque<Topic> = in_force(self.directory.topics().await?).collect();
            let keys: HashSet<TopicKey> = topics.iter().map(key_of).collect();
            let mut state = self.replaced.0.lock();
            state.noted.retain(|key, _| keys.contains(key));
            state.turn = topics;
        }
        let some: Vec<Topic> = {
            let turn = &mut self.replaced.0.lock().turn;
            let some = turn.len().min(AT_ONCE);
            turn.drain(..some).collect()
        };
        for topic in some {
            self.look_at(&topic, now).await?;
        }
        Ok(())
    }

    async fn look_at(&self, topic: &Topic, now: Duration) -> Result<(), Refusal> {
        let key = key_of(topic);
        let before = self.replaced.0.lock().noted.get(&key).cloned();
        // One that does not answer has told nothing; one that is gone is found by its end.
        if let Some(before) = before
            && let Ok(first) = self.log.offsets_at(&topic.name, before.at).await
        {
            if first.len() < before.first.len()
                || first.iter().zip(&before.first).any(|(now, then)| now < then)
            {
                return self.suspect(topic, now).await;
            }
            self.replaced.0.lock().suspected.remove(&key);
        }
        let at = self.clock.now();
        if let Ok(first) = self.log.offsets_at(&topic.name, at).await {
            self.replaced.0.lock().noted.insert(key, Noted { at, first });
        }
        Ok(())
    }

    /// Stops the resource once two answers some time apart say the same.
    async fn suspect(&self, topic: &Topic, now: Duration) -> Result<(), Refusal> {
        let since = {
            let mut state = self.replaced.0.lock();
            state.turn.push_back(topic.clone());
            *state.suspected.entry(key_of(topic)).or_insert(now)
        };
        if now.saturating_sub(since) < ROLLED_BACK_AFTER {
            return Ok(());
        }
        self.stop_rolled_back(topic).await?;
        let mut state = self.replaced.0.lock();
        state.turn.retain(|other| other != topic);
        state.noted.remove(&key_of(topic));
        state.suspected.remove(&key_of(topic));
        Ok(())
    }
}
