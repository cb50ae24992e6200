//! Publish (protocol.md 3): decide, check, append, commit, answer.

use std::sync::Arc;

use bytes::Bytes;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::grant::decide;
use changtong_catalog::ids::{BatchId, QuarantineId};
use changtong_catalog::ports::{Attempt, Claim, QuarantinedRecord, Receipt, ResourceStanding};
use serde_json::{Value, json};

use super::budget::Held;
use super::calls::{OnInvalid, Publish};
use super::claims::{self, Running};
use super::replay::Looked;
use super::{Gate, quarantine, refusals};
use crate::avro::{self, BadRecord, BodyLimits, Checked, Format, Problem};
use crate::events::{AttemptDied, PublishRefused, Published};
use crate::limit::Cost;
use crate::log::Entry;

/// Bad records that a refusal lists.
const LISTED: usize = 100;
/// A body longer than this is read on a thread of its own, so that others' work goes on.
const LONG_BODY: usize = 32 << 10;

/// A record set aside that is published again.
pub(super) struct Replayed {
    pub id: QuarantineId,
    /// The one claim of every replay of it.
    pub claim: Claim,
    /// What must hold no newer record of its key.
    pub looked: Option<Looked>,
}

impl Gate {
    /// Publishes a body. Goes on if the caller leaves, so that an appended batch gets its verdict.
    pub async fn publish(self: &Arc<Self>, publish: Publish) -> Result<Receipt, Refusal> {
        self.publish_under(publish, None).await
    }

    /// `replay`: the record set aside that is published again, and the claim in the place of the caller's own.
    pub(super) async fn publish_under(
        self: &Arc<Self>,
        publish: Publish,
        replay: Option<Replayed>,
    ) -> Result<Receipt, Refusal> {
        let gate = self.clone();
        let publishing = async move {
            let began = gate.clock.monotonic();
            let bytes = publish.body.bytes.len() as u64;
            let mut refused = 0;
            let outcome = gate.decide_publish(publish, replay, &mut refused).await;
            match &outcome {
                Ok((standing, receipt)) => Published {
                    resource: standing.resource.number,
                    batch: receipt.batch,
                    accepted: receipt.accepted.unsigned_abs(),
                    quarantined: receipt.quarantined.unsigned_abs(),
                    bytes,
                    replayed: receipt.replayed,
                    took: gate.clock.monotonic().saturating_sub(began),
                }
                .emit(&gate.metrics),
                Err(refusal) => PublishRefused { refusal, records: refused }.emit(&gate.metrics),
            }
            outcome.map(|(_, receipt)| receipt)
        };
        tokio::spawn(self.directory.publishing(Box::pin(publishing))).await.map_err(|_| refusals::fault())?
    }

    /// Everything that is judged before a record is looked at.
    async fn decide_publish(
        &self,
        publish: Publish,
        replay: Option<Replayed>,
        refused: &mut u64,
    ) -> Result<(ResourceStanding, Receipt), Refusal> {
        self.admit()?;
        let standing = self.directory.resource(&publish.resource).await?.ok_or_else(refusals::no_resource)?;
        decide::publish(&publish.caller, &standing.resource).check()?;
        let number = standing.resource.number;
        let _publishing = self.pauses.publish(number)?;
        let bytes = publish.body.bytes.len() as u64;
        self.take_publish(&publish, &standing, Cost { requests: 1, records: 0, bytes })?;
        let (claim, replays) = match replay {
            None => (claims::of_publish(&publish, number)?, None),
            Some(replay) => (Some(replay.claim), Some((replay.id, replay.looked))),
        };
        let _running: Option<Running> = claim.as_ref().map(|claim| self.claims.begin(claim)).transpose()?;
        if let Some(claim) = &claim
            && let Some(stored) = self.ledger.stored_receipt(claim, standing.resource.generation).await?
        {
            return Ok((standing, Receipt { replayed: true, ..stored }));
        }
        if let Some(step) = &publish.source {
            claims::check_source(step)?;
            let stored = self.ledger.source(number, &step.connector).await?;
            let position = match &stored {
                Some((account, _)) if *account != publish.caller.account => {
                    return Err(refusals::source_foreign());
                }
                Some((_, position)) => position,
                None => "-",
            };
            if position != step.from {
                return Err(refusals::source_moved(position));
            }
        }
        let receipt = self.publish_records(publish, &standing, (claim, replays), refused).await?;
        Ok((standing, receipt))
    }

