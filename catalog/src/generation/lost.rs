//! What counted in the generation before and was not copied, as its log had lost it or held other records there: readers
//! of that generation pass it over.

use std::collections::BTreeMap;

use crate::visibility::{self, Run};

#[derive(Debug, Clone, Default)]
pub struct Lost(BTreeMap<i32, Vec<Run>>);

impl Lost {
    pub fn add(&mut self, run: Run) {
        let runs = self.0.entry(run.partition).or_default();
        match runs.last_mut() {
            Some(last) if last.last + 1 == run.first => last.last = run.last,
            _ => runs.push(run),
        }
    }

    /// In order and joined.
    #[must_use]
    pub fn runs(self) -> Vec<Run> {
        visibility::merge(self.0.into_values().flatten().collect())
    }
}
