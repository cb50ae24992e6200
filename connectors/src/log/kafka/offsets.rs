//! Asking the brokers: partitions, extents, offsets at a time. Every call here blocks: never on an async worker.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use changtong_catalog::clock::Time;
use changtong_catalog::error::Refusal;
use changtong_catalog::ids::TopicName;
use parking_lot::Mutex;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::metadata::{Metadata, MetadataBroker, MetadataTopic};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::broker_refused;
use super::config::Speaker;
use crate::log::{Extent, refusals};

/// The longest that one question may take.
pub(super) const ASKING: Duration = Duration::from_secs(5);

/// How long is waited for the reason of a failure.
const NOTICING: Duration = Duration::from_secs(6);

/// A topic that nobody makes: an answer about all topics would grow with the bus.
const NOBODYS: &str = "ct.none";

/// Topics whose ends are asked in one go.
const BULK: usize = 200;

pub(super) struct Asker {
    client: BaseConsumer<Speaker>,
    /// Partition counts never change (protocol.md 2).
    partitions: Mutex<HashMap<TopicName, i32>>,
}

impl Asker {
    pub(super) fn new(config: &ClientConfig) -> Result<Self, Refusal> {
        let client = config.create_with_context(Speaker).map_err(|error| broker_refused(&error))?;
        Ok(Self { client, partitions: Mutex::default() })
    }

    pub(super) fn metadata(&self, topic: Option<&TopicName>) -> Result<Metadata, Refusal> {
        self.metadata_of(topic.map(TopicName::as_str))
    }

    fn metadata_of(&self, topic: Option<&str>) -> Result<Metadata, Refusal> {
        // Without this, errors noticed in between would pile up in the client.
        while self.client.poll(Duration::ZERO).is_some() {}
        let metadata = self.client.fetch_metadata(topic, ASKING);
        metadata.map_err(|error| broker_refused(&error))
    }

    /// Whether the brokers answer at all. No topic of ours is asked for: one that is gone says nothing of the others.
    pub(super) fn answers(&self) -> Result<(), Refusal> {
        self.metadata_of(Some(NOBODYS)).map(drop)
    }

    /// The same for whoever sets the brokers up: the question itself only fails, why is noticed beside it.
    pub(super) fn first_metadata(&self) -> Result<Metadata, Refusal> {
        let metadata = self.client.fetch_metadata(None, ASKING);
        metadata.map_err(|error| self.named().unwrap_or_else(|| broker_refused(&error)))
    }

    /// Why the brokers let nobody in, if that is noticed soon.
    fn named(&self) -> Option<Refusal> {
        let until = Instant::now() + NOTICING;
        while Instant::now() < until {
            let noticed = self.client.poll(NOTICING / 10).and_then(Result::err);
            match noticed.and_then(|error| error.rdkafka_error_code()) {
                Some(RDKafkaErrorCode::Authentication) => return Some(user_refused()),
                Some(RDKafkaErrorCode::SSL) => return Some(tls_failed()),
                _ => {}
            }
        }
        None
    }

    pub(super) fn cluster_id(&self) -> Option<String> {
        self.client.client().fetch_cluster_id(ASKING)
    }

    pub(super) fn known(&self, topic: &TopicName) -> Option<i32> {
        self.partitions.lock().get(topic).copied()
    }

    pub(super) fn partitions(&self, topic: &TopicName) -> Result<i32, Refusal> {
        if let Some(known) = self.known(topic) {
            return Ok(known);
        }
        let metadata = self.metadata(Some(topic))?;
        let found = metadata.topics().iter().find(|found| found.name() == topic.as_str());
        let count = found.map_or(0, |found| found.partitions().len());
        let Ok(count @ 1..) = i32::try_from(count) else { return Err(refusals::unknown_topic(topic)) };
        self.partitions.lock().insert(topic.clone(), count);
        Ok(count)
    }

    /// Asks once for all topics where many are not known yet, as at a start: one question each would take too long.
    fn learn(&self, topics: &[TopicName]) {
        let unknown: Vec<&TopicName> = topics.iter().filter(|topic| self.known(topic).is_none()).collect();
        if unknown.len() < BULK {
            return;
        }
        // Without an answer each is asked for by itself.
        let Ok(metadata) = self.metadata(None) else { return };
        let counts: HashMap<&str, usize> =
            metadata.topics().iter().map(|topic| (topic.name(), topic.partitions().len())).collect();
        let mut partitions = self.partitions.lock();
        for topic in unknown {
            let count = counts.get(topic.as_str()).and_then(|count| i32::try_from(*count).ok());
            if let Some(count @ 1..) = count {
                partitions.insert(topic.clone(), count);
            }
        }
    }

