//! Records set aside (protocol.md 2): their bytes lie in the quarantine topic and are shown
//! to their owner alone.

use bytes::Bytes;
use changtong_catalog::account::Caller;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::grant::decide;
use changtong_catalog::ids::{QuarantineId, TopicName};
use changtong_catalog::ports::ResourceStanding;

use super::calls::{Format, Original, SetAside};
use super::permit::{Permit, PermitKind};
use super::{Gate, refusals};
use crate::avro::{BadRecord, container};
use crate::log::{LogRecord, Range};

/// The first byte of a stored original says how it is written.
const LINE: u8 = b'J';
const ARRAY: u8 = b'A';
const CSV: u8 = b'C';
const CONTAINER: u8 = b'O';
/// Bytes that the heads of one body's bad records may take, as each becomes a file of its own.
const MOST_HEADS: u64 = 16 << 20;

/// Bytes by which so many records, each behind the head, are longer than they came.
pub(super) fn beside(head: &Bytes, records: usize) -> Result<u64, Refusal> {
    let bytes = head.len() as u64 * records as u64;
    if bytes <= MOST_HEADS {
        return Ok(bytes);
    }
    Err(Refusal::new(
        Code::BatchTooLarge,
        format!("{records} 条记录不符合模式,每条须连同文件的模式一并隔离;请分批发送"),
        format!("{records} records do not fit, and each is set aside together with the file's schema; send it in parts"),
    )
    .with("limit", MOST_HEADS)
    .with("actual", bytes))
}

/// The key in the log of a record set aside: whose bytes they are. A topic that was lost may begin anew, and another
/// record then lies at its offset.
pub(super) fn mark(id: QuarantineId) -> Bytes {
    Bytes::copy_from_slice(id.0.as_bytes())
}

/// What is stored of a bad record: how it is written, and its bytes, readable alone.
pub(super) fn wrap(format: Format, head: &Bytes, record: &BadRecord) -> Bytes {
    let mut stored = Vec::with_capacity(head.len() + record.raw.len() + 32);
    match format {
        Format::Ndjson => stored.push(LINE),
        // An element of an array may hold line breaks, so it stays in an array of its own.
        Format::JsonArray => stored.extend_from_slice(&[ARRAY, b'[']),
        Format::Csv => stored.push(CSV),
        Format::Avro => {
            stored.push(CONTAINER);
            container::alone(head, &record.raw, &mut stored);
            return stored.into();
        }
    }
    stored.extend_from_slice(&record.raw);
    if format == Format::JsonArray {
        stored.push(b']');
    }
    stored.into()
}

/// Whether it is the one that was set aside, as far as can be told: earlier ones bear no mark.
fn is_of(record: &LogRecord, aside: &SetAside) -> bool {
    let mark = aside.marked.then(|| mark(aside.id));
    (record.partition, record.offset) == (aside.partition, aside.offset) && record.key == mark
}

fn unwrap(stored: &Bytes) -> Option<Original> {
    let format = match *stored.first()? {
        LINE => Format::Ndjson,
        ARRAY => Format::JsonArray,
        CSV => Format::Csv,
        CONTAINER => Format::Avro,
        _ => return None,
    };
    Some(Original { format, bytes: stored.slice(1..) })
}

impl Gate {
    /// The bytes of a record set aside, for its owner.
    pub async fn original(&self, caller: &Caller, aside: &SetAside) -> Result<Original, Refusal> {
        let standing = self.aside_standing(caller, aside).await?;
        let resource = &standing.resource;
        let topic = TopicName::quarantine(&self.settings.topic_prefix, resource.number);
        if self.has_lost(&topic, aside).await? {
            let gone = self.lacks(&topic, aside.partition, aside.offset).await?;
            return Err(if gone { refusals::gone() } else { refusals::log_silent(&topic) });
        }
        let deadline = self.settings.append_deadline;
        let (number, generation) = (resource.number, resource.generation);
        let permit = Permit::mint(PermitKind::Steward, topic.clone(), number, generation, 1, deadline);
        let range = Range { partition: aside.partition, from: aside.offset, to: aside.offset + 1 };
        let records = match self.log.read(permit, &[range], 1).await {
            Err(refusal) if refusal.code == Code::PositionExpired => Vec::new(),
            read => read?,
        };
        if records.is_empty() && !self.lacks(&topic, aside.partition, aside.offset).await? {
            return Err(refusals::log_silent(&topic));
        }
        let found = records.iter().find(|record| is_of(record, aside));
        found.and_then(|record| unwrap(record.value.as_ref()?)).ok_or_else(refusals::gone)
    }

    /// Whether one answer of the log says that nothing lies there: no such topic, or none of its records. A read of what is
    /// gone would wait for it.
    async fn has_lost(&self, topic: &TopicName, aside: &SetAside) -> Result<bool, Refusal> {
        if !self.log.has_topic(topic).await? {
            return Ok(true);
        }
        let extents = self.log.extents(std::slice::from_ref(topic)).await?;
        let part = usize::try_from(aside.partition).ok();
        let extent = extents.get(topic).zip(part).and_then(|(extents, part)| extents.get(part));
        Ok(extent.is_some_and(|extent| !(extent.first..extent.end).contains(&aside.offset)))
    }

    pub(super) async fn aside_standing(
        &self,
        caller: &Caller,
        aside: &SetAside,
    ) -> Result<ResourceStanding, Refusal> {
        self.admit()?;
        let standing =
            self.directory.resource_by_number(aside.resource).await?.ok_or_else(refusals::no_resource)?;
        decide::steward(caller, &standing.resource).check()?;
        Ok(standing)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::tests::world::aside;
    use super::*;

    #[test]
    fn what_bears_another_mark_is_another() {
        let [one, other] = [1, 2].map(|id| QuarantineId(Uuid::from_u128(id)));
        let value = Some(Bytes::from_static(b"J{}"));
        let record = |key| LogRecord { partition: 0, offset: 7, appended_ms: 0, key, value: value.clone() };
        let (marked, earlier) = (aside(one, 7), SetAside { marked: false, ..aside(one, 7) });
        let of = [Some(mark(one)), Some(mark(other)), None].map(record);
        assert_eq!(of.each_ref().map(|record| is_of(record, &marked)), [true, false, false]);
        assert_eq!(of.each_ref().map(|record| is_of(record, &earlier)), [false, false, true]);
        assert!(!is_of(&of[0], &aside(one, 8)));
    }
}
