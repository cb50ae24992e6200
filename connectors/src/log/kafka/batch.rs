//! Where the delivery reports of one append are collected. A report names its batch by number, so one that comes
//! after its append has given up finds nothing and touches nothing.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use rdkafka::types::RDKafkaErrorCode;
use tokio::sync::oneshot;

/// The low bits of a report's number are the record's index in its batch.
const INDEX_BITS: u32 = 24;
pub(super) const MOST: usize = 1 << INDEX_BITS;

/// Where a record came to lie, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    pub offset: i64,
    pub appended_ms: i64,
}

#[derive(Debug, Default)]
struct Slots {
    /// By record index; `None`: not reported, or reported without a true offset.
    placed: Vec<Option<Placed>>,
    reported: usize,
    /// How many were enqueued; `None` while enqueuing.
    enqueued: Option<usize>,
    /// The first failure.
    failure: Option<Failure>,
    done: Option<oneshot::Sender<()>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// The report is in error.
    Report(RDKafkaErrorCode),
    /// A report without error that names no true offset.
    NoOffset,
}

/// What became of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub placed: Vec<Option<Placed>>,
    pub failure: Option<Failure>,
}

#[derive(Debug, Default)]
pub(super) struct Batches {
    open: Mutex<Open>,
    /// The batch of the last report: reports come in long runs of one batch.
    last: Mutex<Option<(usize, Shared)>>,
}

type Shared = Arc<Mutex<Slots>>;

#[derive(Debug, Default)]
struct Open {
    /// Of the batch opened last.
    number: usize,
    slots: HashMap<usize, Shared>,
}

/// An open batch; dropped, its reports find nothing any more.
pub(super) struct Batch<'a> {
    batches: &'a Batches,
    number: usize,
    slots: Shared,
    done: Option<oneshot::Receiver<()>>,
}

impl Batches {
    pub(super) fn open(&self, records: usize) -> Batch<'_> {
        let (sender, receiver) = oneshot::channel();
        let slots = Slots { placed: vec![None; records], done: Some(sender), ..Slots::default() };
        let slots = Arc::new(Mutex::new(slots));
        let mut open = self.open.lock();
        open.number += 1;
        let number = open.number;
        open.slots.insert(number, Arc::clone(&slots));
        Batch { batches: self, number, slots, done: Some(receiver) }
    }

    /// A delivery report: the true offset, or why there is none.
    pub(super) fn report(&self, id: usize, result: Result<Placed, Failure>) {
        let (number, index) = (id >> INDEX_BITS, id & (MOST - 1));
        let mut last = self.last.lock();
        if last.as_ref().is_none_or(|(known, _)| *known != number) {
            *last = self.open.lock().slots.get(&number).map(|slots| (number, Arc::clone(slots)));
        }
        if let Some((_, slots)) = &*last {
            slots.lock().report(index, result);
        }
    }
}

impl Slots {
    fn report(&mut self, index: usize, result: Result<Placed, Failure>) {
        self.reported += 1;
        match result {
            Ok(placed) => {
                if let Some(slot) = self.placed.get_mut(index) {
                    *slot = Some(placed);
                }
            }
            Err(failure) => {
                self.failure.get_or_insert(failure);
            }
        }
        self.finish_if_whole();
    }

    fn finish_if_whole(&mut self) {
        if self.enqueued == Some(self.reported)
            && let Some(done) = self.done.take()
        {
            let _ = done.send(());
        }
    }
}

impl Batch<'_> {
    /// What the record's report will name it by.
    pub(super) fn id(&self, index: usize) -> usize {
        (self.number << INDEX_BITS) | index
    }

    /// Waits until every enqueued record is reported.
    pub(super) async fn reported(&mut self, enqueued: usize) {
        {
            let mut slots = self.slots.lock();
            slots.enqueued = Some(enqueued);
            slots.finish_if_whole();
        }
        if let Some(done) = self.done.take() {
            let _ = done.await;
        }
    }

    pub(super) fn outcome(self) -> Outcome {
        let mut slots = self.slots.lock();
        Outcome { placed: std::mem::take(&mut slots.placed), failure: slots.failure }
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.batches.open.lock().slots.remove(&self.number);
        let mut last = self.batches.last.lock();
        if last.as_ref().is_some_and(|(number, _)| *number == self.number) {
            *last = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: i64) -> Result<Placed, Failure> {
        Ok(Placed { offset, appended_ms: 1 })
    }

    #[tokio::test]
    async fn a_batch_is_done_with_its_last_report() {
        let batches = Batches::default();
        let (mut one, mut two) = (batches.open(2), batches.open(1));
        batches.report(one.id(1), at(8));
        batches.report(two.id(0), Err(Failure::NoOffset));
        batches.report(one.id(0), at(7));
        one.reported(2).await;
        two.reported(1).await;
        assert_eq!(one.outcome(), Outcome { placed: vec![at(7).ok(), at(8).ok()], failure: None });
        assert_eq!(two.outcome(), Outcome { placed: vec![None], failure: Some(Failure::NoOffset) });
    }

    #[tokio::test]
    async fn a_late_report_touches_nothing() {
        let batches = Batches::default();
        let gone = batches.open(1);
        let id = gone.id(0);
        batches.report(id, at(1));
        assert_eq!(gone.outcome().placed, [at(1).ok()]);
        batches.report(id, at(2));
        let mut next = batches.open(1);
        batches.report(id, at(3));
        batches.report(next.id(0), at(4));
        next.reported(1).await;
        assert_eq!(next.outcome(), Outcome { placed: vec![at(4).ok()], failure: None });
        assert!(batches.open.lock().slots.is_empty() && batches.last.lock().is_none());
    }
}
