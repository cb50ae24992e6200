//! Pauses between attempts: from one second doubling to a minute, each between half and the whole of that, so that
//! many connectors of one failed server do not come back together.

use std::sync::Arc;
use std::time::Duration;

use changtong_catalog::clock::Ids;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

pub(super) struct Backoff {
    ids: Arc<dyn Ids>,
    failures: u32,
}

impl Backoff {
    pub fn new(ids: Arc<dyn Ids>) -> Self {
        Self { ids, failures: 0 }
    }

    /// Something went well since the last failure.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// The next pause; never shorter than what the bus asked for.
    pub fn next(&mut self, asked: Option<Duration>) -> Duration {
        let whole = FIRST.saturating_mul(1 << self.failures.min(6)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let mut random = [0; 4];
        self.ids.fill(&mut random);
        let part = f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX);
        whole.mul_f64(0.5 + part / 2.0).max(asked.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use changtong_catalog::clock::SeededIds;

    use super::*;

    #[test]
    fn pauses_double_to_a_minute_and_begin_anew_after_progress() {
        let mut backoff = Backoff::new(Arc::new(SeededIds::new(7)));
        for whole in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            let pause = backoff.next(None);
            let whole = Duration::from_secs(whole);
            assert!(pause >= whole / 2 && pause <= whole, "{pause:?} of {whole:?}");
        }
        backoff.reset();
        assert!(backoff.next(None) <= FIRST);
        assert_eq!(backoff.next(Some(Duration::from_secs(90))), Duration::from_secs(90));
    }
}
