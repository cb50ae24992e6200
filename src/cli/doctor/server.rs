//! Whether a server runs with these settings, and what it says of itself.

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
