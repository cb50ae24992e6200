//! `[http]`: the listener of the API and what it bears.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::section::section;
use super::source::Values;
use super::{SettingsError, Size};

section! {
    /// The API's listener.
    Http in "http" {
        /// Address of the API. Beyond loopback only behind a proxy that ends TLS (`behind_proxy`): listeners with TLS of
        /// their own come later.
        listen: SocketAddr = "127.0.0.1:7070";
        /// A proxy in front ends TLS; `trusted_proxies` must name it.
        behind_proxy: bool = "false";
        /// Addresses of the proxies whose `X-Forwarded-For` is believed.
        trusted_proxies: Vec<IpAddr> = "";
        /// The most connections at once; further ones wait. Each takes a file descriptor (`ulimit -n`).
        connections: usize = "4096";
        /// The most of them that one peer address may hold, in percent; behind a proxy, requests of one address.
        address_share: u32 = "50";
        /// The most requests of one agency at once, in percent of `connections`; of `database.connections` it holds the same
        /// part at most.
        agency_share: u32 = "75";
        /// The most requests of one account at once, in percent of `connections`; of its bodies the same part of
        /// `limits.in_flight`, and of `database.connections` it holds that part at most.
        account_share: u32 = "50";
        /// How long a refused credential counts for the two limits below.
        refused_within: Duration = "1m";
        /// Refused credentials of one address, beyond which further ones are answered 429; not set: no limit.
        refused_per_address: Option<u32> = "600";
        /// Refused credentials with one key id, beyond which further ones are answered 429 (the right key is let in all the
        /// same); not set: no limit.
        refused_per_key: Option<u32> = "120";
        /// How long the head of a request may take to arrive.
        header_timeout: Duration = "10s";
        /// How long a body may pause.
        body_timeout: Duration = "30s";
        /// How fast a body must arrive: it may take `body_timeout` and a second for each so many bytes.
        body_rate: Size = "16KiB";
        /// How long what is sent may stay untaken before the connection ends.
        write_timeout: Duration = "30s";
        /// How often an event stream that has nothing to send says that it lives.
        heartbeat: Duration = "15s";
        /// The largest head of a request.
        headers: Size = "32KiB";
        /// The longest address (path and query).
        uri: Size = "8KiB";
        /// How long a stop waits for what is in flight.
        drain: Duration = "20s";
    }
}

impl Http {
    /// Anyone on the network could read keys and records from a listener without TLS.
    pub(super) fn check(&self, values: &Values, dev: bool) -> Result<(), SettingsError> {
        if dev && (!self.listen.ip().is_loopback() || self.behind_proxy) {
            return Err(values.wrong(
                "http.listen",
                "--dev relaxes rules and therefore serves a loopback address only, such as 127.0.0.1:7070",
            ));
        }
        if !self.listen.ip().is_loopback() && !self.behind_proxy {
            return Err(values.wrong(
                "http.listen",
                "an address beyond loopback needs a proxy that ends TLS: set http.behind_proxy = true and name it in \
                 http.trusted_proxies, or listen on 127.0.0.1",
            ));
        }
        if self.connections == 0 {
            return Err(values.wrong("http.connections", "must be at least 1"));
        }
        for (name, share) in [
            ("http.address_share", self.address_share),
            ("http.agency_share", self.agency_share),
            ("http.account_share", self.account_share),
        ] {
            if !(1..=100).contains(&share) {
                return Err(values.wrong(name, "must lie between 1 and 100 (percent)"));
            }
        }
        if self.body_rate.0 == 0 {
            return Err(values.wrong("http.body_rate", "must be at least 1 byte a second"));
        }
        for (name, span) in [("write_timeout", self.write_timeout), ("heartbeat", self.heartbeat)] {
            if span < Duration::from_millis(100) {
                return Err(values.wrong(&format!("http.{name}"), "must be 100ms or more"));
            }
        }
        if self.behind_proxy && self.trusted_proxies.is_empty() {
            return Err(values.wrong(
                "http.trusted_proxies",
                "http.behind_proxy = true needs the addresses of the proxies in http.trusted_proxies",
            ));
        }
        Ok(())
    }
}
