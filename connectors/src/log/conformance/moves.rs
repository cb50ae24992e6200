//! Appending and reading.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use changtong_catalog::error::Code;
use chrono::DateTime;

use super::{DEADLINE, Engine, HOUR, append, entry, make, range, read_all, steward, topic_of};
use crate::gate::{Permit, PermitKind};
use crate::log::{Entry, Extent, Log, RECORD_MAX, TopicSpec, expired_firsts};

const MIB: usize = 1024 * 1024;

pub(crate) async fn offsets_are_contiguous_and_name_the_bytes<E: Engine>(engine: E) {
    let log = engine.log();
    let topic = make(&engine, 1, 3).await;
    let mut written = BTreeMap::new();
    for call in 0..5 {
        let entries: Vec<_> =
            (0..40).map(|i| entry(i * i % 3, &format!("k{i}"), &format!("v{call}.{i}"))).collect();
        let offsets = append(&*log, &topic, entries.clone()).await.unwrap();
        assert_eq!(offsets.len(), entries.len());
        for (entry, offset) in entries.into_iter().zip(offsets) {
            assert_eq!(written.insert((entry.partition, offset), entry), None, "an offset given twice");
        }
    }
    let extents = &log.extents(std::slice::from_ref(&topic)).await.unwrap()[&topic];
    assert_eq!(extents.len(), 3);
    assert_eq!(log.widest(&topic).await.unwrap(), *extents, "as all who are asked say");
    for (partition, extent) in (0..).zip(extents) {
        let offsets: Vec<_> = written.keys().filter(|(p, _)| *p == partition).map(|(_, o)| *o).collect();
        assert_eq!(offsets, (extent.first..extent.end).collect::<Vec<_>>());
        for record in read_all(&*log, &topic, &[range(partition, 0, extent.end)], 1000, MIB).await {
            let entry = &written[&(partition, record.offset)];
            assert_eq!((&record.key, &record.value), (&entry.key, &entry.value));
            assert!(record.appended_ms > 0);
        }
    }
    engine.stop().await;
}

pub(crate) async fn one_call_is_never_interleaved_with_another<E: Engine>(engine: E) {
    let topic = make(&engine, 1, 3).await;
    let callers = (0..12).map(|caller| {
        let (log, topic) = (engine.log(), topic.clone());
        tokio::spawn(async move {
            let mut all = Vec::new();
            for call in 0..10 {
                let entries = (0..60).map(|i| entry(i % 3, "k", &format!("{caller}.{call}.{i}"))).collect();
                let offsets = append(&*log, &topic, entries).await.unwrap();
                for partition in 0..3 {
                    let own: Vec<_> = offsets.iter().skip(partition).step_by(3).copied().collect();
                    // Each partition's records of one call are one closed run, in entry order.
                    assert_eq!(own, (own[0]..own[0] + 20).collect::<Vec<_>>());
                }
                all.extend(offsets.iter().enumerate().map(|(i, offset)| ((i % 3) as i32, *offset)));
            }
            all
        })
    });
    let mut given = Vec::new();
    for caller in futures::future::join_all(callers).await {
        given.extend(caller.unwrap());
    }
    given.sort_unstable();
    let expected: Vec<_> = (0..3).flat_map(|p| (0..2400).map(move |o| (p, o))).collect();
    assert_eq!(given, expected);
    engine.stop().await;
}

pub(crate) async fn empty_and_large_fields_come_back<E: Engine>(engine: E) {
    let log = engine.log();
    let topic = make(&engine, 1, 1).await;
    assert_eq!(append(&*log, &topic, Vec::new()).await, Ok(Vec::new()));
    let sizes =
        [(0, 0), (0, 1), (1, 0), (10, 127), (10, 128), (5, 20_000), (0, RECORD_MAX), (16, RECORD_MAX - 16)];
    let filled = |size: usize, seed: usize| {
        Some(Bytes::from((0..size).map(|i| (i * 31 + seed) as u8).collect::<Vec<_>>()))
    };
    let entries: Vec<_> = sizes
        .iter()
        .map(|(key, value)| Entry { partition: 0, key: filled(*key, 3), value: filled(*value, 5) })
        .collect();
    let offsets = append(&*log, &topic, entries.clone()).await.unwrap();
    assert_eq!(offsets, (0..8).collect::<Vec<_>>());
    let read = read_all(&*log, &topic, &[range(0, 0, 8)], 100, MIB).await;
    for (record, entry) in read.iter().zip(&entries) {
        assert_eq!((&record.key, &record.value), (&entry.key, &entry.value), "record {}", record.offset);
    }
    engine.stop().await;
}

