//! What the events of publishes say of a topic: which offsets were published, and when their commit was. A record at
//! an offset that no event names, or appended after that commit, is not the one that was published there: the topic
//! was made anew, or written to behind the bus.

use std::time::Duration;

use crate::clock::Time;
use crate::visibility::Run;

/// How far the clocks of log and store may lie apart.
const APART: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Default)]
pub struct Witness {
    /// By partition, in order: first and last offset, and the latest append time in milliseconds.
    runs: Vec<Vec<(i64, i64, i64)>>,
}

impl Witness {
    pub fn new(partitions: usize, published: impl IntoIterator<Item = (Run, Time)>) -> Self {
        let mut runs = vec![Vec::new(); partitions];
        let apart = i64::try_from(APART.as_millis()).unwrap_or(i64::MAX);
        for (run, at) in published {
            if let Some(runs) = usize::try_from(run.partition).ok().and_then(|at| runs.get_mut(at)) {
                runs.push((run.first, run.last, at.timestamp_millis().saturating_add(apart)));
            }
        }
        runs.iter_mut().for_each(|runs: &mut Vec<(i64, i64, i64)>| runs.sort_unstable());
        Self { runs }
    }

    /// Whether a record can be the one that was published at its offset.
    #[must_use]
    pub fn knows(&self, partition: usize, offset: i64, appended_ms: i64) -> bool {
        let Some(runs) = self.runs.get(partition) else { return false };
        let behind = runs.partition_point(|(first, ..)| *first <= offset);
        let run = behind.checked_sub(1).and_then(|at| runs.get(at));
        run.is_some_and(|(_, last, latest)| offset <= *last && appended_ms <= *latest)
    }
}
