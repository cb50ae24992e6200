//! Where a batch lies whose checksum does not fit: the client says that there is one, not which offsets it holds.

use std::time::Instant;

use changtong_catalog::error::Refusal;
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::types::RDKafkaErrorCode;

use super::consumer::Asked;
use super::reader::{BAD_AGAIN, POLL, Reader};
use crate::log::{Range, refusals};

/// What lies at an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum There {
    Record,
    /// Nothing that can be read, up to this offset or the log's end.
    NothingUntil(i64),
    /// A batch whose checksum does not fit, and nothing behind it in the same answer.
    BadBatch,
}

/// Which of the ranges begins with one, and up to where nothing of it can be read.
pub(super) fn named(reader: &mut Reader, asked: &Asked, deadline: Instant) -> Option<Refusal> {
    asked.ranges.iter().find_map(|range| {
        let (partition, from) = (range.partition, range.from);
        let until = match look(reader, partition, from, deadline).ok()? {
            There::Record => return None,
            There::NothingUntil(first) => first.min(range.to),
            There::BadBatch => {
                end_of(from, range.to, |offset| look(reader, partition, offset, deadline)).ok()?
            }
        };
        let place = format!("{}-{partition}", asked.topic);
        (from < until).then(|| refusals::damaged(&place, from, until))
    })
}

fn look(reader: &mut Reader, partition: i32, offset: i64, deadline: Instant) -> Result<There, Refusal> {
    let topic = reader.topic.clone();
    reader.assign(&topic, &[Range { partition, from: offset, to: offset + 1 }])?;
    let mut bad = 0;
    while Instant::now() < deadline && bad <= BAD_AGAIN {
        match reader.consumer.poll(POLL) {
            Some(Ok(message)) if message.offset() == offset => return Ok(There::Record),
            Some(Ok(message)) => return Ok(There::NothingUntil(message.offset())),
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(There::NothingUntil(offset)),
            Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::BadMessage))) => bad += 1,
            Some(Err(_)) | None => {}
        }
    }
    if bad > BAD_AGAIN { Ok(There::BadBatch) } else { Err(refusals::timed_out(&topic)) }
}

/// The first offset that can be read behind one that cannot, or `to`. What is whole between two bad batches far apart
/// may be taken for bad with them, where neither has a whole one in the same answer behind it.
fn end_of(
    mut bad: i64,
    to: i64,
    mut look: impl FnMut(i64) -> Result<There, Refusal>,
) -> Result<i64, Refusal> {
    let mut step = 1;
    let mut whole = loop {
        let next = bad.saturating_add(step);
        if next >= to {
            break to;
        }
        match look(next)? {
            There::Record => break next,
            There::NothingUntil(first) => return Ok(first.min(to)),
            There::BadBatch => bad = next,
        }
        step *= 2;
    };
    while whole - bad > 1 {
        let middle = bad + (whole - bad) / 2;
        match look(middle)? {
            There::Record => whole = middle,
            There::NothingUntil(first) => return Ok(first.min(whole)),
            There::BadBatch => bad = middle,
        }
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log with bad offsets `[3, until)`, of which an answer brings so many records.
    fn log(until: i64, answer: i64) -> impl FnMut(i64) -> Result<There, Refusal> {
        move |offset| {
            Ok(match offset {
                at if at >= until => There::Record,
                at if until - at < answer => There::NothingUntil(until),
                _ => There::BadBatch,
            })
        }
    }

    #[test]
    fn the_first_whole_record_behind_is_found() {
        for until in [4, 5, 6, 17, 1_000, 5_003] {
            for answer in [0, 1, 5, 700] {
                assert_eq!(end_of(3, 10_000, log(until, answer)).unwrap(), until, "{until}, {answer}");
            }
        }
    }

    #[test]
    fn nothing_is_told_beyond_what_was_asked_for() {
        let mut asked = 0;
        let found = end_of(3, 1_000_000, |_| {
            asked += 1;
            Ok(There::BadBatch)
        });
        assert_eq!(found.unwrap(), 1_000_000);
        assert!(asked < 60, "{asked}");
        assert_eq!(end_of(3, 4, log(9, 0)).unwrap(), 4);
    }
}
