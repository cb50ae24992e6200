//! `[registry]`: the listener of the Schema Registry API.

use std::net::SocketAddr;

use super::section::section;
use super::source::Values;
use super::{Http, SettingsError};

section! {
    /// The Schema Registry API at the root of a listener of its own, where its clients expect it.
    Registry in "registry" {
        /// Address of the Schema Registry API, which the API's listener serves under `/registry` too. Beyond loopback
        /// only behind the proxy of `http.behind_proxy`.
        listen: SocketAddr = "127.0.0.1:8081";
    }
}

impl Registry {
    /// Its callers send the same keys as the API's, so the same holds of its address.
    pub(super) fn check(&self, http: &Http, values: &Values, dev: bool) -> Result<(), SettingsError> {
        if self.listen.ip().is_loopback() || (http.behind_proxy && !dev) {
            return Ok(());
        }
        Err(values.wrong(
            "registry.listen",
            if dev {
                "--dev asks no credentials of registry calls and therefore serves a loopback address only, such as \
                 127.0.0.1:8081"
            } else {
                "an address beyond loopback needs a proxy that ends TLS: set http.behind_proxy = true and name it in \
                 http.trusted_proxies, or listen on 127.0.0.1"
            },
        ))
    }
}
