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
    /// Asked about every time, as their records go on being served: since when.
    suspected: HashMap<TopicKey, (Topic, Duration)>,
}

/// Per partition the first offset appended then or later, or the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Noted {
    at: Time,
    first: Vec<i64>,
}

impl Noted {
    fn falls_to(&self, first: &[i64]) -> bool {
        first.len() < self.first.len() || first.iter().zip(&self.first).any(|(now, then)| now < then)
    }
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

    /// Those to be asked about now.
    fn take(&mut self) -> Vec<Topic> {
        let suspected = &self.suspected;
        self.turn.retain(|topic| !suspected.contains_key(&key_of(topic)));
        let some = self.turn.len().min(AT_ONCE);
        let suspects = self.suspected.values().map(|(topic, _)| topic.clone());
        suspects.chain(self.turn.drain(..some)).collect()
    }

    fn forget(&mut self, key: TopicKey) {
        self.turn.retain(|topic| key_of(topic) != key);
        self.noted.remove(&key);
        self.suspected.remove(&key);
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

    /// Another generation is in force: what becomes of this one's topic stops nobody.
    pub fn forget(&self, key: TopicKey) {
        self.0.lock().forget(key);
    }
}

impl Gate {
    /// Every second: asks about the topics whose turn it is. Not part of the second in which holes are settled: a log
    /// that does not answer takes its time for each topic.
    pub async fn look_for_replaced(&self) -> Result<(), Refusal> {
        self.alive.check()?;
        if self.is_store_older() {
            return Ok(());
        }
        let now = self.clock.monotonic();
        if self.replaced.0.lock().begins_round(now) {
            let topics: VecDeque<Topic> = in_force(self.directory.topics().await?).collect();
            let keys: HashSet<TopicKey> = topics.iter().map(key_of).collect();
            let mut state = self.replaced.0.lock();
            state.noted.retain(|key, _| keys.contains(key));
            state.suspected.retain(|key, _| keys.contains(key));
            state.turn = topics;
        }
        let some = self.replaced.0.lock().take();
        for topic in some {
            self.look_at(&topic, now).await?;
        }
        Ok(())
    }

    async fn look_at(&self, topic: &Topic, now: Duration) -> Result<(), Refusal> {
        let key = key_of(topic);
        let before = self.replaced.0.lock().noted.get(&key).cloned();
        // One that does not answer has told nothing, and what was noted stays until it was compared; one that is gone is
        // found by its end.
        if let Some(before) = before {
            let Ok(first) = self.log.offsets_at(&topic.name, before.at).await else { return Ok(()) };
            if before.falls_to(&first) {
                return self.suspect(topic, &before, now).await;
            }
            self.replaced.0.lock().suspected.remove(&key);
        }
        let at = self.clock.now();
        if let Ok(first) = self.log.offsets_at(&topic.name, at).await {
            self.replaced.0.lock().noted.insert(key, Noted { at, first });
        }
        Ok(())
    }

    /// Stops the resource once two answers some time apart say the same, and no broker knows better.
    async fn suspect(&self, topic: &Topic, before: &Noted, now: Duration) -> Result<(), Refusal> {
        let since = {
            let suspected = &mut self.replaced.0.lock().suspected;
            suspected.entry(key_of(topic)).or_insert_with(|| (topic.clone(), now)).1
        };
        if now.saturating_sub(since) < ROLLED_BACK_AFTER {
            return Ok(());
        }
        let Ok(first) = self.log.farthest_at(&topic.name, before.at).await else { return Ok(()) };
        if !before.falls_to(&first) {
            self.replaced.0.lock().suspected.remove(&key_of(topic));
            return Ok(());
        }
        self.stop_rolled_back(topic).await?;
        self.replaced.forget(key_of(topic));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use changtong_catalog::ids::{Generation, ResourceNumber, TopicName};

    use super::*;

    fn topic(number: i64) -> Topic {
        let (resource, generation) = (ResourceNumber(number), Generation(1));
        let name = TopicName::records("", resource, generation);
        Topic { name, resource, generation, partitions: 3, made: true }
    }

    #[test]
    fn a_suspect_is_asked_about_every_time_and_holds_nobody_off() {
        let all: Vec<Topic> = (1..=40).map(topic).collect();
        let mut state = State { turn: all.iter().cloned().collect(), ..State::default() };
        let suspect = topic(30);
        state.suspected.insert(key_of(&suspect), (suspect.clone(), Duration::ZERO));
        let mut asked = Vec::new();
        while !state.turn.is_empty() {
            let some = state.take();
            assert_eq!(some[0], suspect);
            assert!(some.len() <= AT_ONCE + 1);
            asked.extend(some.into_iter().skip(1));
        }
        let others: Vec<Topic> = all.into_iter().filter(|topic| *topic != suspect).collect();
        assert_eq!(asked, others);
        state.forget(key_of(&suspect));
        assert!(state.take().is_empty());
    }
}
