//! What was read lately, shared by the readers near the end of a topic: the first of them reads the log, the others
//! find its records here. Readers farther behind read the log themselves. Little is kept, and not for long: how long a
//! record may be read is for the log to say.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use changtong_catalog::error::Refusal;
use changtong_catalog::ids::TopicName;
use parking_lot::Mutex;
use tokio::time::{Instant, timeout};

use super::{Log, LogRecord, Range, refusals};
use crate::events::LogRead;
use crate::gate::Permit;
use crate::metrics::Metrics;

/// Who has at most so many records before it stands near the end.
const NEAR: i64 = 8192;
/// How long a record is kept.
const KEPT: Duration = Duration::from_secs(10);
/// Bytes kept of one topic, and of all.
const TOPIC: usize = 4 << 20;
const ALL: usize = 64 << 20;

pub struct Tail {
    log: Arc<dyn Log>,
    metrics: Arc<Metrics>,
    topics: Mutex<HashMap<TopicName, Arc<TopicTail>>>,
}

#[derive(Default)]
struct TopicTail {
    kept: Mutex<Kept>,
    /// Held by the one that reads the log for the others.
    reading: tokio::sync::Mutex<()>,
}

/// Per partition, in the order of offsets, with gaps where nothing visible lies.
#[derive(Default)]
struct Kept {
    partitions: BTreeMap<i32, VecDeque<(Instant, LogRecord)>>,
    bytes: usize,
}

/// What is here of the ranges asked for.
#[derive(Debug, PartialEq, Eq)]
enum Here {
    Found(Vec<LogRecord>),
    /// It lies beyond what is kept, so others will ask for it too.
    Beyond,
    /// It lies before what is kept.
    Before,
}

impl Tail {
    #[must_use]
    pub fn new(log: Arc<dyn Log>, metrics: Arc<Metrics>) -> Self {
        Self { log, metrics, topics: Mutex::default() }
    }

    /// As `Log::read`.
    pub async fn read(
        &self,
        permit: Permit,
        ranges: &[Range],
        max_bytes: usize,
    ) -> Result<Vec<LogRecord>, Refusal> {
        refusals::check_read(&permit, ranges)?;
        let before: i64 = ranges.iter().map(|range| range.to - range.from).sum();
        if before > NEAR {
            return self.read_log(permit, ranges, max_bytes).await;
        }
        let topic = self.topics.lock().entry(permit.topic().clone()).or_default().clone();
        let here = |permit: &Permit| topic.kept.lock().find(Instant::now(), ranges, permit.most(), max_bytes);
        match here(&permit) {
            Here::Found(records) => return Ok(self.shared(records)),
            Here::Before => return self.read_log(permit, ranges, max_bytes).await,
            Here::Beyond => {}
        }
        let turn = timeout(permit.deadline(), topic.reading.lock()).await;
        let _turn = turn.map_err(|_| refusals::timed_out(permit.topic()))?;
        if let Here::Found(records) = here(&permit) {
            return Ok(self.shared(records));
        }
        let records = self.read_log(permit, ranges, max_bytes).await?;
        topic.kept.lock().keep(Instant::now(), &records);
        Ok(records)
    }

    /// Drops what was kept long enough; every second.
    pub fn sweep(&self) {
        let now = Instant::now();
        let mut topics = self.topics.lock();
        let mut all = 0;
        for topic in topics.values() {
            let mut kept = topic.kept.lock();
            kept.drop_older(now);
            all += kept.bytes;
        }
        let all_too_much = all > ALL;
        topics.retain(|_, topic| {
            let idle = Arc::strong_count(topic) == 1;
            !(idle && (all_too_much || topic.kept.lock().bytes == 0))
        });
    }

    fn shared(&self, records: Vec<LogRecord>) -> Vec<LogRecord> {
        LogRead { shared: true }.emit(&self.metrics);
        records
    }

    async fn read_log(
        &self,
        permit: Permit,
        ranges: &[Range],
        max_bytes: usize,
    ) -> Result<Vec<LogRecord>, Refusal> {
        LogRead { shared: false }.emit(&self.metrics);
        self.log.read(permit, ranges, max_bytes).await
    }
}

impl Kept {
    fn find(&self, now: Instant, ranges: &[Range], most: usize, max_bytes: usize) -> Here {
        let (mut found, mut bytes) = (Vec::new(), 0);
        for range in ranges.iter().filter(|range| range.from < range.to) {
            let Some(records) = self.partitions.get(&range.partition) else { return Here::Beyond };
            let at = records.partition_point(|(_, record)| record.offset < range.from);
            let mut next = range.from;
            for (read, record) in records.range(at..) {
                if record.offset != next || next == range.to || *read + KEPT < now {
                    break;
                }
                if found.len() == most || (bytes >= max_bytes && !found.is_empty()) {
                    return Here::Found(found);
                }
                bytes += size(record);
                next += 1;
                found.push(record.clone());
            }
            if next == range.from {
                let before = records.front().is_some_and(|(_, first)| range.from < first.offset);
                return if before { Here::Before } else { Here::Beyond };
            }
        }
        Here::Found(found)
    }

