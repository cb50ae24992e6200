//! Topics are made at the first publish, not before (protocol.md 2): wanted in the store, made in the log, noted as
//! made. And which topics were appended to lately, for the settling job.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::{ResourceNumber, TopicName};
use changtong_catalog::ports::{ResourceStanding, Topic};
use changtong_catalog::resource::retention::Retention;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::{Gate, refusals};
use crate::commit::{TopicKey, key_of};
use crate::events::QuarantineTopicGone;
use crate::log::TopicSpec;

pub(super) struct Topics {
    /// One maker at a time for each resource.
    making: Mutex<HashMap<ResourceNumber, Arc<tokio::sync::Mutex<()>>>>,
    made: Mutex<HashMap<TopicKey, Topic>>,
    /// Quarantine topics known to be there.
    aside: Mutex<HashSet<TopicName>>,
    /// When each topic was last appended to, by the monotonic clock.
    appended: Mutex<HashMap<TopicKey, (Topic, Duration)>>,
    /// Counts topics that were made, for those who wait for a first record.
    count: watch::Sender<u64>,
}

impl Default for Topics {
    fn default() -> Self {
        Self {
            making: Mutex::default(),
            made: Mutex::default(),
            aside: Mutex::default(),
            appended: Mutex::default(),
            count: watch::Sender::new(0),
        }
    }
}

impl Topics {
    /// Wakes when a topic was made.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.count.subscribe()
    }

    /// The topic as far as this process knows more than the directory did.
    pub fn known(&self, standing: &ResourceStanding) -> Option<Topic> {
        let key = (standing.resource.number, standing.resource.generation);
        let stored = standing.topic.clone().filter(|topic| topic.made);
        stored.or_else(|| self.made.lock().get(&key).cloned())
    }

    pub fn touch(&self, topic: &Topic, now: Duration) {
        self.appended.lock().insert(key_of(topic), (topic.clone(), now));
    }

    /// Topics appended to since then; the others are forgotten.
    pub fn touched_since(&self, since: Duration) -> Vec<Topic> {
        let mut appended = self.appended.lock();
        appended.retain(|_, (_, at)| *at >= since);
        appended.values().map(|(topic, _)| topic.clone()).collect()
    }

    /// Another generation is in force.
    pub fn forget(&self, topic: &Topic) {
        self.appended.lock().remove(&key_of(topic));
        self.made.lock().remove(&key_of(topic));
    }

    pub fn was_touched_since(&self, key: TopicKey, since: Duration) -> bool {
        self.appended.lock().get(&key).is_some_and(|(_, at)| *at >= since)
    }

    fn turn(&self, resource: ResourceNumber) -> Arc<tokio::sync::Mutex<()>> {
        self.making.lock().entry(resource).or_default().clone()
    }
}

impl Gate {
    /// The topic of the generation in force, made if it is not there yet.
    pub(super) async fn topic(&self, standing: &ResourceStanding) -> Result<Topic, Refusal> {
        let resource = &standing.resource;
        if let Some(topic) = self.topics.known(standing) {
            return Ok(topic);
        }
        let turn = self.topics.turn(resource.number);
        let _turn = turn.lock().await;
        if let Some(topic) = self.topics.known(standing) {
            return Ok(topic);
        }
        let wanted = Topic {
            name: TopicName::records(&self.settings.topic_prefix, resource.number, resource.generation),
            resource: resource.number,
            generation: resource.generation,
            partitions: self.settings.partitions,
            made: false,
        };
        // Wanted by an earlier call that was cut off? Then what is found may be ours.
        let before = self.directory.resource_by_number(resource.number).await?;
        let wanted_before = before.is_some_and(|standing| standing.topic.is_some());
        let stored = self.ledger.want_topic(&wanted).await?;
        if !stored.made {
            let spec = TopicSpec {
                name: stored.name.clone(),
                partitions: stored.partitions,
                retention: kept_for(standing)?,
            };
            self.log.make_topic(&spec, wanted_before).await?;
            self.ledger.topic_made(&stored).await?;
        }
        let topic = Topic { made: true, ..stored };
        self.topics.made.lock().insert(key_of(&topic), topic.clone());
        self.topics.count.send_modify(|count| *count += 1);
        Ok(topic)
    }

    /// The quarantine topic of a resource, made if it is not there yet.
    pub(super) async fn quarantine_topic(&self, standing: &ResourceStanding) -> Result<TopicName, Refusal> {
        let number = standing.resource.number;
        let name = TopicName::quarantine(&self.settings.topic_prefix, number);
        if self.topics.aside.lock().contains(&name) {
            return Ok(name);
        }
        let turn = self.topics.turn(number);
        let _turn = turn.lock().await;
        let there = async || -> Result<bool, Refusal> {
            Ok(self.log.extents(std::slice::from_ref(&name)).await?.contains_key(&name))
        };
        if !there().await? {
            let spec = TopicSpec { name: name.clone(), partitions: 1, retention: kept_for(standing)? };
            match self.log.make_topic(&spec, true).await {
                // A log that could not be asked a moment ago has it already.
                Err(refusal) if refusal.code == Code::TopicExists && there().await? => {}
                Err(refusal) if refusal.code == Code::TopicExists => return Err(refusals::topic_not_ours()),
                made => made?,
            }
        }
        self.topics.aside.lock().insert(name.clone());
        Ok(name)
    }

    /// An append to a quarantine topic failed. One that is gone is forgotten, so that whoever comes next makes it again.
    pub(super) async fn forget_if_gone(&self, resource: ResourceNumber, name: &TopicName) {
        let there = self.log.has_topic(name).await;
        // What one broker has not heard of another may have.
        let gone = async || self.widest(name, self.since_now()).await.is_ok_and(|extents| extents.is_empty());
        if matches!(there, Ok(false)) && gone().await {
            self.topics.aside.lock().remove(name);
            QuarantineTopicGone { resource }.emit(&self.metrics);
        }
    }
}

pub(super) fn kept_for(standing: &ResourceStanding) -> Result<Option<Duration>, Refusal> {
    Ok(match standing.resource.file.retention.parse()? {
        Retention::Forever => None,
        Retention::For(duration) => Some(duration),
    })
}
