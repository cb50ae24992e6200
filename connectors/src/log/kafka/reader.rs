//! One consumer with partitions assigned by hand, and what it has brought that nobody took yet. Its reads block:
//! never on an async worker.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use changtong_catalog::error::Refusal;
use changtong_catalog::ids::TopicName;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::broker_refused;
use super::config::Speaker;
use super::copies::Copies;
use super::offsets::Asker;
use super::pace::{Pace, Step};
use crate::log::{LogRecord, Range, refusals};

pub(super) const POLL: Duration = Duration::from_millis(50);
/// A batch whose checksum does not fit is passed over, and what follows it in the same answer shows the gap. Where nothing
/// does, it comes again and again: after so many times it is looked for (`checksum.rs`).
pub(super) const BAD_AGAIN: u32 = 3;

/// Bytes kept for later reads. Where so many are kept a read ends with what it has, and partitions that did not have
/// their share come first in the next; one that has nothing yet goes on, and what is brought beyond is lost for it.
const AHEAD: usize = 2 * 1024 * 1024;

pub(super) struct Reader {
    pub consumer: BaseConsumer<Speaker>,
    pub topic: TopicName,
    /// Made by a thread aside, for reads far behind.
    pub far: bool,
    /// Per assigned partition the records brought and not taken, and the offset of the next to take.
    partitions: BTreeMap<i32, Assigned>,
    ahead_bytes: usize,
    copies: Copies,
    /// False once it can't go on after the read in hand.
    pub reusable: bool,
    /// Why the read in hand goes no further.
    broken: Option<Refusal>,
    /// Batches of the read in hand whose checksum did not fit, each as often as it came.
    bad: u32,
}

#[derive(Debug, Default)]
struct Assigned {
    next: i64,
    ahead: VecDeque<LogRecord>,
    /// More was brought than is kept, so what comes now is not wanted.
    lost: bool,
}

/// What one range of a read still wants.
#[derive(Debug)]
struct Want {
    to: i64,
    records: usize,
    bytes: usize,
    at_end: bool,
}

impl Want {
    fn is_open(&self, next: i64) -> bool {
        next < self.to && self.records > 0 && self.bytes > 0 && !self.at_end
    }
}

impl Reader {
    pub(super) fn make(config: &ClientConfig, topic: &TopicName, far: bool) -> Result<Self, Refusal> {
        let consumer = config.create_with_context(Speaker).map_err(|error| broker_refused(&error))?;
        let (partitions, copies) = (BTreeMap::new(), Copies::default());
        let topic = topic.clone();
        let (ahead_bytes, reusable, broken, bad) = (0, true, None, 0);
        Ok(Self { consumer, topic, far, partitions, ahead_bytes, copies, reusable, broken, bad })
    }

    /// Whether the read in hand found none but batches whose checksum does not fit.
    pub(super) fn stands_before_bad(&self) -> bool {
        self.bad > BAD_AGAIN
    }

    /// Whether the ranges begin where this reader stands.
    pub(super) fn fits(&self, topic: &TopicName, ranges: &[Range]) -> bool {
        let stands_at =
            |range: &Range| self.partitions.get(&range.partition).map(|p| p.next) == Some(range.from);
        self.topic == *topic && ranges.iter().all(stands_at)
    }

    /// Whether these, in the order in which they came, are the last that it gave of their partitions.
    pub(super) fn gave(&self, topic: &TopicName, records: &[LogRecord]) -> bool {
        let last: BTreeMap<i32, i64> =
            records.iter().map(|record| (record.partition, record.offset)).collect();
        let stands_behind = |(partition, offset): (&i32, &i64)| {
            self.partitions.get(partition).map(|p| p.next) == Some(offset + 1)
        };
        self.topic == *topic && last.iter().all(stands_behind)
    }

    /// The next read begins with what nobody used of the last.
    pub(super) fn take_back(&mut self, unused: Vec<LogRecord>) {
        for record in unused.into_iter().rev() {
            let Some(held) = self.partitions.get_mut(&record.partition) else { continue };
            held.next = record.offset;
            self.ahead_bytes += size(&record);
            held.ahead.push_front(record);
        }
    }

