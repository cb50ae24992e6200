//! Parts of a source that failed while the others go on: one bad file costs its own records and no others. Each is tried
//! again after growing pauses, or as soon as it changes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use changtong_catalog::clock::Ids;
use changtong_catalog::error::{Code, Refusal};
use tokio::time::Instant;

use super::backoff::Backoff;
use crate::source::Part;

pub(super) struct Failing {
    ids: Arc<dyn Ids>,
    /// The version of those that were heard last.
    orders: i32,
    /// By label.
    parts: BTreeMap<String, Tried>,
}

struct Tried {
    /// The part as it was.
    part: Part,
    again: Instant,
    backoff: Backoff,
}

impl Failing {
    pub fn new(ids: Arc<dyn Ids>) -> Self {
        Self { ids, orders: 0, parts: BTreeMap::new() }
    }

    /// Whether it is another one's turn: this one failed, is still what it was, and its pause is not over.
    pub fn rests(&self, part: &Part) -> bool {
        let tried = self.parts.get(&part.label);
        tried.is_some_and(|tried| tried.part == *part && Instant::now() < tried.again)
    }

    /// Answers the pause until it is tried again.
    pub fn failed(&mut self, part: &Part, refusal: &Refusal) -> Duration {
        let (ids, now) = (self.ids.clone(), Instant::now());
        let tried = self.parts.entry(part.label.clone()).or_insert_with(|| Tried {
            part: part.clone(),
            again: now,
            backoff: Backoff::new(ids),
        });
        let pause = tried.backoff.next(refusal.retry_after);
        tried.part = part.clone();
        tried.again = now + pause;
        pause
    }

    pub fn went_well(&mut self, part: &Part) {
        self.parts.remove(&part.label);
    }

    /// Those that are not there any more have nothing to fail with.
    pub fn keep(&mut self, there: &[Part]) {
        self.parts.retain(|label, _| there.iter().any(|part| part.label == *label));
    }

    /// An order, though it was given before, may be the word that something was mended.
    pub fn heard(&mut self, orders: i32) {
        if std::mem::replace(&mut self.orders, orders) != orders {
            let now = Instant::now();
            self.parts.values_mut().for_each(|tried| tried.again = now);
        }
    }
}

/// Whether what was refused lies with what a part holds, so that the others may go on. What lies with the bus, the
/// resource or the connector concerns them all.
pub(super) fn lies_with_the_part(refusal: &Refusal) -> bool {
    matches!(
        refusal.code,
        Code::FileUnreadable
            | Code::FileChanged
            | Code::PathOutsideRoot
            | Code::RecordsInvalid
            | Code::RecordUndecodable
            | Code::SchemaRejected
            | Code::RecordTooLarge
            | Code::BatchTooLarge
            | Code::BodyTooLarge
            | Code::DecompressedTooLarge
            | Code::Invalid
    )
}
