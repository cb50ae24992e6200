//! Metrics of the service itself. Field docs are the help in Prometheus; every label has a bounded set of values
//! (routes as written in the table, codes of the closed list).

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// Counters and timings of the API.
#[derive(Debug, Clone)]
pub struct HttpMetrics {
    /// What became of connections.
    pub connections: IntCounterVec,
    requests: IntCounterVec,
    seconds: HistogramVec,
    running: IntGauge,
    unknown: IntCounter,
    guesses: IntCounterVec,
    slow: IntCounter,
}

/// Counts one running request until it is dropped.
#[derive(Debug)]
pub struct Running(IntGauge);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl HttpMetrics {
    pub fn register(registry: &mut Described<'_>) -> prometheus::Result<Self> {
        let requests = Opts::new(
            "changtong_http_requests_total",
            "Requests answered, by route, method, status and problem code.",
        );
        let seconds = HistogramOpts::new(
            "changtong_http_request_seconds",
            "Time from a request's head to the head of its answer, long polls included.",
        )
        .buckets(vec![0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0]);
        Ok(Self {
            connections: keep(
                registry,
                IntCounterVec::new(
                    Opts::new(
                        "changtong_http_connections_total",
                        "Connections taken, by outcome: served, turned_away (told that their address has its share), or closed unread.",
                    ),
                    &["outcome"],
                )?,
            )?,
            requests: keep(registry, IntCounterVec::new(requests, &["route", "method", "status", "code"])?)?,
            seconds: keep(registry, HistogramVec::new(seconds, &["route", "method"])?)?,
            running: keep(
                registry,
                IntGauge::new("changtong_http_requests_running", "Requests being answered now.")?,
            )?,
            slow: keep(
                registry,
                IntCounter::new(
                    "changtong_slow_consumers_total",
                    "Connections ended because their other end took nothing for http.write_timeout.",
                )?,
            )?,
            guesses: keep(
                registry,
                IntCounterVec::new(
                    Opts::new(
                        "changtong_http_guesses_limited_total",
                        "Refused credentials beyond http.refused_per_address or http.refused_per_key, by which: address or key.",
                    ),
                    &["by"],
                )?,
            )?,
            unknown: keep(
                registry,
                IntCounter::new(
                    "changtong_http_unknown_callers_total",
                    "Requests refused because their credential is missing, malformed or does not stand.",
                )?,
            )?,
        })
    }

    #[must_use]
    pub fn begin(&self) -> Running {
        self.running.inc();
        Running(self.running.clone())
    }

    pub fn answered(&self, route: &str, method: &str, status: u16, code: &str, took: Duration) {
        // An invented method would be a label without bound.
        let method = if matches!(method, "GET" | "POST" | "PUT" | "DELETE" | "HEAD" | "PATCH" | "OPTIONS") {
            method
        } else {
            "other"
        };
        self.requests.with_label_values(&[route, method, status.to_string().as_str(), code]).inc();
        self.seconds.with_label_values(&[route, method]).observe(took.as_secs_f64());
    }

    pub fn slow_consumer(&self) {
        self.slow.inc();
    }

    pub fn unknown_caller(&self) {
        self.unknown.inc();
    }

    /// One credential too many of an address or for a key id: of an unknown caller as well.
    pub fn guess_limited(&self, by: &str) {
        self.guesses.with_label_values(&[by]).inc();
        self.unknown.inc();
    }
}

/// Whether and since when this server is up.
#[derive(Debug, Clone)]
pub struct ServerMetrics {
    /// 1 for each check of readiness that holds, 0 for one that does not.
    pub ready: prometheus::IntGaugeVec,
    /// Events of refusals that could not be written yet.
    pub refusals_waiting: IntGauge,
    /// Runs of background jobs.
    pub jobs: IntCounterVec,
}

impl ServerMetrics {
    pub fn register(registry: &mut Described<'_>) -> prometheus::Result<Self> {
        let build = prometheus::IntGaugeVec::new(
            Opts::new("changtong_build_info", "Always 1; the version is its label."),
            &["version"],
        )?;
        keep(registry, build)?.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Ok(Self {
            ready: keep(
                registry,
                prometheus::IntGaugeVec::new(
                    Opts::new(
                        "changtong_ready",
                        "1 where the check of readiness holds, 0 where it does not.",
                    ),
                    &["check"],
                )?,
            )?,
            refusals_waiting: keep(
                registry,
                IntGauge::new(
                    "changtong_refusals_waiting",
                    "Kinds of refusals whose event is not written yet (written once a minute).",
                )?,
            )?,
            jobs: keep(
                registry,
                IntCounterVec::new(
                    Opts::new("changtong_job_runs_total", "Runs of background jobs, by job and result."),
                    &["job", "result"],
                )?,
            )?,
        })
    }
}

/// A registry that remembers name and help of what it was given: a labelled metric shows nothing before it is first
/// moved, but docs/metrics.md lists it.
#[derive(Debug)]
pub struct Described<'r> {
    pub registry: &'r Registry,
    pub metrics: Vec<(String, String)>,
}

pub(super) fn keep<C: Collector + Clone + 'static>(
    registry: &mut Described<'_>,
    collector: C,
) -> prometheus::Result<C> {
    let described = collector.desc().into_iter().map(|desc| (desc.fq_name.clone(), desc.help.clone()));
    registry.metrics.extend(described);
    registry.registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}