    pub(super) fn assign(&mut self, topic: &TopicName, ranges: &[Range]) -> Result<(), Refusal> {
        let mut list = TopicPartitionList::new();
        self.topic = topic.clone();
        self.partitions.clear();
        self.ahead_bytes = 0;
        for range in ranges {
            let added =
                list.add_partition_offset(topic.as_str(), range.partition, Offset::Offset(range.from));
            added.map_err(|error| broker_refused(&error))?;
            let assigned = Assigned { next: range.from, ..Assigned::default() };
            self.partitions.insert(range.partition, assigned);
        }
        self.consumer.assign(&list).map_err(|error| broker_refused(&error))
    }

    /// Reads ranges (none empty, each where this reader stands) until each has given its share, ended, or nothing
    /// more comes.
    pub(super) fn read(
        &mut self,
        ranges: &[Range],
        most: usize,
        max_bytes: usize,
        deadline: Instant,
        asker: &Asker,
    ) -> Result<Vec<LogRecord>, Refusal> {
        self.bad = 0;
        let mut wants = shares(ranges, most, max_bytes);
        let mut taken = Vec::new();
        for (partition, want) in &mut wants {
            self.take_ahead(*partition, want, &mut taken);
        }
        let mut open = self.is_open(&wants);
        let mut pace = Pace::begin(taken.len());
        while open && self.broken.is_none() && (taken.is_empty() || self.ahead_bytes < AHEAD) {
            let came = match self.consumer.poll(POLL) {
                Some(Ok(message)) => {
                    let ours = message.topic() == self.topic.as_str();
                    let record = record(&message, &mut self.copies);
                    drop(message);
                    if ours && self.bring(record, &mut wants, &mut taken) {
                        open = self.is_open(&wants);
                    }
                    true
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    if let Some(want) = wants.get_mut(&partition) {
                        want.at_end = true;
                    }
                    open = self.is_open(&wants);
                    if taken.is_empty() && !open {
                        open = !self.ended(&mut wants, asker);
                    }
                    true
                }
                Some(Err(error)) => {
                    self.failed(&error, ranges, asker)?;
                    false
                }
                None => false,
            };
            match pace.step(came, taken.len(), deadline) {
                Step::On => {}
                Step::Enough => break,
                // A consumer that waited at the end is not told of it a second time.
                Step::Ask => open = !self.ended(&mut wants, asker),
            }
        }
        match self.broken.take() {
            // What was brought before is right.
            Some(refusal) if taken.is_empty() => Err(refusal),
            None if taken.is_empty() && self.is_open(&wants) => Err(refusals::timed_out(&self.topic)),
            _ => Ok(taken),
        }
    }

    fn is_open(&self, wants: &BTreeMap<i32, Want>) -> bool {
        wants.iter().any(|(p, want)| self.partitions.get(p).is_some_and(|held| want.is_open(held.next)))
    }

    fn take_ahead(&mut self, partition: i32, want: &mut Want, taken: &mut Vec<LogRecord>) {
        let Some(held) = self.partitions.get_mut(&partition) else { return };
        while want.is_open(held.next)
            && let Some(record) = held.ahead.pop_front()
        {
            self.ahead_bytes -= size(&record);
            take(held, want, taken, record);
        }
    }

    /// A record from the consumer: taken if its partition wants it now, else kept for a later read. Answers whether its
    /// partition has its share with it.
    fn bring(
        &mut self,
        record: LogRecord,
        wants: &mut BTreeMap<i32, Want>,
        taken: &mut Vec<LogRecord>,
    ) -> bool {
        let Some(held) = self.partitions.get_mut(&record.partition) else { return false };
        let expected = held.next + held.ahead.len() as i64;
        if record.offset < expected || held.lost {
            return false;
        }
        if record.offset > expected {
            tracing::error!(
                topic = %self.topic, partition = record.partition, expected, found = record.offset,
                "the log skips records"
            );
            self.reusable = false;
            self.broken = Some(skips(&self.topic, record.partition, expected, record.offset));
            return false;
        }
        match wants.get_mut(&record.partition) {
            Some(want) if held.ahead.is_empty() && want.is_open(held.next) => {
                take(held, want, taken, record);
                return !want.is_open(held.next);
            }
            _ if self.ahead_bytes >= AHEAD => {
                held.lost = true;
                self.reusable = false;
            }
            _ => {
                self.ahead_bytes += size(&record);
                held.ahead.push_back(record);
            }
        }
        false
    }

    /// Whether every range is truly at its end; one that is not is read on.
    fn ended(&self, wants: &mut BTreeMap<i32, Want>, asker: &Asker) -> bool {
        let extents = asker.extents(std::slice::from_ref(&self.topic)).remove(&self.topic);
        for (partition, want) in wants.iter_mut() {
            let extent = extents.as_ref().and_then(|all| all.get(usize::try_from(*partition).ok()?));
            let next = self.partitions.get(partition).map(|held| held.next);
            // Without an answer nothing has ended.
            want.at_end = extent.is_some_and(|extent| next == Some(extent.end));
        }
        !self.is_open(wants)
    }

