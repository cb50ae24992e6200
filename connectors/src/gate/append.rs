//! The middle of a publish: records into the log, and what their acknowledgements say (protocol.md 3, step 2).

use std::collections::BTreeSet;

use changtong_catalog::error::Refusal;
use changtong_catalog::ids::{BatchId, Generation, ResourceNumber, TopicName};
use changtong_catalog::ports::{DeadRuns, Topic};
use changtong_catalog::visibility::{Clash, Gather, Misreport, PartitionView, Run};

use super::permit::{Permit, PermitKind};
use super::{Gate, refusals};
use crate::commit::{Partitions, key_of};
use crate::events::{Appended, AttemptDied, LogRolledBack};
use crate::fault;
use crate::log::{AppendError, Entry};

impl Gate {
    /// Appends a batch; answers its runs once they may ask to count. What died is recorded as dead, as far as its
    /// true offsets are known.
    pub(super) async fn append_records(
        &self,
        topic: &Topic,
        batch: BatchId,
        entries: Vec<Entry>,
    ) -> Result<Vec<Run>, Refusal> {
        let before = self.committer.load(topic).await?;
        let partitions: Vec<i32> = entries.iter().map(|entry| entry.partition).collect();
        self.topics.touch(topic, self.clock.monotonic());
        let appended = self.append(&topic.name, topic.resource, topic.generation, entries).await;
        self.topics.touch(topic, self.clock.monotonic());
        let judged = match appended {
            Ok(offsets) => self.judge(topic, &before, &partitions, &offsets).await,
            Err(error) => Err(Died { refusal: error.refusal, runs: landed(error.landed) }),
        };
        judged.map_err(|died| {
            AttemptDied { resource: topic.resource, batch, refusal: &died.refusal }.emit(&self.metrics);
            if !died.runs.is_empty() {
                let (resource, generation) = key_of(topic);
                self.committer.dead(DeadRuns { resource, generation, runs: died.runs });
            }
            died.refusal
        })
    }

    /// One append under a publish permit.
    pub(super) async fn append(
        &self,
        topic: &TopicName,
        resource: ResourceNumber,
        generation: Generation,
        entries: Vec<Entry>,
    ) -> Result<Vec<i64>, AppendError> {
        if let Err(refusal) = self.admit() {
            return Err(AppendError { refusal, landed: Vec::new() });
        }
        let (most, deadline) = (entries.len(), self.settings.append_deadline);
        let permit = Permit::mint(PermitKind::Publish, topic.clone(), resource, generation, most, deadline);
        let began = self.clock.monotonic();
        let appended = self.log.append(permit, entries).await;
        Appended { took: self.clock.monotonic().saturating_sub(began) }.emit(&self.metrics);
        fault::point(fault::APPENDED);
        appended
    }

    /// From acknowledged offsets to runs that may ask to count, or why the attempt is dead.
    async fn judge(
        &self,
        topic: &Topic,
        before: &Partitions,
        partitions: &[i32],
        offsets: &[i64],
    ) -> Result<Vec<Run>, Died> {
        let mut gather = Gather::default();
        let whole = partitions.len() == offsets.len();
        partitions.iter().zip(offsets).for_each(|(partition, offset)| gather.push(*partition, *offset));
        let runs = match gather.finish() {
            Ok(runs) if whole => runs,
            Ok(_) => return Err(Misreport::False.into()),
            Err(misreport) => return Err(misreport.into()),
        };
        if runs.iter().any(|run| view(before, run).is_none_or(|view| run.first < view.known_end())) {
            // Offsets that were known before this append began: the log gave them out a second time.
            let stopped = self.stop_rolled_back(topic).await;
            stopped.map_err(|refusal| Died { refusal, runs: Vec::new() })?;
            return Err(Died { refusal: refusals::log_rolled_back(), runs: Vec::new() });
        }
        let now = self.committer.views().get(key_of(topic)).unwrap_or_else(|| before.clone());
        let clash = runs.iter().find_map(|run| view(&now, run)?.admit(run.first, run.last).err());
        match clash {
            None => Ok(runs),
            Some(Clash::Settled) => Err(Died { refusal: refusals::too_late(), runs: Vec::new() }),
            Some(Clash::Covered) => Err(Died { refusal: refusals::too_late(), runs }),
        }
    }

    /// The log lost acknowledged records: the resource stops, in the store and with an alarm.
    pub(super) async fn stop_rolled_back(&self, topic: &Topic) -> Result<(), Refusal> {
        LogRolledBack { resource: topic.resource }.emit(&self.metrics);
        self.ledger.log_rolled_back(topic.resource, topic.generation).await
    }
}

/// An attempt that is dead, with true offsets to be recorded.
struct Died {
    refusal: Refusal,
    runs: Vec<Run>,
}

impl From<Misreport> for Died {
    fn from(misreport: Misreport) -> Self {
        let runs = match &misreport {
            Misreport::False => Vec::new(),
            Misreport::Scattered(runs) => runs.clone(),
        };
        Self { refusal: misreport.into(), runs }
    }
}

fn view<'a>(views: &'a Partitions, run: &Run) -> Option<&'a PartitionView> {
    views.get(usize::try_from(run.partition).ok()?)
}

/// Runs of the records of a failed append that truly landed.
fn landed(offsets: Vec<(i32, i64)>) -> Vec<Run> {
    let mut gather = Gather::default();
    let offsets: BTreeSet<_> = offsets.into_iter().filter(|(_, offset)| *offset >= 0).collect();
    offsets.into_iter().for_each(|(partition, offset)| gather.push(partition, offset));
    match gather.finish() {
        Ok(runs) | Err(Misreport::Scattered(runs)) => runs,
        Err(Misreport::False) => Vec::new(),
    }
}