pub(crate) async fn a_record_over_the_limit_is_refused_whole<E: Engine>(engine: E) {
    let log = engine.log();
    let topic = make(&engine, 1, 1).await;
    let large =
        Entry { partition: 0, key: Some(Bytes::from("k")), value: Some(Bytes::from(vec![1; RECORD_MAX])) };
    let refused = append(&*log, &topic, vec![entry(0, "a", "b"), large]).await.unwrap_err();
    assert_eq!((refused.refusal.code, refused.landed), (Code::RecordTooLarge, Vec::new()));
    assert_eq!(append(&*log, &topic, vec![entry(0, "a", "b")]).await, Ok(vec![0]));
    engine.stop().await;
}

pub(crate) async fn deletes_and_missing_keys_come_back<E: Engine>(engine: E) {
    let log = engine.log();
    let topic = make(&engine, 1, 2).await;
    let key = Some(Bytes::from("k"));
    let entries = vec![
        entry(0, "k", "v"),
        Entry { partition: 0, key: key.clone(), value: None },
        Entry { partition: 1, key: None, value: key.clone() },
        Entry { partition: 0, key, value: Some(Bytes::new()) },
    ];
    assert_eq!(append(&*log, &topic, entries.clone()).await, Ok(vec![0, 1, 0, 2]));
    let read = read_all(&*log, &topic, &[range(0, 0, 3), range(1, 0, 1)], 10, MIB).await;
    let of = |partition| -> Vec<_> {
        let records = read.iter().filter(|r| r.partition == partition);
        records.map(|r| (r.key.clone(), r.value.clone())).collect()
    };
    let put = |i: usize| (entries[i].key.clone(), entries[i].value.clone());
    assert_eq!((of(0), of(1)), (vec![put(0), put(1), put(3)], vec![put(2)]));
    engine.stop().await;
}

async fn filled(log: &dyn Log, topic: &changtong_catalog::ids::TopicName, partitions: i32, each: i32) {
    let entries =
        (0..partitions * each).map(|i| entry(i % partitions, "key", &format!("{i:0100}"))).collect();
    append(log, topic, entries).await.unwrap();
}

pub(crate) async fn reads_stop_at_the_range_and_at_the_end<E: Engine>(engine: E) {
    let log = engine.log();
    let topic = make(&engine, 1, 2).await;
    filled(&*log, &topic, 2, 50).await;
    let offsets = |read: Vec<crate::log::LogRecord>| -> Vec<(i32, i64)> {
        read.iter().map(|r| (r.partition, r.offset)).collect()
    };
    for (from, to) in [(0, 1), (7, 19), (49, 50), (3, 50)] {
        let read = read_all(&*log, &topic, &[range(1, from, to)], 1000, MIB).await;
        assert_eq!(offsets(read), (from..to).map(|o| (1, o)).collect::<Vec<_>>());
    }
    for (from, to) in [(5, 5), (50, 50), (50, 90), (50, 90)] {
        assert_eq!(log.read(steward(&topic, 9), &[range(0, from, to)], MIB).await, Ok(Vec::new()));
    }
    assert_eq!(log.read(steward(&topic, 9), &[], MIB).await, Ok(Vec::new()));
    let beyond = log.read(steward(&topic, 1000), &[range(0, 45, 90)], MIB).await.unwrap();
    assert_eq!(offsets(beyond), (45..50).map(|o| (0, o)).collect::<Vec<_>>());
    let behind = log.read(steward(&topic, 9), &[range(0, 51, 60)], MIB).await.unwrap_err();
    assert_eq!(behind.code, Code::BrokerUnavailable);
    let unknown = log.read(steward(&topic, 9), &[range(2, 0, 1)], MIB).await.unwrap_err();
    assert_eq!(unknown.code, Code::Internal);
    engine.stop().await;
}

