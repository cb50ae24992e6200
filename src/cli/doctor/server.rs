//! Whether a server runs with these settings, and what it says of itself; else whether its addresses are free.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use serde_json::Value;

use super::finding::Finding;
use crate::settings::Settings;

pub async fn running(settings: &Settings, findings: &mut Vec<Finding>) {
    let address = settings.operations.listen;
    let asked = async {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build()?;
        client.get(format!("http://{address}/health/ready")).send().await?.json::<Value>().await
    };
    let Ok(health) = asked.await else {
        findings.push(Finding::good("server", format!("none answers at {address}")));
        free(settings.http.listen, "http.listen", findings);
        free(settings.registry.listen, "registry.listen", findings);
        free(address, "operations.listen", findings);
        return;
    };
    let checks = health.get("checks").and_then(Value::as_object).cloned().unwrap_or_default();
    if health.get("ready") == Some(&Value::Bool(true)) {
        findings.push(Finding::good("server", format!("ready at {address}")));
        return;
    }
    for (name, result) in checks.iter().filter(|(_, result)| *result != "ok") {
        findings.push(Finding::wrong(
            "server",
            format!("not ready at {address}: {name} says {}", result.as_str().unwrap_or("nothing")),
            "docs/errors.md says what the code means",
        ));
    }
}

/// Listens for a moment where a server would.
fn free(address: SocketAddr, setting: &str, findings: &mut Vec<Finding>) {
    findings.push(match TcpListener::bind(address) {
        Ok(_) => Finding::good("address", format!("{setting} {address} is free")),
        Err(error) => Finding::wrong(
            "address",
            format!("{setting} {address}: {error}"),
            format!("set {setting} to an address of this machine that nothing else listens on"),
        ),
    });
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    #[test]
    fn an_address_in_use_is_wrong() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let mut findings = Vec::new();
        free(address, "http.listen", &mut findings);
        assert_eq!(findings[0].state, State::Wrong);
        drop(taken);
        free(address, "http.listen", &mut findings);
        assert_eq!(findings[1].state, State::Good);
    }
}
