//! Metrics of a connector in its own process. One process runs one connector, so none has its name for a label.

use prometheus::{Gauge, IntGauge, IntGaugeVec, Opts, Registry};

use super::metrics::{Described, keep};

#[derive(Debug, Clone)]
pub struct ConnectorMetrics {
    pub registry: Registry,
    /// Name and help of each, for docs/metrics.md.
    pub described: Vec<(String, String)>,
    pub state: IntGaugeVec,
    pub server_answers: IntGauge,
    pub reported: Gauge,
    pub caught_up: Gauge,
    pub bytes_left: IntGauge,
}

impl ConnectorMetrics {
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let mut described = Described { registry: &registry, metrics: Vec::new() };
        let build = Opts::new("changtong_build_info", "Always 1; the version is its label.");
        keep(&mut described, IntGaugeVec::new(build, &["version"])?)?
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1);
        let state = Opts::new(
            "changtong_connector_state",
            "Of a connector in its own process: 1 for the state it is in, 0 for the others.",
        );
        let state = keep(&mut described, IntGaugeVec::new(state, &["state"])?)?;
        let server_answers = IntGauge::new(
            "changtong_connector_server_answers",
            "Of a connector in its own process: 1 if the server took its last report, else 0.",
        )?;
        let reported = Gauge::new(
            "changtong_connector_reported_timestamp_seconds",
            "Of a connector in its own process: when the server last took its report; 0 before the first.",
        )?;
        let caught_up = Gauge::new(
            "changtong_connector_caught_up_timestamp_seconds",
            "Of a connector in its own process: when nothing was left to do; 0 before that.",
        )?;
        let bytes_left = IntGauge::new(
            "changtong_connector_bytes_left",
            "Of a source in its own process: bytes of the file at hand that are not read yet.",
        )?;
        let (server_answers, reported) =
            (keep(&mut described, server_answers)?, keep(&mut described, reported)?);
        let (caught_up, bytes_left) = (keep(&mut described, caught_up)?, keep(&mut described, bytes_left)?);
        let described = described.metrics;
        Ok(Self { registry, described, state, server_answers, reported, caught_up, bytes_left })
    }
}
