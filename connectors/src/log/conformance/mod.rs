//! One suite for both engines: every case is one function over an `Engine`, stamped for each.

pub(crate) mod model;
pub(crate) mod moves;
pub(crate) mod topics;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use changtong_catalog::ids::{Generation, ResourceNumber, TopicName};

use super::{AppendError, Entry, Log, LogRecord, Range, TopicSpec};
use crate::gate::{Permit, PermitKind};

/// An engine under test, with what a test must be able to do to it beside the seam.
#[async_trait]
pub(crate) trait Engine: Send + Sync + Sized + 'static {
    /// Cases of a property test: a broker is slower than a file.
    const CASES: u32;

    /// `None` where the run goes without this engine and says so.
    async fn start() -> Option<Self>;
    fn log(&self) -> Arc<dyn Log>;
    /// Names are shared with nobody.
    fn prefix(&self) -> String;
    /// Closes the log and opens it again on what it kept.
    async fn restart(&mut self);
    /// Lets the log's clock pass a millisecond at least.
    async fn pass_time(&self);
    /// Makes retention remove all records that the topic (of `expiring_topic`) holds.
    async fn forget(&self, topic: &TopicName);
    async fn stop(self);
}

pub(crate) const DEADLINE: Duration = Duration::from_secs(10);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

macro_rules! stamp {
    ($engine:ty: $($module:ident::$case:ident),* $(,)?) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            if let Some(engine) = <$engine as crate::log::conformance::Engine>::start().await {
                crate::log::conformance::$module::$case(engine).await;
            }
        }
    )* };
}

/// Stamps every case for an engine.
macro_rules! conformance {
    ($engine:ty) => {
        crate::log::conformance::stamp! { $engine:
            moves::offsets_are_contiguous_and_name_the_bytes,
            moves::one_call_is_never_interleaved_with_another,
            moves::empty_and_large_fields_come_back,
            moves::a_record_over_the_limit_is_refused_whole,
            moves::deletes_and_missing_keys_come_back,
            moves::reads_stop_at_the_range_and_at_the_end,
            moves::reads_respect_limits_and_always_progress,
            moves::a_read_gives_every_partition_its_share,
            moves::a_permit_binds,
            moves::times_name_the_first_offset_at_or_after,
            moves::what_was_kept_is_there_after_a_restart,
            moves::forgotten_records_are_expired_positions,
            moves::sixteen_writers_and_one_reader_lose_nothing,
            topics::a_topic_is_made_once,
            topics::a_wanted_empty_topic_of_the_shape_is_ours,
            topics::what_is_not_there_is_left_out_or_refused,
            topics::it_answers_until_it_is_closed,
            topics::after_closing_nothing_is_taken,
            model::any_history_equals_the_model,
        }
    };
}
pub(crate) use {conformance, stamp};

pub(crate) fn topic_of<E: Engine>(engine: &E, number: i64) -> TopicName {
    TopicName::records(&engine.prefix(), ResourceNumber(number), Generation(1))
}

pub(crate) async fn make<E: Engine>(engine: &E, number: i64, partitions: i32) -> TopicName {
    let name = topic_of(engine, number);
    let spec = TopicSpec { name: name.clone(), partitions, retention: None };
    engine.log().make_topic(&spec, false).await.unwrap();
    name
}

pub(crate) fn entry(partition: i32, key: &str, value: &str) -> Entry {
    let bytes = |text: &str| Some(Bytes::copy_from_slice(text.as_bytes()));
    Entry { partition, key: bytes(key), value: bytes(value) }
}

pub(crate) async fn append(
    log: &dyn Log,
    topic: &TopicName,
    entries: Vec<Entry>,
) -> Result<Vec<i64>, AppendError> {
    let permit = Permit::for_test(PermitKind::Publish, topic.clone(), entries.len(), DEADLINE);
    log.append(permit, entries).await
}

pub(crate) fn steward(topic: &TopicName, most: usize) -> Permit {
    Permit::for_test(PermitKind::Steward, topic.clone(), most, DEADLINE)
}

pub(crate) fn range(partition: i32, from: i64, to: i64) -> Range {
    Range { partition, from, to }
}

/// Everything of the ranges, however many reads it takes; each read must bring something.
pub(crate) async fn read_all(
    log: &dyn Log,
    topic: &TopicName,
    ranges: &[Range],
    most: usize,
    max_bytes: usize,
) -> Vec<LogRecord> {
    let mut ranges = ranges.to_vec();
    let mut all: Vec<LogRecord> = Vec::new();
    loop {
        let read = log.read(steward(topic, most), &ranges, max_bytes).await.unwrap();
        assert!(read.len() <= most, "{} records where {most} were allowed", read.len());
        for record in &read {
            let range = ranges.iter_mut().find(|range| range.partition == record.partition).unwrap();
            assert_eq!(record.offset, range.from, "a gap in partition {}", record.partition);
            range.from += 1;
            assert!(range.from <= range.to, "a record behind the range");
        }
        all.extend(read.iter().cloned());
        ranges.retain(|range| range.from < range.to);
        if ranges.is_empty() {
            return all;
        }
        assert!(!read.is_empty(), "a read that brings nothing though {ranges:?} hold records");
    }
}
