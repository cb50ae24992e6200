//! `[limits]`: sizes that are refused and rates that are shared.

use changtong_connectors::log::RECORD_MAX;

use super::section::section;
use super::source::Values;
use super::{SettingsError, Size};

section! {
    /// Sizes and rates.
    Limits in "limits" {
        /// The largest body of records as it arrives.
        body: Size = "16MiB";
        /// The largest document of any other request, decompressed.
        document: Size = "1MiB";
        /// The largest body of records once decompressed.
        decompressed: Size = "64MiB";
        /// How many times larger than it arrived a body may become.
        ratio: u32 = "100";
        /// The largest record.
        record: Size = "512KiB";
        /// The most records of one publish.
        batch: usize = "10000";
        /// The most subscriptions of one grant.
        subscriptions: u32 = "64";
        /// Bytes of bodies and answers in flight, all together; beyond them callers are told to come back later.
        in_flight: Size = "256MiB";
        /// Requests a second of all callers together; not set: no limit.
        bus_requests_per_second: Option<u32> = "";
        /// Records a second of all callers together; not set: no limit.
        bus_records_per_second: Option<u32> = "";
        /// Bytes a second of all callers together; not set: no limit.
        bus_bytes_per_second: Option<u32> = "";
        /// Requests a second of one agency's accounts together; not set: no limit.
        agency_requests_per_second: Option<u32> = "5000";
        /// Records a second of one agency's accounts together; not set: no limit.
        agency_records_per_second: Option<u32> = "1000000";
        /// Bytes a second of one agency's accounts together; not set: no limit.
        agency_bytes_per_second: Option<u32> = "536870912";
        /// Requests a second of one account; not set: no limit.
        account_requests_per_second: Option<u32> = "5000";
        /// Records a second of one account; not set: no limit.
        account_records_per_second: Option<u32> = "1000000";
        /// Bytes a second of one account; not set: no limit.
        account_bytes_per_second: Option<u32> = "536870912";
        /// Requests a second with one key of an account; not set: no limit.
        key_requests_per_second: Option<u32> = "";
        /// Records a second with one key of an account; not set: no limit.
        key_records_per_second: Option<u32> = "";
        /// Bytes a second with one key of an account; not set: no limit.
        key_bytes_per_second: Option<u32> = "";
        /// Requests a second on one resource; not set: no limit.
        resource_requests_per_second: Option<u32> = "";
        /// Records a second on one resource; not set: no limit.
        resource_records_per_second: Option<u32> = "";
        /// Bytes a second on one resource; not set: no limit.
        resource_bytes_per_second: Option<u32> = "";
    }
}

impl Limits {
    pub(super) fn check(&self, account_share: u32, values: &Values) -> Result<(), SettingsError> {
        if self.record.0 > RECORD_MAX {
            return Err(
                values.wrong("limits.record", format!("the log takes records of {RECORD_MAX} bytes at most"))
            );
        }
        if self.record > self.body {
            return Err(values.wrong("limits.record", "a record cannot be larger than limits.body"));
        }
        let of_one_account = self.in_flight.0 / 100 * account_share as usize;
        if self.decompressed.0.max(self.document.0) > of_one_account {
            let reason = "http.account_share of it must be at least limits.decompressed and limits.document";
            return Err(values.wrong("limits.in_flight", reason));
        }
        if self.body > self.decompressed {
            return Err(values.wrong("limits.decompressed", "must be at least limits.body"));
        }
        Ok(())
    }
}