    /// Errors that pass by themselves are left to librdkafka until the deadline.
    fn failed(&mut self, error: &KafkaError, ranges: &[Range], asker: &Asker) -> Result<(), Refusal> {
        use RDKafkaErrorCode as E;
        let code = match error {
            KafkaError::MessageConsumption(code) | KafkaError::MessageConsumptionFatal(code) => *code,
            KafkaError::Global(code) => *code,
            _ => E::Fail,
        };
        match code {
            E::AllBrokersDown
            | E::BrokerTransportFailure
            | E::Resolve
            | E::OperationTimedOut
            | E::RequestTimedOut
            | E::NotLeaderForPartition
            | E::LeaderNotAvailable
            | E::CoordinatorNotAvailable
            | E::NotCoordinator
            | E::GroupAuthorizationFailed => Ok(()),
            E::BadMessage => {
                self.bad += 1;
                if self.stands_before_bad() {
                    self.reusable = false;
                    self.broken = Some(broker_refused(error));
                }
                Ok(())
            }
            E::AutoOffsetReset | E::OffsetOutOfRange => {
                self.reusable = false;
                Err(self.out_of_range(ranges, asker))
            }
            E::UnknownTopicOrPartition | E::UnknownTopic | E::UnknownPartition => {
                self.reusable = false;
                asker.forget(&self.topic);
                Err(refusals::unknown_topic(&self.topic))
            }
            _ => {
                self.reusable = false;
                self.broken = Some(broker_refused(error));
                Ok(())
            }
        }
    }

    fn out_of_range(&self, ranges: &[Range], asker: &Asker) -> Refusal {
        let extents =
            asker.extents(std::slice::from_ref(&self.topic)).remove(&self.topic).unwrap_or_default();
        let extent =
            |range: &Range| usize::try_from(range.partition).ok().and_then(|p| extents.get(p)).copied();
        let expired: Vec<_> = ranges
            .iter()
            .filter_map(|range| {
                Some((range.partition, extent(range)?.first)).filter(|(_, first)| range.from < *first)
            })
            .collect();
        if !expired.is_empty() {
            return refusals::position_expired(&self.topic, &expired);
        }
        let behind = ranges.iter().find_map(|range| {
            let end = extent(range)?.end;
            (range.from > end)
                .then(|| refusals::behind_the_end(&self.topic, range.partition, range.from, end))
        });
        behind.unwrap_or_else(|| refusals::timed_out(&self.topic))
    }
}

fn take(held: &mut Assigned, want: &mut Want, taken: &mut Vec<LogRecord>, record: LogRecord) {
    want.records -= 1;
    want.bytes = want.bytes.saturating_sub(size(&record));
    held.next = record.offset + 1;
    taken.push(record);
}

fn skips(topic: &TopicName, partition: i32, expected: i64, found: i64) -> Refusal {
    refusals::damaged(&format!("{topic}-{partition}"), expected, found)
}

/// Divides what a read may bring; a range with few records leaves its share to the others.
fn shares(ranges: &[Range], most: usize, max_bytes: usize) -> BTreeMap<i32, Want> {
    let mut sorted = ranges.to_vec();
    sorted.sort_by_key(|range| range.to - range.from);
    let (mut left, mut wants) = (most, BTreeMap::new());
    for (done, range) in sorted.iter().enumerate() {
        let length = usize::try_from(range.to - range.from).unwrap_or(0);
        let records = length.min(left.div_ceil(sorted.len() - done));
        left -= records;
        let bytes = (max_bytes / sorted.len()).max(1);
        wants.insert(range.partition, Want { to: range.to, records, bytes, at_end: false });
    }
    wants
}

fn size(record: &LogRecord) -> usize {
    record.key.as_ref().map_or(0, Bytes::len) + record.value.as_ref().map_or(0, Bytes::len)
}

fn record(message: &impl Message, copies: &mut Copies) -> LogRecord {
    LogRecord {
        partition: message.partition(),
        offset: message.offset(),
        appended_ms: message.timestamp().to_millis().unwrap_or(0),
        key: message.key().map(|key| copies.copy(key)),
        value: message.payload().map(|value| copies.copy(value)),
    }
}
