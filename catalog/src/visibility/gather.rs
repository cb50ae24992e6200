//! From the offsets that a broker's acknowledgements name to the runs that are asked to count (protocol.md 3).

use std::collections::BTreeMap;

use super::Run;
use crate::error::{Code, Refusal};

/// The most runs of one attempt; a batch cut into more is not worth its rows.
pub const MOST_RUNS: usize = 128;

/// Gathers offsets in record order into closed runs.
#[derive(Debug, Default)]
pub struct Gather {
    /// Per partition its closed runs; the last one still grows.
    partitions: BTreeMap<i32, Vec<Run>>,
    misreported: bool,
}

/// Why an append's answers make no attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misreport {
    /// Negative offsets, or offsets that don't rise with the records of a partition: they are not this batch's, so
    /// nothing is recorded for it.
    False,
    /// More than [`MOST_RUNS`] runs. The offsets are true: they may be recorded as dead.
    Scattered(Vec<Run>),
}

impl Gather {
    /// The next record's offset.
    pub fn push(&mut self, partition: i32, offset: i64) {
        let runs = self.partitions.entry(partition).or_default();
        match runs.last_mut() {
            Some(run) if offset == run.last + 1 => run.last = offset,
            Some(run) if offset <= run.last => self.misreported = true,
            _ if offset < 0 => self.misreported = true,
            _ => runs.push(Run { partition, first: offset, last: offset }),
        }
    }

    /// The runs in order of (partition, first).
    pub fn finish(self) -> Result<Vec<Run>, Misreport> {
        if self.misreported {
            return Err(Misreport::False);
        }
        let runs: Vec<Run> = self.partitions.into_values().flatten().collect();
        if runs.len() > MOST_RUNS {
            return Err(Misreport::Scattered(runs));
        }
        Ok(runs)
    }
}

impl From<Misreport> for Refusal {
    fn from(misreport: Misreport) -> Self {
        match misreport {
            Misreport::False => Self::new(
                Code::BrokerUnavailable,
                "日志服务的应答与所写记录对不上,本批未发布,请用同一幂等键重试",
                "the broker's answers do not fit the records that were written; nothing was published, retry with the same idempotency key",
            ),
            Misreport::Scattered(runs) => Self::new(
                Code::BatchScattered,
                format!(
                    "本批被其他写入切成 {} 段(至多 {MOST_RUNS} 段),未发布,请用同一幂等键重试",
                    runs.len()
                ),
                format!(
                    "other writers cut the batch into {} runs (at most {MOST_RUNS}); nothing was published, retry with the same idempotency key",
                    runs.len()
                ),
            ),
        }
    }
}
