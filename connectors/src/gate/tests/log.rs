//! A log in memory: holds what is appended, fails and stops where a test says.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use changtong_catalog::clock::Time;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::TopicName;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::gate::Permit;
use crate::log::{AppendError, Entry, Extent, Log, LogRecord, Range, TopicSpec};

/// What the next append does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFault {
    /// So many records land, the rest and the answer do not.
    Breaks(usize),
    /// Everything lands, the acknowledgements name other offsets.
    Misreports,
}

type Stored = Option<(Option<Bytes>, Option<Bytes>)>;

/// The end that a partition has lost.
pub struct Lost(Vec<Stored>);

pub struct LostTopic(Vec<Partition>);

#[derive(Default)]
struct Topics(BTreeMap<TopicName, Vec<Partition>>);

#[derive(Default, Clone)]
struct Partition {
    first: i64,
    records: Vec<Stored>,
    /// From an offset on, another append time.
    rewritten: Option<(i64, i64)>,
    damaged: Option<(i64, i64)>,
}

pub struct MemoryLog {
    topics: Mutex<Topics>,
    pub faults: Mutex<VecDeque<LogFault>>,
    /// While true, appends have landed but are not answered.
    pub hold: watch::Sender<bool>,
    pub appends: Mutex<usize>,
    pub reads: Mutex<usize>,
    /// So many of the last records of each partition whoever answers does not know of; others do.
    pub parted: Mutex<i64>,
    /// And so many of the first it has removed already.
    pub ahead: Mutex<i64>,
    /// While true, it has not heard of any topic.
    pub unaware: Mutex<bool>,
    /// While true, no extent is told.
    pub mute: Mutex<bool>,
    /// While there is a number, questions for a topic fail and are counted.
    pub away: Mutex<Option<usize>>,
    /// So many of the next questions for offsets by their time fail.
    pub deaf: Mutex<usize>,
    /// While true, none of them is answered.
    pub hold_times: watch::Sender<bool>,
    /// How many times every broker was asked, and while true none of them answers.
    pub rounds: Mutex<usize>,
    pub hold_rounds: watch::Sender<bool>,
    /// What happens while the next read is under way: time passes.
    pub meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    /// This partition of every topic cannot be read.
    pub closed: Mutex<Option<i32>>,
    /// What happens behind the next answer that something is not there.
    pub afterwards: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Default for MemoryLog {
    fn default() -> Self {
        Self {
            topics: Mutex::default(),
            faults: Mutex::default(),
            hold: watch::Sender::new(false),
            appends: Mutex::default(),
            reads: Mutex::default(),
            parted: Mutex::default(),
            ahead: Mutex::default(),
            unaware: Mutex::default(),
            mute: Mutex::default(),
            away: Mutex::default(),
            deaf: Mutex::default(),
            hold_times: watch::Sender::new(false),
            rounds: Mutex::default(),
            hold_rounds: watch::Sender::new(false),
            meanwhile: Mutex::default(),
            closed: Mutex::default(),
            afterwards: Mutex::default(),
        }
    }
}

impl MemoryLog {
    /// A record that no attempt of this process wrote.
    pub fn intrude(&self, topic: &TopicName, partition: usize, times: usize) {
        let mut topics = self.topics.lock();
        let partition = &mut topics.0.get_mut(topic).unwrap()[partition];
        partition.records.extend((0..times).map(|_| None));
    }

    /// Loses the end of a partition.
    pub fn lose(&self, topic: &TopicName, partition: usize, times: usize) -> Lost {
        let mut topics = self.topics.lock();
        let records = &mut topics.0.get_mut(topic).unwrap()[partition].records;
        let kept = records.len() - times;
        Lost(records.split_off(kept))
    }

    /// What seemed lost is there again.
    pub fn regain(&self, topic: &TopicName, partition: usize, lost: Lost) {
        self.topics.lock().0.get_mut(topic).unwrap()[partition].records.extend(lost.0);
    }

    /// The end of a partition was written again then, from an offset on.
    pub fn rewrite(&self, topic: &TopicName, partition: usize, from: i64, at: Time) {
        let rewritten = Some((from, at.timestamp_millis()));
        self.topics.lock().0.get_mut(topic).unwrap()[partition].rewritten = rewritten;
    }

    /// These offsets can't be read any more.
    pub fn damage(&self, topic: &TopicName, partition: usize, from: i64, until: i64) {
        self.topics.lock().0.get_mut(topic).unwrap()[partition].damaged = Some((from, until));
    }

