//! What the log answers when it does not do as asked, the same on both engines.

use std::time::Duration;

use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::TopicName;
use serde_json::Value;

use super::{AppendError, Entry, RECORD_MAX, Range};
use crate::gate::{Permit, PermitKind};

const RETRY: Duration = Duration::from_secs(2);

pub(super) fn unavailable(zh: impl Into<String>, en: impl Into<String>) -> Refusal {
    Refusal::new(Code::BrokerUnavailable, zh, en).retry_after(RETRY)
}

pub(super) fn timed_out(topic: &TopicName) -> Refusal {
    unavailable(
        format!("日志未在时限内答复(主题 {topic}),请稍后重试"),
        format!("the log did not answer for topic {topic} in time; try again later"),
    )
}

pub(super) fn unknown_topic(topic: &TopicName) -> Refusal {
    unavailable(
        format!("日志中没有主题 {topic}:请检查日志文件或 Kafka 集群是否被更换"),
        format!("the log has no topic {topic}: check whether its file or the Kafka cluster was replaced"),
    )
}

pub(super) fn unknown_partition(topic: &TopicName, partition: i32) -> Refusal {
    Refusal::new(
        Code::Internal,
        format!("主题 {topic} 没有分区 {partition}"),
        format!("topic {topic} has no partition {partition}"),
    )
}

pub(super) fn behind_the_end(topic: &TopicName, partition: i32, from: i64, end: i64) -> Refusal {
    unavailable(
        format!("主题 {topic} 分区 {partition} 止于 {end},读取位置 {from} 在其后"),
        format!("topic {topic}, partition {partition} ends at {end}, before the position {from} asked for"),
    )
}

pub(super) fn topic_exists(topic: &TopicName) -> Refusal {
    Refusal::new(
        Code::TopicExists,
        format!("主题 {topic} 已存在,且不是本系统刚建的空主题:请更换主题前缀,或由管理员查明后处理"),
        format!(
            "topic {topic} exists and is not an empty one of ours: choose another prefix, or have it looked into"
        ),
    )
}

pub(super) fn shutting_down() -> Refusal {
    Refusal::new(Code::ShuttingDown, "服务正在停止,请稍后重试", "the service is stopping; try again later")
        .retry_after(RETRY)
}

/// Positions before the first kept records; `firsts` holds partition and first kept offset.
pub(super) fn position_expired(topic: &TopicName, firsts: &[(i32, i64)]) -> Refusal {
    let listed = firsts.iter().map(|(partition, first)| Value::from(vec![i64::from(*partition), *first]));
    Refusal::new(
        Code::PositionExpired,
        format!("读取位置早于主题 {topic} 中仍保留的第一条记录"),
        format!("the position is before the first record that topic {topic} still keeps"),
    )
    .with("first", listed.collect::<Vec<_>>())
}

/// Offsets `[from, until)` that a log can't give any more; the records on both sides may be whole.
pub(super) fn damaged(place: &str, from: i64, until: i64) -> Refusal {
    unavailable(
        format!("日志 {place} 已损坏:第 {from} 至 {until} 条(不含)不是写入时的内容"),
        format!("the log {place} is damaged: offsets {from} to {until} are not what was written"),
    )
    .with("damaged", vec![from, until])
}

/// The offsets that a refusal of the log says are damaged.
#[must_use]
pub fn damaged_offsets(refusal: &Refusal) -> Option<(i64, i64)> {
    let damaged = refusal.extra.get("damaged")?;
    Some((damaged.get(0)?.as_i64()?, damaged.get(1)?.as_i64()?))
}

/// What a `PositionExpired` of the log says: partition and first kept offset of each range that begins before it.
#[must_use]
pub fn expired_firsts(refusal: &Refusal) -> Vec<(i32, i64)> {
    let pair = |listed: &Value| {
        let partition = i32::try_from(listed.get(0)?.as_i64()?).ok()?;
        Some((partition, listed.get(1)?.as_i64()?))
    };
    let listed = refusal.extra.get("first").and_then(Value::as_array);
    listed.map(|all| all.iter().filter_map(pair).collect()).unwrap_or_default()
}

impl From<Refusal> for AppendError {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, landed: Vec::new() }
    }
}

/// Holds an append to its permit and to the limits of both engines.
pub(super) fn check_append(permit: &Permit, entries: &[Entry]) -> Result<(), Refusal> {
    let appends = matches!(permit.kind(), PermitKind::Publish | PermitKind::Copy);
    if !appends || entries.len() > permit.most() {
        return Err(outside_permit(permit, entries.len()));
    }
    for (index, entry) in entries.iter().enumerate() {
        let bytes = entry.size();
        if bytes > RECORD_MAX {
            return Err(too_large(index, bytes));
        }
    }
    Ok(())
}

/// Holds a read to its permit, and to one range of each partition: of two, one would be read out of its turn.
pub(super) fn check_read(permit: &Permit, ranges: &[Range]) -> Result<(), Refusal> {
    if permit.kind() == PermitKind::Publish {
        return Err(outside_permit(permit, 0));
    }
    let mut partitions: Vec<i32> = ranges.iter().map(|range| range.partition).collect();
    partitions.sort_unstable();
    match partitions.array_windows().find(|[a, b]| a == b) {
        Some([twice, _]) => Err(asked_twice(permit.topic(), *twice)),
        None => Ok(()),
    }
}

fn asked_twice(topic: &TopicName, partition: i32) -> Refusal {
    Refusal::new(
        Code::Internal,
        format!("一次读取对主题 {topic} 分区 {partition} 提了两个范围"),
        format!("one read asks for two ranges of topic {topic}, partition {partition}"),
    )
}

fn outside_permit(permit: &Permit, records: usize) -> Refusal {
    Refusal::new(
        Code::Internal,
        format!("许可({:?},至多 {} 条)不允许此操作({records} 条)", permit.kind(), permit.most()),
        format!(
            "the permit ({:?}, at most {}) does not cover this ({records})",
            permit.kind(),
            permit.most()
        ),
    )
}

fn too_large(index: usize, bytes: usize) -> Refusal {
    Refusal::new(
        Code::RecordTooLarge,
        format!("第 {index} 条记录的键与值共 {bytes} 字节,超过上限 {RECORD_MAX}"),
        format!("record {index} has {bytes} bytes of key and value, more than {RECORD_MAX}"),
    )
    .with("index", index)
    .with("limit", RECORD_MAX)
    .with("actual", bytes)
}
