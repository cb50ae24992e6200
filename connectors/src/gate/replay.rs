//! A record set aside, published after all: as it came or corrected. A table that has a newer record of the key is asked
//! about first: what was set aside is older than what would be overwritten.

use std::sync::Arc;

use changtong_catalog::account::Caller;
use changtong_catalog::clock::{Time, rfc3339};
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::BatchId;
use changtong_catalog::ports::{Receipt, ResourceStanding, Topic};
use changtong_catalog::resource::Kind;
use chrono::DateTime;

use super::calls::{Body, OnInvalid, Publish, Replay, SetAside};
use super::deliver::{READ, RECORDS};
use super::permit::{Permit, PermitKind};
use super::publish::Replayed;
use super::{Gate, claims, refusals};
use crate::avro::{Checked, Format};
use crate::log::{LogRecord, Range};

/// Records that are looked through for a newer one; a table that took more since is asked about too.
const MOST_LOOKED_THROUGH: usize = 1_000_000;

/// What stands in the way of a replay.
enum Newer {
    Nothing,
    Record(LogRecord),
    /// So many records came since that nobody looked through them all.
    Unknown,
}

impl Gate {
    /// Publishes a record set aside again: once, however often and by whomever of its agency it is asked: its index row
    /// is decided in the commit of the batch.
    pub async fn replay(self: &Arc<Self>, replay: Replay) -> Result<Receipt, Refusal> {
        let Replay { caller, aside, corrected, overwrite } = replay;
        let standing = self.aside_standing(&caller, &aside).await?;
        let (format, body) = match corrected {
            Some(corrected) => corrected,
            None => self.as_it_came(&caller, &aside).await?,
        };
        let publish = Publish {
            caller,
            resource: standing.resource.code.clone(),
            format,
            on_invalid: OnInvalid::Reject,
            body,
            idempotency_key: None,
            source: None,
        };
        let claim = claims::of_replay(&publish, &aside);
        match self.ledger.stored_receipt(&claim, standing.resource.generation).await {
            Ok(Some(before)) => return Ok(Receipt { replayed: true, ..before }),
            Ok(None) if aside.waiting => {}
            Err(refusal) if refusal.code != Code::IdempotencyKeyReused => return Err(refusal),
            _ => return Err(refusals::not_waiting()),
        }
        self.check_replay(&publish, &standing, aside.published_at, overwrite).await?;
        self.publish_under(publish, Some(Replayed { id: aside.id, claim })).await
    }

    async fn as_it_came(&self, caller: &Caller, aside: &SetAside) -> Result<(Format, Body), Refusal> {
        let original = self.original(caller, aside).await?;
        let held = self.budget.take(original.bytes.len() as u64)?;
        Ok((original.format, Body { bytes: original.bytes, held }))
    }

    /// One record, and no newer one of its key. What does not fit the schema is left to the publish to refuse.
    async fn check_replay(
        &self,
        publish: &Publish,
        standing: &ResourceStanding,
        since: Time,
        overwrite: bool,
    ) -> Result<(), Refusal> {
        let known = self.topics.known(standing).or_else(|| standing.topic.clone());
        let partitions = known.as_ref().map_or(self.settings.partitions, |topic| topic.partitions);
        let batch = BatchId(self.ids.uuid(self.clock.now()));
        let (body, _held) = self.read_body(publish, standing, partitions, batch).await?;
        if body.records.len() + body.bad.len() != 1 {
            return Err(one_record(body.records.len() + body.bad.len()));
        }
        let (Some(topic), [record]) = (known, body.records.as_slice()) else { return Ok(()) };
        if overwrite || standing.resource.file.kind != Kind::Table {
            return Ok(());
        }
        match self.newer(standing, &topic, record, since).await? {
            Newer::Nothing => Ok(()),
            Newer::Record(newer) => Err(newer_record(standing, &newer)),
            Newer::Unknown => Err(perhaps_newer()),
        }
    }

    /// The last visible record of the key appended since, looked for in the key's partition.
    async fn newer(
        &self,
        standing: &ResourceStanding,
        topic: &Topic,
        record: &Checked,
        since: Time,
    ) -> Result<Newer, Refusal> {
        let part = usize::try_from(record.partition).map_err(|_| refusals::fault())?;
        let views = self.committer.load(topic).await?;
        let begins = self.log.offsets_at(&topic.name, since).await?;
        let (Some(view), Some(begin)) = (views.get(part), begins.get(part)) else {
            return Err(refusals::fault());
        };
        let _held = self.budget.take(READ as u64)?;
        let (number, generation) = (standing.resource.number, standing.resource.generation);
        let (mut next, mut looked_through, mut newer) = (*begin, 0, Newer::Nothing);
        while let Some(visible) = view.visible(next, i64::MAX).next() {
            let deadline = self.settings.append_deadline;
            let permit =
                Permit::mint(PermitKind::Steward, topic.name.clone(), number, generation, RECORDS, deadline);
            let range = Range { partition: record.partition, from: visible.start, to: visible.end };
            let read = self.log.read(permit, &[range], READ).await?;
            let Some(last) = read.last() else { break };
            (next, looked_through) = (last.offset + 1, looked_through + read.len());
            if let Some(found) = read.into_iter().rfind(|other| other.key == record.key) {
                newer = Newer::Record(found);
            }
            if looked_through >= MOST_LOOKED_THROUGH {
                return Ok(if matches!(newer, Newer::Nothing) { Newer::Unknown } else { newer });
            }
        }
        Ok(newer)
    }
}

fn one_record(found: usize) -> Refusal {
    Refusal::new(
        Code::Invalid,
        format!("重放只收一条更正后的记录,请求体中有 {found} 条"),
        format!("a replay takes the one corrected record; the body has {found}"),
    )
    .with("records", found)
}

fn newer_record(standing: &ResourceStanding, newer: &LogRecord) -> Refusal {
    let id = format!("{}.{}.{}", standing.resource.generation, newer.partition, newer.offset);
    let at = DateTime::from_timestamp_millis(newer.appended_ms).map(rfc3339).unwrap_or_default();
    Refusal::new(
        Code::NewerRecord,
        format!(
            "该主键已有更新的记录 {id}({at} 发布),晚于这条隔离记录;若仍要以它覆盖,请加 overwrite=true(命令行 --force)"
        ),
        format!(
            "the table has a newer record of this key, {id}, published at {at}, after this one was set aside; \
             overwrite=true (--force) publishes it all the same"
        ),
    )
    .with("record", id)
    .with("published_at", at)
}

fn perhaps_newer() -> Refusal {
    Refusal::new(
        Code::NewerRecord,
        "隔离之后发布的记录过多,未能逐条查看该主键是否已有更新的记录;若确定要发布,请加 overwrite=true(命令行 --force)",
        "so many records were published since that it was not looked whether one of them is of this key; \
         overwrite=true (--force) publishes it all the same",
    )
}