    pub(super) fn topics(&self, prefix: &str) -> Result<Vec<String>, Refusal> {
        let metadata = self.metadata(None)?;
        let names = metadata.topics().iter().map(MetadataTopic::name);
        Ok(names.filter(|name| name.starts_with(prefix)).map(str::to_owned).collect())
    }

    /// Of a topic that is there but in trouble, true.
    pub(super) fn has_topic(&self, topic: &TopicName) -> Result<bool, Refusal> {
        let metadata = self.metadata(Some(topic))?;
        let found = metadata.topics().iter().find(|found| found.name() == topic.as_str());
        let unknown = |found: &MetadataTopic| {
            found.error().is_some_and(|error| {
                RDKafkaErrorCode::from(error) == RDKafkaErrorCode::UnknownTopicOrPartition
            })
        };
        let there = found.is_some_and(|found| !unknown(found));
        if !there {
            self.forget(topic);
        }
        Ok(there)
    }

    /// Addresses of all brokers; who leads the topic is learnt again on the way.
    pub(super) fn brokers(&self, topic: &TopicName) -> Result<Vec<String>, Refusal> {
        let metadata = self.metadata(Some(topic))?;
        let address = |broker: &MetadataBroker| format!("{}:{}", broker.host(), broker.port());
        Ok(metadata.brokers().iter().map(address).collect())
    }

    pub(super) fn forget(&self, topic: &TopicName) {
        self.partitions.lock().remove(topic);
    }

    /// First and end of each topic's partitions, from their leaders; a topic with any error is left out.
    pub(super) fn extents(&self, topics: &[TopicName]) -> BTreeMap<TopicName, Vec<Extent>> {
        // Each unanswered question takes its time; brokers that are away are not asked for every topic.
        let until = Instant::now() + ASKING;
        self.learn(topics);
        let known: Vec<_> = topics
            .iter()
            .take_while(|_| Instant::now() < until)
            .filter_map(|topic| Some((topic, self.partitions(topic).ok()?)))
            .collect();
        let mut all = BTreeMap::new();
        for bulk in known.chunks(BULK) {
            let answers = self.extents_of(bulk);
            // One topic that is gone spoils the answer for all, so they are asked one by one.
            if answers.len() < bulk.len() && bulk.len() > 1 {
                let one_by_one = bulk.chunks(1).take_while(|_| Instant::now() < until);
                all.extend(one_by_one.flat_map(|one| self.extents_of(one)));
            } else {
                all.extend(answers);
            }
        }
        all
    }

    fn extents_of(&self, topics: &[(&TopicName, i32)]) -> BTreeMap<TopicName, Vec<Extent>> {
        let asked = |at| self.ask(topics, at).map_err(|error| broker_refused(&error));
        // The end is asked last, so that it never lies before a first that moved meanwhile.
        let (Ok(firsts), Ok(ends)) = (asked(Offset::Beginning), asked(Offset::End)) else {
            // Perhaps it is gone, and one of that name made later has other partitions.
            topics.iter().for_each(|(topic, _)| self.forget(topic));
            return BTreeMap::new();
        };
        let extents_of = |topic: &TopicName, count: i32| -> Option<Vec<Extent>> {
            let at = |answers: &Answers, partition| {
                answers.get(&(topic.as_str().to_owned(), partition)).copied().flatten()
            };
            (0..count).map(|p| Some(Extent { first: at(&firsts, p)?, end: at(&ends, p)? })).collect()
        };
        let pairs =
            topics.iter().filter_map(|(topic, count)| Some(((*topic).clone(), extents_of(topic, *count)?)));
        pairs.collect()
    }

    /// One ListOffsets to each leader; partitions in error are left out.
    fn ask(&self, topics: &[(&TopicName, i32)], at: Offset) -> Result<Answers, KafkaError> {
        let mut list = TopicPartitionList::new();
        for (topic, count) in topics {
            for partition in 0..*count {
                list.add_partition_offset(topic.as_str(), partition, at)?;
            }
        }
        let answered = self.client.offsets_for_times(list, ASKING)?;
        let elements = answered.elements();
        let good = elements.iter().filter(|element| element.error().is_ok());
        Ok(good
            .filter_map(|element| {
                let offset = element.offset().to_raw()?;
                let named = (offset >= 0).then_some(offset);
                Some(((element.topic().to_owned(), element.partition()), named))
            })
            .collect())
    }

