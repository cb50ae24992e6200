//! docs/metrics.md lists every metric of the process with its help.

use std::collections::BTreeMap;
use std::path::Path;

use changtong::telemetry;
use changtong_connectors::log::kafka::KafkaMetrics;
use changtong_connectors::metrics;
use prometheus::Registry;

fn all() -> BTreeMap<String, String> {
    let own = telemetry::Metrics::new().expect("the service's metrics").described;
    let bus = metrics::Metrics::ALL.iter().map(|(name, help)| ((*name).to_owned(), help.trim().to_owned()));
    let registry = Registry::new();
    KafkaMetrics::register(&registry).expect("Kafka's metrics");
    let kafka = registry.gather();
    let kafka = kafka.iter().map(|family| (family.name().to_owned(), family.help().to_owned()));
    let connector = telemetry::ConnectorMetrics::new().expect("a connector's own metrics").described;
    own.into_iter().chain(bus).chain(kafka).chain(connector).collect()
}

#[test]
fn the_page_lists_every_metric_as_it_is() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let page = std::fs::read_to_string(path).expect("docs/metrics.md");
    let written: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    let expected: Vec<String> = all().iter().map(|(name, help)| format!("| `{name}` | {help} |")).collect();
    assert_eq!(written, expected, "docs/metrics.md should have these rows:\n{}", expected.join("\n"));
}

#[test]
fn names_begin_alike_and_helps_are_sentences() {
    for (name, help) in all() {
        assert!(name.starts_with("changtong_"), "{name}");
        assert!(help.ends_with('.'), "{name}: {help}");
    }
}
