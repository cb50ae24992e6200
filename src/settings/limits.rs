//! `[limits]`: sizes that are refused and rates that are shared.

use super::section::section;
use super::source::Values;
use super::{SettingsError, Size};

section! {
    /// Sizes and rates.
    Limits in "limits" {
        /// The largest body as it arrives.
        body: Size = "16MiB";
        /// The largest body once decompressed.
        decompressed: Size = "64MiB";
        /// How many times larger than it arrived a body may become.
        ratio: u32 = "100";
        /// The largest record.
        record: Size = "512KiB";
        /// The most records of one publish.
        batch: usize = "20000";
    }
}

impl Limits {
    pub(super) fn check(&self, values: &Values) -> Result<(), SettingsError> {
        if self.record > self.body {
            return Err(values.wrong("limits.record", "a record cannot be larger than limits.body"));
        }
        if self.body > self.decompressed {
            return Err(values.wrong("limits.decompressed", "must be at least limits.body"));
        }
        Ok(())
    }
}