    /// Of a topic that is gone, nothing.
    pub(super) fn offsets_if_there(&self, topic: &TopicName, time: Time) -> Result<Vec<i64>, Refusal> {
        match self.has_topic(topic)? {
            true => self.offsets_at(topic, time),
            false => Ok(Vec::new()),
        }
    }

    /// The same.
    pub(super) fn extents_if_there(&self, topic: &TopicName) -> Result<Vec<Extent>, Refusal> {
        match self.has_topic(topic)? {
            true => {
                let told = self.extents(std::slice::from_ref(topic)).remove(topic);
                told.ok_or_else(|| refusals::timed_out(topic))
            }
            false => Ok(Vec::new()),
        }
    }

    pub(super) fn offsets_at(&self, topic: &TopicName, time: Time) -> Result<Vec<i64>, Refusal> {
        let count = self.partitions(topic)?;
        // Append times are whole milliseconds: at or after the time means at or after the next whole one.
        let part = i64::from(!time.timestamp_subsec_nanos().is_multiple_of(1_000_000));
        let at_ms = (time.timestamp_millis() + part).max(0);
        let asked = |at| self.ask(&[(topic, count)], at).map_err(|error| broker_refused(&error));
        // The ends first: a record that lands between the two questions is then found by its time, never jumped over.
        let (ends, found) = (asked(Offset::End)?, asked(Offset::Offset(at_ms))?);
        let offset = |partition| {
            let key = (topic.as_str().to_owned(), partition);
            found.get(&key)?.or(*ends.get(&key)?)
        };
        let offsets: Option<Vec<i64>> = (0..count).map(offset).collect();
        offsets.ok_or_else(|| refusals::timed_out(topic))
    }
}

/// Of several answers, per partition the farthest.
pub(super) fn farthest(told: Vec<Vec<i64>>) -> Vec<i64> {
    told.into_iter().fold(Vec::new(), |mut farthest, offsets| {
        farthest.resize(farthest.len().max(offsets.len()), 0);
        farthest.iter_mut().zip(offsets).for_each(|(farthest, offset)| *farthest = offset.max(*farthest));
        farthest
    })
}

/// Of several answers, per partition the earliest first and the farthest end.
pub(super) fn widest(told: Vec<Vec<Extent>>) -> Vec<Extent> {
    told.into_iter().fold(Vec::new(), |mut widest: Vec<Extent>, extents| {
        let fresh = extents.get(widest.len()..).unwrap_or_default();
        widest.extend_from_slice(fresh);
        widest.iter_mut().zip(&extents).for_each(|(widest, told)| {
            *widest = Extent { first: told.first.min(widest.first), end: told.end.max(widest.end) };
        });
        widest
    })
}

/// `None` where the brokers name no offset: nothing was appended at or after the time asked.
type Answers = HashMap<(String, i32), Option<i64>>;

fn user_refused() -> Refusal {
    refusals::unavailable(
        "Kafka 不接受 kafka.username 与 kafka.password,或 kafka.mechanism 与代理节点的设置不符:请核对这三项",
        "Kafka does not take kafka.username with this kafka.password, or not by kafka.mechanism: check the three",
    )
}

fn tls_failed() -> Refusal {
    refusals::unavailable(
        "与 Kafka 的 TLS 连接失败:请检查代理节点的证书是否由 kafka.ca_file(未设时为本机信任的机构)签发、\
         名称是否与 kafka.brokers 一致,以及该端口是否使用 TLS",
        "no TLS connection to Kafka: check that the brokers' certificates are signed by an authority of kafka.ca_file \
         (not set: one of this machine) for the names in kafka.brokers, and that the port speaks TLS",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_brokers_say_the_widest_counts() {
        let told = |extents: &[(i64, i64)]| {
            extents.iter().map(|(first, end)| Extent { first: *first, end: *end }).collect::<Vec<_>>()
        };
        let answers = vec![told(&[]), told(&[(3, 9)]), told(&[(1, 7), (0, 4)]), told(&[(2, 8), (1, 5)])];
        assert_eq!(widest(answers), told(&[(1, 9), (0, 5)]));
        assert_eq!(widest(vec![Vec::new(); 3]), []);
        assert_eq!(farthest(vec![vec![], vec![3, 9], vec![4, 8]]), [4, 9]);
    }
}
