//! `[operations]`: metrics and health, without credentials.

use std::net::{IpAddr, SocketAddr};

use super::SettingsError;
use super::section::section;
use super::source::Values;

section! {
    /// The listener of `/metrics` and `/health/…`.
    Operations in "operations" {
        /// Address of metrics and health. It asks no credentials, so it takes a loopback or private address only.
        listen: SocketAddr = "127.0.0.1:9464";
    }
}

impl Operations {
    pub(super) fn check(&self, values: &Values) -> Result<(), SettingsError> {
        let inside = match self.listen.ip() {
            IpAddr::V4(ip) => ip.is_loopback() || ip.is_private(),
            IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local(),
        };
        if inside {
            return Ok(());
        }
        Err(values.wrong(
            "operations.listen",
            "metrics and health ask no credentials; name one loopback or private address, such as 127.0.0.1:9464",
        ))
    }
}