    /// What lies there is no record any more.
    pub fn scramble(&self, topic: &TopicName, partition: usize, offset: usize) {
        let mut topics = self.topics.lock();
        let record = &mut topics.0.get_mut(topic).unwrap()[partition].records[offset];
        *record = Some((None, Some(Bytes::from_static(b"no frame"))));
    }

    /// They can again.
    pub fn mend(&self, topic: &TopicName, partition: usize) {
        self.topics.lock().0.get_mut(topic).unwrap()[partition].damaged = None;
    }

    /// Loses the topic.
    pub fn remove(&self, topic: &TopicName) -> LostTopic {
        LostTopic(self.topics.lock().0.remove(topic).unwrap())
    }

    pub fn put_back(&self, topic: &TopicName, lost: LostTopic) {
        self.topics.lock().0.insert(topic.clone(), lost.0);
    }

    /// Forgets the records before an offset.
    pub fn expire(&self, topic: &TopicName, partition: usize, first: i64) {
        self.topics.lock().0.get_mut(topic).unwrap()[partition].first = first;
    }

    pub fn ends(&self, topic: &TopicName) -> Vec<i64> {
        self.topics.lock().0[topic].iter().map(|p| p.records.len() as i64).collect()
    }
}

impl MemoryLog {
    fn pass(&self) {
        let afterwards = self.afterwards.lock().take();
        if let Some(afterwards) = afterwards {
            afterwards();
        }
    }

    /// Record N of a partition was appended N + 1 seconds after 1970; some of the last are not known of.
    fn first_since(&self, topic: &TopicName, time: Time, unknown: i64) -> Vec<i64> {
        let topics = self.topics.lock();
        let wanted = (time.timestamp_millis() + 999) / 1000 - 1;
        let at = |p: &Partition| {
            let end = p.records.len() as i64 - unknown;
            let plain = wanted.clamp(p.first, end);
            match p.rewritten {
                Some((from, at)) if from <= plain && time.timestamp_millis() <= at => from.max(p.first),
                Some((from, _)) if from <= plain => end,
                _ => plain,
            }
        };
        topics.0[topic].iter().map(at).collect()
    }

    fn read_now(
        &self,
        permit: &Permit,
        ranges: &[Range],
        max_bytes: usize,
    ) -> Result<Vec<LogRecord>, Refusal> {
        if *self.unaware.lock() {
            return Err(broken());
        }
        let topics = self.topics.lock();
        let Some(partitions) = topics.0.get(permit.topic()) else { return Err(broken()) };
        let (mut records, mut bytes) = (Vec::new(), 0);
        for range in ranges {
            if *self.closed.lock() == Some(range.partition) {
                return Err(broken());
            }
            let partition = &partitions[range.partition as usize];
            let first = partition.first + *self.ahead.lock();
            if range.from < first {
                let expired = Refusal::new(Code::PositionExpired, "位置已过期", "the position has expired");
                return Err(expired.with("first", vec![vec![i64::from(range.partition), first]]));
            }
            let damaged = partition.damaged.filter(|(from, until)| *from < range.to && range.from < *until);
            if let Some((from, until)) = damaged {
                return Err(broken().with("damaged", vec![from, until]));
            }
            let end = partition.records.len() as i64 - *self.parted.lock();
            for offset in range.from..range.to.min(end) {
                if records.len() == permit.most() || (bytes >= max_bytes && !records.is_empty()) {
                    return Ok(records);
                }
                let (key, value) =
                    partition.records[offset as usize].clone().expect("nobody reads what is dead");
                bytes += value.as_ref().map_or(0, Bytes::len);
                let rewritten = partition.rewritten.filter(|(from, _)| *from <= offset);
                let appended_ms = rewritten.map_or(1_000 * (offset + 1), |(_, at)| at);
                records.push(LogRecord { partition: range.partition, offset, appended_ms, key, value });
            }
        }
        Ok(records)
    }
}

fn broken() -> Refusal {
    Refusal::new(Code::BrokerUnavailable, "日志服务不可用", "the broker does not answer")
}

#[async_trait]
impl Log for MemoryLog {
    fn engine(&self) -> &'static str {
        "memory"
    }

    async fn make_topic(&self, spec: &TopicSpec, wanted_before: bool) -> Result<(), Refusal> {
        let mut topics = self.topics.lock();
        let fresh = vec![Partition::default(); spec.partitions as usize];
        match topics.0.get(&spec.name) {
            None => drop(topics.0.insert(spec.name.clone(), fresh)),
            Some(found) if wanted_before && found.iter().all(|p| p.records.is_empty()) => {}
            Some(_) => return Err(Refusal::new(Code::TopicExists, "主题已存在", "the topic exists")),
        }
        Ok(())
    }