pub(crate) async fn reads_respect_limits_and_always_progress<E: Engine>(engine: E) {
    let log = engine.log();
    let topic = make(&engine, 1, 2).await;
    filled(&*log, &topic, 2, 50).await;
    let ranges = [range(0, 0, 50), range(1, 10, 30)];
    for (most, max_bytes) in [(1, MIB), (7, MIB), (1000, 1), (1000, 500), (50, 2000)] {
        assert_eq!(read_all(&*log, &topic, &ranges, most, max_bytes).await.len(), 70);
    }
    let read = log.read(steward(&topic, 1000), &ranges, 1030).await.unwrap();
    let bytes: usize = read.iter().map(|r| r.value.as_ref().unwrap().len() + 3).sum();
    assert!((1..=1030 + 2 * 103).contains(&bytes), "{bytes} bytes where about 1030 were asked for");
    engine.stop().await;
}

pub(crate) async fn a_read_gives_every_partition_its_share<E: Engine>(engine: E) {
    let log = engine.log();
    let topic = make(&engine, 1, 3).await;
    filled(&*log, &topic, 3, 400).await;
    let mut next = [0_i64; 3];
    // However busy one partition is, the others are read too within a few reads.
    for _ in 0..8 {
        let ranges: Vec<_> = (0..3).map(|p| range(p, next[p as usize], 400)).collect();
        for record in log.read(steward(&topic, 30), &ranges, MIB).await.unwrap() {
            next[record.partition as usize] = record.offset + 1;
        }
    }
    assert!(next.iter().all(|n| *n > 0), "a partition was never read: {next:?}");
    engine.stop().await;
}

pub(crate) async fn a_permit_binds<E: Engine>(engine: E) {
    let log = engine.log();
    let topic = make(&engine, 1, 1).await;
    let publish = |most| Permit::for_test(PermitKind::Publish, topic.clone(), most, DEADLINE);
    let two = || vec![entry(0, "a", "b"), entry(0, "a", "c")];
    let refused = log.append(publish(1), two()).await.unwrap_err();
    assert_eq!((refused.refusal.code, refused.landed), (Code::Internal, Vec::new()));
    let refused = log.append(steward(&topic, 2), two()).await.unwrap_err();
    assert_eq!(refused.refusal.code, Code::Internal);
    assert_eq!(log.append(publish(2), two()).await, Ok(vec![0, 1]));
    let refused = log.read(publish(2), &[range(0, 0, 2)], MIB).await.unwrap_err();
    assert_eq!(refused.code, Code::Internal);
    let deliver = Permit::for_test(PermitKind::Deliver { grant_version: 1 }, topic.clone(), 2, DEADLINE);
    assert_eq!(log.read(deliver, &[range(0, 0, 2)], MIB).await.unwrap().len(), 2);
    let twice = log.read(steward(&topic, 2), &[range(0, 0, 1), range(0, 1, 2)], MIB).await.unwrap_err();
    assert_eq!(twice.code, Code::Internal);
    engine.stop().await;
}

pub(crate) async fn times_name_the_first_offset_at_or_after<E: Engine>(engine: E) {
    let log = engine.log();
    let topic = make(&engine, 1, 3).await;
    let both = |n: i32| (0..n).map(|i| entry(i % 2, "k", "v")).collect::<Vec<_>>();
    append(&*log, &topic, both(6)).await.unwrap();
    engine.pass_time().await;
    append(&*log, &topic, both(4)).await.unwrap();
    let read = read_all(&*log, &topic, &[range(0, 0, 5), range(1, 0, 5)], 10, MIB).await;
    let time_of = |partition, offset| {
        let record = read.iter().find(|r| r.partition == partition && r.offset == offset).unwrap();
        DateTime::from_timestamp_millis(record.appended_ms).unwrap()
    };
    for partition in [0, 1] {
        assert!((1..5).all(|o| time_of(partition, o - 1) <= time_of(partition, o)), "times that fall");
        assert!(time_of(partition, 2) < time_of(partition, 3), "the clock did not pass");
    }
    let second = time_of(0, 3).min(time_of(1, 3));
    let micros = chrono::TimeDelta::microseconds;
    assert_eq!(log.offsets_at(&topic, second).await, Ok(vec![3, 3, 0]));
    assert_eq!(log.offsets_at(&topic, time_of(0, 2).max(time_of(1, 2)) + micros(1)).await, Ok(vec![3, 3, 0]));
    assert_eq!(log.offsets_at(&topic, DateTime::UNIX_EPOCH).await, Ok(vec![0, 0, 0]));
    let last = time_of(0, 4).max(time_of(1, 4));
    assert_eq!(log.offsets_at(&topic, last + micros(1)).await, Ok(vec![5, 5, 0]));
    engine.stop().await;
}

