//! Records set aside (protocol.md 2): their bytes lie in the quarantine topic and are shown
//! to their owner alone.

use bytes::Bytes;
use changtong_catalog::account::Caller;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::grant::decide;
use changtong_catalog::ports::ResourceStanding;

use super::calls::{Format, Original, SetAside};
use super::permit::{Permit, PermitKind};
use super::{Gate, refusals};
use crate::avro::{BadRecord, container};
use crate::log::Range;

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
        let topic = self.quarantine_topic(&standing).await?;
        let resource = &standing.resource;
        let deadline = self.settings.append_deadline;
        let permit =
            Permit::mint(PermitKind::Steward, topic, resource.number, resource.generation, 1, deadline);
        let range = Range { partition: aside.partition, from: aside.offset, to: aside.offset + 1 };
        let read = self.log.read(permit, &[range], 1).await;
        let records = match read {
            Err(refusal) if refusal.code == Code::PositionExpired => return Err(refusals::gone()),
            read => read?,
        };
        let found = records.iter().find(|r| (r.partition, r.offset) == (aside.partition, aside.offset));
        found.and_then(|record| unwrap(record.value.as_ref()?)).ok_or_else(refusals::gone)
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