    async fn append(&self, permit: Permit, entries: Vec<Entry>) -> Result<Vec<i64>, AppendError> {
        assert!(entries.len() <= permit.most());
        let fault = self.faults.lock().pop_front();
        let mut placed = Vec::new();
        {
            let mut topics = self.topics.lock();
            let Some(partitions) = topics.0.get_mut(permit.topic()) else { return Err(broken().into()) };
            let lands = if let Some(LogFault::Breaks(lands)) = fault { lands } else { entries.len() };
            for entry in entries.into_iter().take(lands) {
                let partition = &mut partitions[entry.partition as usize];
                placed.push((entry.partition, partition.records.len() as i64));
                partition.records.push(Some((entry.key, entry.value)));
            }
        }
        *self.appends.lock() += 1;
        let _ = self.hold.subscribe().wait_for(|held| !held).await;
        match fault {
            Some(LogFault::Breaks(_)) => Err(AppendError { refusal: broken(), landed: placed }),
            // As librdkafka does that numbers a request from a base offset of −1.
            Some(LogFault::Misreports) => Ok((-1..).take(placed.len()).collect()),
            None => Ok(placed.into_iter().map(|(_, offset)| offset).collect()),
        }
    }

    async fn read(
        &self,
        permit: Permit,
        ranges: &[Range],
        max_bytes: usize,
    ) -> Result<Vec<LogRecord>, Refusal> {
        *self.reads.lock() += 1;
        let meanwhile = self.meanwhile.lock().take();
        if let Some(meanwhile) = meanwhile {
            meanwhile();
        }
        let asked: std::collections::BTreeSet<i32> = ranges.iter().map(|range| range.partition).collect();
        assert_eq!(asked.len(), ranges.len(), "one range of each partition");
        let read = self.read_now(&permit, ranges, max_bytes);
        if read.is_err() {
            self.pass();
        }
        read
    }

    async fn extents(&self, names: &[TopicName]) -> Result<BTreeMap<TopicName, Vec<Extent>>, Refusal> {
        if *self.mute.lock() || *self.unaware.lock() {
            return Ok(BTreeMap::new());
        }
        let topics = self.topics.lock();
        let (unknown, gone) = (*self.parted.lock(), *self.ahead.lock());
        let extent = |p: &Partition| Extent { first: p.first + gone, end: p.records.len() as i64 - unknown };
        let found = names.iter().filter_map(|name| topics.0.get_key_value(name));
        Ok(found.map(|(name, parts)| (name.clone(), parts.iter().map(extent).collect())).collect())
    }

    async fn topics(&self, prefix: &str) -> Result<Vec<String>, Refusal> {
        let topics = self.topics.lock();
        let names = topics.0.keys().map(|name| name.as_str().to_owned());
        Ok(names.filter(|name| name.starts_with(prefix)).collect())
    }

    async fn answers(&self) -> Result<(), Refusal> {
        Ok(())
    }

    async fn has_topic(&self, name: &TopicName) -> Result<bool, Refusal> {
        if let Some(asked) = &mut *self.away.lock() {
            *asked += 1;
            return Err(broken());
        }
        let there = self.topics.lock().0.contains_key(name) && !*self.unaware.lock();
        if !there {
            self.pass();
        }
        Ok(there)
    }

    /// Once whoever is asked first has said whether it knows of the topic.
    async fn widest(&self, topic: &TopicName) -> Result<Vec<Extent>, Refusal> {
        *self.rounds.lock() += 1;
        let _ = self.hold_rounds.subscribe().wait_for(|held| !held).await;
        self.has_topic(topic).await?;
        let topics = self.topics.lock();
        let extent = |p: &Partition| Extent { first: p.first, end: p.records.len() as i64 };
        Ok(topics.0.get(topic).map(|parts| parts.iter().map(extent).collect()).unwrap_or_default())
    }

    async fn farthest_at(&self, topic: &TopicName, time: Time) -> Result<Vec<i64>, Refusal> {
        let there = self.topics.lock().0.contains_key(topic);
        Ok(if there { self.first_since(topic, time, 0) } else { Vec::new() })
    }

    async fn offsets_at(&self, topic: &TopicName, time: Time) -> Result<Vec<i64>, Refusal> {
        let _ = self.hold_times.subscribe().wait_for(|held| !held).await;
        {
            let mut deaf = self.deaf.lock();
            if *deaf > 0 {
                *deaf -= 1;
                return Err(broken());
            }
        }
        Ok(self.first_since(topic, time, *self.parted.lock()))
    }

    async fn expire(&self) -> Result<u64, Refusal> {
        Ok(0)
    }

    async fn close(&self, _: Duration) {}
}
