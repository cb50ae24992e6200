//! Batches of the copy: appended one after the other, each awaited before the next, so that the order of the merge is
//! the order of their append times.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use changtong_catalog::audit::Batch;
use changtong_catalog::error::Refusal;
use changtong_catalog::generation::{CopiedBatch, Merge};
use changtong_catalog::ids::{BatchId, SchemaId};
use changtong_catalog::partition;
use changtong_catalog::ports::{ResourceStanding, Topic};
use changtong_catalog::visibility::{Gather, MOST_RUNS};

use super::super::permit::{Permit, PermitKind};
use super::super::{Gate, refusals};
use crate::fault;
use crate::log::{Entry, LogRecord};

/// The most records and bytes of a batch.
const RECORDS: usize = 4096;
const BYTES: usize = 2 << 20;
/// A batch that did not come through is appended again: what landed of it never counts.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Target<'g> {
    gate: &'g Gate,
    standing: &'g ResourceStanding,
    to: &'g Topic,
    batch: Growing,
    fingerprints: BTreeMap<SchemaId, String>,
    done: Vec<CopiedBatch>,
    begins: Vec<i64>,
    records: i64,
}

/// The batch that is being filled.
struct Growing {
    id: BatchId,
    /// `None` while it holds deletes alone.
    schema: Option<SchemaId>,
    /// Old partition and offset of each entry.
    from: Vec<(usize, i64)>,
    entries: Vec<Entry>,
    partitions: BTreeSet<i32>,
    bytes: usize,
}

impl Growing {
    fn new(id: BatchId) -> Self {
        let (from, entries) = (Vec::new(), Vec::new());
        Self { id, schema: None, from, entries, partitions: BTreeSet::new(), bytes: 0 }
    }

    fn has_room(&self, entry: &Entry, schema: Option<SchemaId>) -> bool {
        let one_schema = schema.is_none() || self.schema.is_none() || self.schema == schema;
        let few_runs = self.partitions.contains(&entry.partition) || self.partitions.len() < MOST_RUNS;
        self.entries.len() < RECORDS && self.bytes + entry.size() <= BYTES && one_schema && few_runs
    }
}

impl<'g> Target<'g> {
    pub(super) fn new(gate: &'g Gate, standing: &'g ResourceStanding, to: &'g Topic) -> Self {
        Self {
            gate,
            standing,
            to,
            batch: Growing::new(fresh(gate)),
            fingerprints: BTreeMap::new(),
            done: Vec::new(),
            begins: vec![0; usize::try_from(to.partitions).unwrap_or(0)],
            records: 0,
        }
    }

    pub(super) async fn put(&mut self, record: LogRecord, merge: &mut Merge) -> Result<(), Refusal> {
        let schema =
            record.value.as_ref().map(|value| schema_of(value).ok_or_else(refusals::fault)).transpose()?;
        let from = (usize::try_from(record.partition).map_err(|_| refusals::fault())?, record.offset);
        let mut entry = Entry { partition: 0, key: record.key, value: record.value };
        entry.partition = self.partition_of(&entry);
        if !self.batch.entries.is_empty() && !self.batch.has_room(&entry, schema) {
            self.flush(merge).await?;
            entry.partition = self.partition_of(&entry);
        }
        let batch = &mut self.batch;
        batch.schema = batch.schema.or(schema);
        batch.bytes += entry.size();
        batch.partitions.insert(entry.partition);
        batch.from.push(from);
        batch.entries.push(entry);
        Ok(())
    }

    /// What was copied, and per partition where it ends.
    pub(super) async fn finish(
        mut self,
        merge: &mut Merge,
    ) -> Result<(Vec<CopiedBatch>, Vec<i64>, i64), Refusal> {
        if !self.batch.entries.is_empty() {
            self.flush(merge).await?;
        }
        Ok((self.done, self.begins, self.records))
    }

    fn partition_of(&self, entry: &Entry) -> i32 {
        match &entry.key {
            Some(key) => partition::of_key(key, self.to.partitions),
            None => partition::of_batch(self.batch.id, self.to.partitions),
        }
    }

    async fn flush(&mut self, merge: &mut Merge) -> Result<(), Refusal> {
        let batch = std::mem::replace(&mut self.batch, Growing::new(fresh(self.gate)));
        let current = self.standing.value_schema().ok_or_else(refusals::fault)?.id;
        let schema = batch.schema.unwrap_or(current);
        let fingerprint = self.fingerprint(schema).await?;
        let offsets = self.append(&batch.entries).await?;
        fault::point(fault::COPIED);
        let mut gather = Gather::default();
        for ((from, entry), offset) in batch.from.iter().zip(&batch.entries).zip(&offsets) {
            let to = usize::try_from(entry.partition).map_err(|_| refusals::fault())?;
            gather.push(entry.partition, *offset);
            merge.copied(*from, (to, *offset));
            if let Some(end) = self.begins.get_mut(to) {
                *end = offset + 1;
            }
        }
        let n = i64::try_from(offsets.len()).map_err(|_| refusals::fault())?;
        let batch = Batch { id: batch.id, runs: gather.finish()?, n };
        self.records += n;
        self.done.push(CopiedBatch { schema, fingerprint, batch });
        Ok(())
    }

    /// The offsets that every record truly got, behind all that was copied before.
    async fn append(&self, entries: &[Entry]) -> Result<Vec<i64>, Refusal> {
        for attempt in 1.. {
            self.gate.admit()?;
            let (name, deadline) = (self.to.name.clone(), self.gate.settings.append_deadline);
            let (number, generation) = (self.to.resource, self.to.generation);
            let permit = Permit::mint(PermitKind::Copy, name, number, generation, entries.len(), deadline);
            match self.gate.log.append(permit, entries.to_vec()).await {
                Ok(offsets) if self.is_behind(entries, &offsets) => return Ok(offsets),
                Err(error) if attempt >= TRIES || !error.refusal.code.retryable() => {
                    return Err(error.refusal);
                }
                Ok(_) if attempt >= TRIES => return Err(refusals::log_silent(&self.to.name)),
                Ok(_) | Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
        Err(refusals::fault())
    }

    fn is_behind(&self, entries: &[Entry], offsets: &[i64]) -> bool {
        let mut ends = self.begins.clone();
        entries.len() == offsets.len()
            && entries.iter().zip(offsets).all(|(entry, offset)| {
                let end = usize::try_from(entry.partition).ok().and_then(|at| ends.get_mut(at));
                end.is_some_and(|end| *offset >= std::mem::replace(end, offset + 1))
            })
    }

    async fn fingerprint(&mut self, schema: SchemaId) -> Result<String, Refusal> {
        if let Some(known) = self.fingerprints.get(&schema) {
            return Ok(known.clone());
        }
        let found = self.gate.directory.schema(schema).await?.ok_or_else(refusals::fault)?;
        self.fingerprints.insert(schema, found.fingerprint.clone());
        Ok(found.fingerprint)
    }
}

fn fresh(gate: &Gate) -> BatchId {
    BatchId(gate.ids.uuid(gate.clock.now()))
}

/// The schema that a framed value names.
pub(in crate::gate) fn schema_of(value: &Bytes) -> Option<SchemaId> {
    let (frame, _) = value.split_first_chunk::<5>()?;
    let [0, id @ ..] = frame else { return None };
    Some(SchemaId(i32::from_be_bytes(*id)))
}