pub(crate) async fn what_was_kept_is_there_after_a_restart<E: Engine>(mut engine: E) {
    let topic = make(&engine, 1, 3).await;
    filled(&*engine.log(), &topic, 3, 30).await;
    let ranges: Vec<_> = (0..3).map(|p| range(p, 0, 30)).collect();
    let sorted = |mut read: Vec<crate::log::LogRecord>| {
        read.sort_by_key(|r| (r.partition, r.offset));
        read
    };
    let before = sorted(read_all(&*engine.log(), &topic, &ranges, 1000, MIB).await);
    engine.restart().await;
    let log = engine.log();
    assert_eq!(sorted(read_all(&*log, &topic, &ranges, 1000, MIB).await), before);
    assert_eq!(append(&*log, &topic, vec![entry(1, "k", "v")]).await, Ok(vec![30]));
    engine.stop().await;
}

pub(crate) async fn forgotten_records_are_expired_positions<E: Engine>(mut engine: E) {
    let name = topic_of(&engine, 1);
    let spec = TopicSpec { name: name.clone(), partitions: 2, retention: Some(HOUR) };
    engine.log().make_topic(&spec, false).await.unwrap();
    filled(&*engine.log(), &name, 2, 10).await;
    engine.forget(&name).await;
    assert_eq!(append(&*engine.log(), &name, vec![entry(0, "k", "new")]).await, Ok(vec![10]));
    for restarted in [false, true] {
        if restarted {
            engine.restart().await;
        }
        let log: Arc<dyn Log> = engine.log();
        let extents = log.extents(std::slice::from_ref(&name)).await.unwrap();
        assert_eq!(extents[&name], [Extent { first: 10, end: 11 }, Extent { first: 10, end: 10 }]);
        let ranges = [range(0, 4, 11), range(1, 10, 11)];
        let expired = log.read(steward(&name, 10), &ranges, MIB).await.unwrap_err();
        assert_eq!((expired.code, expired_firsts(&expired)), (Code::PositionExpired, vec![(0, 10)]));
        assert_eq!(read_all(&*log, &name, &[range(0, 10, 11)], 10, MIB).await.len(), 1);
        assert_eq!(log.offsets_at(&name, DateTime::UNIX_EPOCH).await, Ok(vec![10, 10]));
    }
    assert_eq!(append(&*engine.log(), &name, vec![entry(1, "k", "v")]).await, Ok(vec![10]));
    engine.stop().await;
}

/// Prints what this machine does; run it alone with `--release … --nocapture` for figures.
pub(crate) async fn sixteen_writers_and_one_reader_lose_nothing<E: Engine>(engine: E) {
    let calls: i64 = if cfg!(debug_assertions) { 20 } else { 1000 };
    let topic = make(&engine, 1, 3).await;
    let value = "x".repeat(160);
    let started = Instant::now();
    let writers = (0..16).map(|_| {
        let (log, topic, value) = (engine.log(), topic.clone(), value.clone());
        tokio::spawn(async move {
            for _ in 0..calls {
                let entries = (0..100).map(|i| entry(i % 3, "0123456789", &value)).collect();
                append(&*log, &topic, entries).await.unwrap();
            }
        })
    });
    for writer in futures::future::join_all(writers).await {
        writer.unwrap();
    }
    let wrote = started.elapsed();
    let log = engine.log();
    let extents = log.extents(std::slice::from_ref(&topic)).await.unwrap();
    let ends: Vec<_> = extents[&topic].iter().map(|extent| extent.end).collect();
    assert_eq!(ends.iter().sum::<i64>(), 16 * calls * 100);
    let started = Instant::now();
    let ranges: Vec<_> = (0..).zip(&ends).map(|(partition, end)| range(partition, 0, *end)).collect();
    let read = read_all(&*log, &topic, &ranges, 20_000, 8 * MIB).await.len();
    assert_eq!(read as i64, 16 * calls * 100);
    let rate = |time: Duration| read as f64 / time.as_secs_f64();
    println!(
        "{}: {read} records, {:.0}/s appended, {:.0}/s read",
        log.engine(),
        rate(wrote),
        rate(started.elapsed())
    );
    engine.stop().await;
}
