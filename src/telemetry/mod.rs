//! What the process tells about itself: log lines and metrics, never the content of a record.

mod logging;
mod metrics;

pub use logging::start as start_logging;
pub use metrics::{HttpMetrics, Running, ServerMetrics};
use prometheus::Registry;

/// All metrics of this process, on one registry.
#[derive(Debug, Clone)]
pub struct Metrics {
    pub registry: Registry,
    pub http: HttpMetrics,
    pub server: ServerMetrics,
}

impl Metrics {
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let http = HttpMetrics::register(&registry)?;
        let server = ServerMetrics::register(&registry)?;
        Ok(Self { registry, http, server })
    }

    /// The text that Prometheus reads.
    pub fn text(&self) -> prometheus::Result<String> {
        prometheus::TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}