    async fn publish_records(
        &self,
        publish: Publish,
        standing: &ResourceStanding,
        (claim, replays): (Option<Claim>, Option<(QuarantineId, Option<Looked>)>),
        refused: &mut u64,
    ) -> Result<Receipt, Refusal> {
        let batch = BatchId(self.ids.uuid(self.clock.now()));
        let known = self.topics.known(standing).or_else(|| standing.topic.clone());
        let mut partitions = known.map_or(self.settings.partitions, |topic| topic.partitions);
        let (mut body, mut _encoded) = self.read_body(&publish, standing, partitions, batch).await?;
        *refused = (body.records.len() + body.bad.len()) as u64;
        if *refused == 0 {
            return Err(refusals::no_records());
        }
        if !body.bad.is_empty() && publish.on_invalid == OnInvalid::Reject {
            return Err(invalid(&body.bad));
        }
        self.take_publish(&publish, standing, Cost { records: *refused, ..Cost::default() })?;
        let topic = self.topic(standing).await?;
        if topic.partitions != partitions {
            // Wanted under another setting than today's: the records lie elsewhere.
            partitions = topic.partitions;
            (body, _encoded) = self.read_body(&publish, standing, partitions, batch).await?;
        }
        let expected = self.committer.expect();
        let quarantined = self.set_aside(standing, publish.format, &body.head, body.bad).await?;
        let accepted = body.records.len();
        let entries: Vec<Entry> = body
            .records
            .into_iter()
            .map(|record| Entry { partition: record.partition, key: record.key, value: record.value })
            .collect();
        let bytes: usize = entries.iter().map(size).sum();
        let key = entries.first().and_then(|entry| entry.key.clone());
        let runs =
            if entries.is_empty() { Vec::new() } else { self.append_records(&topic, batch, entries).await? };
        if let Some((_, Some(looked))) = &replays {
            self.stays_newest(&topic, batch, looked, key, &runs).await?;
        }
        let schema = standing.value_schema().ok_or_else(refusals::fault)?;
        let attempt = Attempt {
            batch,
            caller: publish.caller,
            resource: standing.resource.number,
            generation: standing.resource.generation,
            schema: schema.id,
            fingerprint: schema.fingerprint.clone(),
            accepted: count(accepted),
            bytes: count(bytes),
            runs,
            quarantined,
            claim,
            source: publish.source,
            replays: replays.map(|(id, _)| id),
        };
        let resource = attempt.resource;
        self.committer.attempt(attempt, expected).await.inspect_err(|refusal| {
            AttemptDied { resource, batch, refusal }.emit(&self.metrics);
        })
    }

    /// The records, and their share of the budget.
    pub(super) async fn read_body(
        &self,
        publish: &Publish,
        standing: &ResourceStanding,
        partitions: i32,
        batch: BatchId,
    ) -> Result<(avro::Body, Held), Refusal> {
        let plan = self.plans.plan(standing, partitions)?;
        let limits = BodyLimits {
            records: self.settings.batch_records,
            record_bytes: self.settings.record_bytes,
            decompressed: self.settings.decompressed,
            ratio: self.settings.ratio,
        };
        let (format, bytes) = (publish.format, publish.body.bytes.clone());
        // The encoded records are about as large as the body, inflated, and stand beside it.
        let mut held = self.budget.take(bytes.len() as u64)?;
        let read = move || {
            let body = avro::read_body(&plan, format, &bytes, &limits, batch, &mut |more| held.grow(more))?;
            held.grow(beside(&body) as u64)?;
            Ok((body, held))
        };
        // A container file that came small may be a hundred times larger.
        if publish.body.bytes.len() <= LONG_BODY && format != Format::Avro {
            return read();
        }
        tokio::task::spawn_blocking(read).await.map_err(|_| refusals::fault())?
    }

