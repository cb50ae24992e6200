//! Records kept for a moment in memory, of one topic: what readers near its end ask for. Little is kept, and not for
//! long: how long a record may be read is for the log to say.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::{LogRecord, Range};

/// Who has at most so many records before it stands near the end.
const NEAR: i64 = 8192;
/// How long a record is kept.
const KEPT: Duration = Duration::from_secs(10);
/// Bytes kept of one topic, and of all.
const TOPIC: usize = 4 << 20;
pub(super) const ALL: usize = 64 << 20;

/// Per partition, in the order of offsets, with gaps where nothing visible lies.
#[derive(Debug, Default)]
pub(super) struct Kept {
    partitions: BTreeMap<i32, VecDeque<(Instant, LogRecord)>>,
    bytes: usize,
}

/// What is here of the ranges asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Here {
    Found(Vec<LogRecord>),
    /// It lies beyond what is kept, so others will ask for it too.
    Beyond,
    /// It lies before what is kept.
    Before,
}

/// Whether who asks for these stands near the end.
pub fn is_near(ranges: &[Range]) -> bool {
    ranges.iter().map(|range| range.to - range.from).sum::<i64>() <= NEAR
}

impl Kept {
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn find(&self, now: Instant, ranges: &[Range], most: usize, max_bytes: usize) -> Here {
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

    /// Copies, as a record may hold its whole batch in memory.
    pub fn keep(&mut self, now: Instant, records: &[LogRecord]) {
        for record in records {
            let partition = self.partitions.entry(record.partition).or_default();
            let at = partition.partition_point(|(_, other)| other.offset < record.offset);
            if partition.get(at).is_none_or(|(_, other)| other.offset != record.offset) {
                let copy = |bytes: &Bytes| Bytes::copy_from_slice(bytes);
                let (key, value) = (record.key.as_ref().map(copy), record.value.as_ref().map(copy));
                self.bytes += size(record);
                partition.insert(at, (now, LogRecord { key, value, ..record.clone() }));
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

    pub fn drop_older(&mut self, now: Instant) {
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
            [6, 7, 8, 9, 10, 11],
            "whatever came first"
        );
        assert_eq!(offsets(kept.find(now, &[range(0, 9, 99)], 2, 9999)), [9, 10]);
        assert_eq!(offsets(kept.find(now, &[range(0, 9, 99)], 99, 1)), [9], "one at least");
        assert_eq!(kept.find(now, &[range(0, 4, 99)], 99, 9999), Here::Before);
        assert_eq!(kept.find(now, &[range(0, 12, 13)], 99, 9999), Here::Beyond);
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
