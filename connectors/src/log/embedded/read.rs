//! Reading: rows found by their offsets, records cut out of them without copying.

use bytes::Bytes;
use changtong_catalog::clock::Time;
use changtong_catalog::ids::TopicName;
use futures::TryStreamExt;
use sqlx::sqlite::{SqliteConnection, SqlitePool};

use super::blob;
use super::state::TopicState;
use super::trouble::Trouble;
use crate::log::{LogRecord, Range};

/// What one range may still give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Budget {
    records: usize,
    bytes: usize,
}

/// Reads the ranges within `most` records and about `max_bytes`; a range with little leaves its share to the others.
pub(super) async fn ranges(
    pool: &SqlitePool,
    topic: &TopicState,
    mut ranges: Vec<Range>,
    most: usize,
    max_bytes: usize,
) -> Result<Vec<LogRecord>, Trouble> {
    let mut connection = pool.acquire().await?;
    ranges.sort_by_key(|range| range.to - range.from);
    let (mut records, mut bytes_left, mut left) = (Vec::new(), max_bytes, ranges.len());
    for range in ranges {
        let budget =
            Budget { records: (most - records.len()).div_ceil(left), bytes: bytes_left.div_ceil(left) };
        left -= 1;
        if budget.records == 0 || (budget.bytes == 0 && !records.is_empty()) {
            continue;
        }
        let used = range_of(&mut connection, topic.id, range, budget, &mut records).await?;
        bytes_left = bytes_left.saturating_sub(used);
    }
    Ok(records)
}

type StoredRow = (i64, i64, i64, i64, Vec<u8>);

async fn range_of(
    connection: &mut SqliteConnection,
    topic: i64,
    range: Range,
    budget: Budget,
    out: &mut Vec<LogRecord>,
) -> Result<usize, Trouble> {
    let mut rows = sqlx::query_as::<_, StoredRow>(
        "select first, last, appended_ms, crc, bytes from batch
         where topic = $1 and partition = $2 and last >= $3 and first < $4 order by last limit $5",
    )
    .bind(topic)
    .bind(range.partition)
    .bind(range.from)
    .bind(range.to)
    .bind(i64::try_from(budget.records).unwrap_or(i64::MAX))
    .fetch(connection);
    let (mut used, mut expected) = (0, range.from);
    let until = range.to.min(range.from.saturating_add(i64::try_from(budget.records).unwrap_or(i64::MAX)));
    while let Some((first, last, appended_ms, crc, bytes)) = rows.try_next().await? {
        // The offsets of the rows have no gap; a gap would hand out less than was written.
        if first > expected {
            return Err(lost(range, expected, first));
        }
        if i64::from(crc32fast::hash(&bytes)) != crc {
            return Err(lost(range, expected, last + 1));
        }
        let mut bytes = Bytes::from(bytes);
        for offset in first..=last {
            let (key, value) = blob::next(&mut bytes).ok_or_else(|| lost(range, expected, last + 1))?;
            if offset < expected {
                continue;
            }
            let size = key.as_ref().map_or(0, Bytes::len) + value.as_ref().map_or(0, Bytes::len);
            if offset == until || (used + size > budget.bytes && offset > range.from) {
                return Ok(used);
            }
            used += size;
            out.push(LogRecord { partition: range.partition, offset, appended_ms, key, value });
            expected = offset + 1;
        }
    }
    if expected < until {
        return Err(lost(range, expected, until));
    }
    Ok(used)
}

fn lost(range: Range, from: i64, until: i64) -> Trouble {
    Trouble::Lost { partition: range.partition, from, until }
}

pub(super) async fn offsets_at(
    pool: &SqlitePool,
    name: &TopicName,
    topic: &TopicState,
    time: Time,
) -> Result<Vec<i64>, Trouble> {
    let mut connection = pool.acquire().await?;
    // Append times are whole milliseconds: at or after the time means at or after the next whole one.
    let at_ms = time.timestamp_millis() + i64::from(!time.timestamp_subsec_nanos().is_multiple_of(1_000_000));
    let mut offsets = Vec::with_capacity(topic.partitions.len());
    for number in 0..topic.partitions.len() {
        let found: Option<i64> = sqlx::query_scalar(
            "select first from batch where topic = $1 and partition = $2 and appended_ms >= $3
             order by appended_ms, first limit 1",
        )
        .bind(topic.id)
        .bind(number as i64)
        .bind(at_ms)
        .fetch_optional(&mut *connection)
        .await?;
        let state = topic.partition(name, number as i32)?;
        offsets.push(found.unwrap_or(state.end));
    }
    Ok(offsets)
}
