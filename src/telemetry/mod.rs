//! What the process tells about itself: log lines and metrics, never the content of a record.

mod connector;
mod logging;
mod metrics;
mod panics;

pub use connector::ConnectorMetrics;
pub use logging::start as start_logging;
use metrics::Described;
pub use metrics::{HttpMetrics, Running, ServerMetrics};
use prometheus::Registry;

/// All metrics of this process, on one registry.
#[derive(Debug, Clone)]
pub struct Metrics {
    pub registry: Registry,
    pub http: HttpMetrics,
    pub server: ServerMetrics,
    /// Name and help of each of the service's own, for docs/metrics.md.
    pub described: Vec<(String, String)>,
}

impl Metrics {
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let mut described = Described { registry: &registry, metrics: Vec::new() };
        let http = HttpMetrics::register(&mut described)?;
        let server = ServerMetrics::register(&mut described)?;
        let described = described.metrics;
        Ok(Self { registry, http, server, described })
    }

    /// The text that Prometheus reads.
    pub fn text(&self) -> prometheus::Result<String> {
        prometheus::TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}
