//! `[time]`: the zone and the spans that the protocol leaves to the deployment.

use std::time::Duration;

use super::section::section;
use super::source::Values;
use super::{SettingsError, Zone};

section! {
    /// Zone and spans.
    Time in "time" {
        /// The zone in which quota days run.
        zone: Zone = "Asia/Shanghai";
        /// Offsets that nothing covered for this long are declared dead (append, store and queues fit in it).
        settle_after: Duration = "20s";
        /// How long a delivery window stays open.
        window: Duration = "1s";
        /// How long before retention drops records a live subscription that has not acknowledged them is warned of, at
        /// most half of the retention.
        retention_notice: Duration = "24h";
        /// How long an `Idempotency-Key` is remembered.
        idempotency: Duration = "24h";
    }
}

impl Time {
    pub(super) fn check(&self, values: &Values) -> Result<(), SettingsError> {
        // An append may take 10 s and its commit 3 s; settling earlier would declare living attempts dead.
        if self.settle_after < Duration::from_secs(15) {
            return Err(values.wrong(
                "time.settle_after",
                "must be 15s or more: an append takes up to 10 s, its commit 3 s",
            ));
        }
        if self.window < Duration::from_millis(100) || self.window > Duration::from_secs(5) {
            return Err(values.wrong("time.window", "must lie between 100ms and 5s"));
        }
        Ok(())
    }
}