    /// Appends what does not fit to the quarantine topic; what the commit does not name there doesn't exist.
    async fn set_aside(
        &self,
        standing: &ResourceStanding,
        format: Format,
        head: &Bytes,
        bad: Vec<BadRecord>,
    ) -> Result<Vec<QuarantinedRecord>, Refusal> {
        if bad.is_empty() {
            return Ok(Vec::new());
        }
        let _heads = self.budget.take(quarantine::beside(head, bad.len())?)?;
        let topic = self.quarantine_topic(standing).await?;
        let now = self.clock.now();
        let ids: Vec<QuarantineId> = bad.iter().map(|_| QuarantineId(self.ids.uuid(now))).collect();
        let entry = |(id, record)| Entry {
            partition: 0,
            key: Some(quarantine::mark(id)),
            value: Some(quarantine::wrap(format, head, record)),
        };
        let entries = ids.iter().copied().zip(&bad).map(entry);
        let (number, generation) = (standing.resource.number, standing.resource.generation);
        let offsets = match self.append(&topic, number, generation, entries.collect()).await {
            Ok(offsets) if offsets.len() == bad.len() => offsets,
            Ok(_) => return Err(refusals::fault()),
            Err(error) => {
                self.forget_if_gone(number, &topic).await;
                return Err(error.refusal);
            }
        };
        let placed = ids.into_iter().zip(bad).zip(offsets);
        Ok(placed.map(|((id, record), offset)| index_row(id, record, offset)).collect())
    }

    fn take_publish(
        &self,
        publish: &Publish,
        standing: &ResourceStanding,
        cost: Cost,
    ) -> Result<(), Refusal> {
        let [bus, agency, account, key] = self.caller_levels(&publish.caller);
        self.limiter.take(&[bus, agency, account, key, self.resource_level(standing.resource.number)], cost)
    }
}

/// What holds the records, which may weigh more than they do: as they were read and on their way to the log, and what is
/// wrong with those that do not fit.
fn beside(body: &avro::Body) -> usize {
    let wrong = |bad: &BadRecord| size_of::<BadRecord>() + bad.problems.len() * size_of::<Problem>();
    body.records.len() * (size_of::<Checked>() + size_of::<Entry>())
        + body.bad.iter().map(wrong).sum::<usize>()
}

fn index_row(id: QuarantineId, record: BadRecord, offset: i64) -> QuarantinedRecord {
    let first = record.problems.into_iter().next();
    let text = first.as_ref().map(|problem| problem.reason.text());
    let (reason_zh, reason_en) = text.map(|text| (text.zh, text.en)).unwrap_or_default();
    QuarantinedRecord {
        id,
        partition: 0,
        offset,
        code: Code::RecordsInvalid,
        path: first.map(|problem| problem.path).unwrap_or_default(),
        reason_zh,
        reason_en,
    }
}

/// The first bad records with what is wrong where, and how many there are.
fn invalid(bad: &[BadRecord]) -> Refusal {
    let listed: Vec<Value> = bad
        .iter()
        .flat_map(|record| record.problems.iter().map(move |problem| (record.index, problem)))
        .take(LISTED)
        .map(|(index, problem)| {
            let text = problem.reason.text();
            json!({
                "index": index,
                "path": problem.path,
                "reason": { "zh": text.zh, "en": text.en },
                "reason_code": problem.reason.as_str(),
            })
        })
        .collect();
    let total = bad.len();
    Refusal::new(
        Code::RecordsInvalid,
        format!("{total} 条记录不符合模式,整批未发布;见 invalid,或用 on_invalid=quarantine 隔离它们"),
        format!(
            "{total} {} the schema and nothing was published; see `invalid`, or set such records aside with \
             on_invalid=quarantine",
            if total == 1 { "record does not fit" } else { "records do not fit" }
        ),
    )
    .with("invalid", listed)
    .with("invalid_total", total)
}

fn size(entry: &Entry) -> usize {
    entry.key.as_ref().map_or(0, |key| key.len()) + entry.value.as_ref().map_or(0, |value| value.len())
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