    /// Copies, as a record that is read may hold its whole batch in memory.
    fn keep(&mut self, now: Instant, records: &[LogRecord]) {
        for record in records {
            let partition = self.partitions.entry(record.partition).or_default();
            if partition.back().is_none_or(|(_, last)| last.offset < record.offset) {
                let copy = |bytes: &Bytes| Bytes::copy_from_slice(bytes);
                let (key, value) = (record.key.as_ref().map(copy), record.value.as_ref().map(copy));
                self.bytes += size(record);
                partition.push_back((now, LogRecord { key, value, ..record.clone() }));
            }
        }
        self.drop_older(now);
        while self.bytes > TOPIC {
            let oldest =
                self.partitions.iter().filter_map(|(at, records)| Some((records.front()?.0, *at))).min();
            let Some((_, partition)) = oldest else { break };
            self.pop(partition);
        }
    }

    fn drop_older(&mut self, now: Instant) {
        let partitions: Vec<i32> = self.partitions.keys().copied().collect();
        for partition in partitions {
            while self.partitions[&partition].front().is_some_and(|(read, _)| *read + KEPT < now) {
                self.pop(partition);
            }
        }
    }

    fn pop(&mut self, partition: i32) {
        let popped = self.partitions.get_mut(&partition).and_then(VecDeque::pop_front);
        self.bytes -= popped.map_or(0, |(_, record)| size(&record));
    }
}

fn size(record: &LogRecord) -> usize {
    // What holds it weighs as well.
    const HOLD: usize = 128;
    HOLD + record.key.as_ref().map_or(0, Bytes::len) + record.value.as_ref().map_or(0, Bytes::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(partition: i32, offset: i64) -> LogRecord {
        let value = Some(Bytes::from(vec![7; 100]));
        LogRecord { partition, offset, appended_ms: offset, key: None, value }
    }

    fn range(partition: i32, from: i64, to: i64) -> Range {
        Range { partition, from, to }
    }

    fn kept(now: Instant, offsets: &[i64]) -> Kept {
        let mut kept = Kept::default();
        kept.keep(now, &offsets.iter().map(|offset| record(0, *offset)).collect::<Vec<_>>());
        kept
    }

    fn offsets(here: Here) -> Vec<i64> {
        let Here::Found(records) = here else { panic!("{here:?}") };
        records.iter().map(|record| record.offset).collect()
    }

    #[test]
    fn what_is_found_has_no_gap_and_no_end_beyond_what_was_asked() {
        let now = Instant::now();
        let mut kept = kept(now, &[5, 6, 7, 9, 10]);
        kept.keep(now, &[record(0, 7), record(0, 8), record(0, 11)]);
        assert_eq!(offsets(kept.find(now, &[range(0, 5, 7)], 99, 9999)), [5, 6]);
        assert_eq!(
            offsets(kept.find(now, &[range(0, 6, 99)], 99, 9999)),
            [6, 7],
            "8 came too late to be kept"
        );
        assert_eq!(offsets(kept.find(now, &[range(0, 9, 99)], 2, 9999)), [9, 10]);
        assert_eq!(offsets(kept.find(now, &[range(0, 9, 99)], 99, 1)), [9], "one at least");
        assert_eq!(kept.find(now, &[range(0, 4, 99)], 99, 9999), Here::Before);
        assert_eq!(kept.find(now, &[range(0, 8, 9)], 99, 9999), Here::Beyond);
        assert_eq!(kept.find(now, &[range(0, 5, 7), range(1, 0, 1)], 99, 9999), Here::Beyond, "all or none");
    }

    #[test]
    fn nothing_stays_for_long_and_not_too_much() {
        let now = Instant::now();
        let mut kept = kept(now, &[0, 1]);
        let later = now + KEPT + Duration::from_millis(1);
        assert_eq!(kept.find(later, &[range(0, 0, 2)], 99, 9999), Here::Beyond);
        kept.keep(later, &[record(0, 2)]);
        assert_eq!(kept.bytes, size(&record(0, 2)));
        let many: Vec<_> = (3..60_000).map(|offset| record(0, offset)).collect();
        kept.keep(later, &many);
        assert!(kept.bytes <= TOPIC && kept.bytes > TOPIC / 2, "{}", kept.bytes);
        assert_eq!(offsets(kept.find(later, &[range(0, 59_998, 60_000)], 99, 9999)), [59_998, 59_999]);
    }
}
