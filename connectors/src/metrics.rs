//! The Prometheus metrics of the data path. A field's doc is its help text; labels hold words from closed lists only.

use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry, exponential_buckets,
};

/// Makes a metric of its kind; `labels` is empty where the kind has none.
trait Kind: Sized {
    fn make(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<Self>;
}

impl Kind for IntCounter {
    fn make(name: &str, help: &str, _: &[&str]) -> prometheus::Result<Self> {
        Self::new(name, help)
    }
}

impl Kind for IntGauge {
    fn make(name: &str, help: &str, _: &[&str]) -> prometheus::Result<Self> {
        Self::new(name, help)
    }
}

impl Kind for IntCounterVec {
    fn make(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<Self> {
        Self::new(Opts::new(name, help), labels)
    }
}

impl Kind for Histogram {
    /// From a quarter of a millisecond to eight seconds.
    fn make(name: &str, help: &str, _: &[&str]) -> prometheus::Result<Self> {
        Self::with_opts(HistogramOpts::new(name, help).buckets(exponential_buckets(0.000_25, 2.0, 16)?))
    }
}

macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $field:ident: $kind:ident = $name:literal $([$($label:literal),+])?;)+) => {
        /// Moved by the events of `events.rs` alone.
        pub struct Metrics {
            $($(#[doc = $help])+ pub $field: $kind,)+
        }

        impl Metrics {
            /// Makes all of them and registers them.
            pub fn register(registry: &Registry) -> prometheus::Result<Self> {
                $(
                    let $field: $kind =
                        Kind::make($name, concat!($($help),+).trim(), &[$($($label),+)?])?;
                    registry.register(Box::new($field.clone()))?;
                )+
                Ok(Self { $($field),+ })
            }

            /// Name and help of each, for docs/metrics.md and its test.
            pub const ALL: &'static [(&'static str, &'static str)] = &[$(($name, concat!($($help),+))),+];
        }
    };
}

metrics! {
    /// Publishes by result: accepted, replayed, or the code of the refusal.
    publishes: IntCounterVec = "changtong_publishes_total" ["result"];
    /// Records of publishes: accepted, quarantined, or refused with their batch.
    published_records: IntCounterVec = "changtong_published_records_total" ["outcome"];
    /// Bytes of the bodies of accepted publishes, decompressed.
    published_bytes: IntCounter = "changtong_published_bytes_total";
    /// Seconds from a publish's call to its answer.
    publish_seconds: Histogram = "changtong_publish_seconds";
    /// Seconds from an append's first record to its last acknowledgement.
    append_seconds: Histogram = "changtong_append_seconds";
    /// Group commits by result: committed, not_sent or unknown.
    commits: IntCounterVec = "changtong_commits_total" ["result"];
    /// Seconds of a group commit.
    commit_seconds: Histogram = "changtong_commit_seconds";
    /// Attempts in group commits.
    committed_attempts: IntCounter = "changtong_committed_attempts_total";
    /// Requests waiting for the committer.
    commit_queue: IntGauge = "changtong_commit_queue";
    /// Polls by result: sent, empty, or the code of the refusal.
    polls: IntCounterVec = "changtong_polls_total" ["result"];
    /// Polls and event streams waiting for records.
    waiting_polls: IntGauge = "changtong_waiting_polls";
    /// Event streams that are open now.
    event_streams: IntGauge = "changtong_event_streams";
    /// Event streams that ended, by the code that they ended with; reader where the reader went.
    ended_event_streams: IntCounterVec = "changtong_event_streams_ended_total" ["code"];
    /// Reads for consumers, by where the records came from: the log, or shared with another that had just read them.
    log_reads: IntCounterVec = "changtong_log_reads_total" ["from"];
    /// Record lines handed to consumers.
    delivered_records: IntCounter = "changtong_delivered_records_total";
    /// Bytes of record lines handed to consumers.
    delivered_bytes: IntCounter = "changtong_delivered_bytes_total";
    /// Records that readers passed over: outside a filter, or delete lines not wanted.
    passed_over_records: IntCounter = "changtong_passed_over_records_total";
    /// Windows that are open now.
    open_windows: IntGauge = "changtong_open_windows";
    /// Windows that were closed, by reason.
    closed_windows: IntCounterVec = "changtong_closed_windows_total" ["reason"];
    /// Calls refused by a rate, by its level and limit.
    rate_limited: IntCounterVec = "changtong_rate_limited_total" ["level", "limit"];
    /// Offsets declared dead because no commit ever covered them.
    holes: IntCounter = "changtong_log_holes_total";
    /// Resources stopped because the log lost acknowledged records.
    log_rolled_back: IntCounter = "changtong_log_rolled_back_total";
    /// Live subscriptions with records ahead that retention drops soon or has dropped.
    near_retention_edge: IntGauge = "changtong_subscriptions_near_retention_edge";
    /// Records copied into new generations.
    copied_records: IntCounter = "changtong_copied_records_total";
    /// Records that connectors published, or applied to their targets.
    connector_records: IntCounterVec = "changtong_connector_records_total" ["outcome"];
    /// Failures of connectors, by code; each tries again.
    connector_failures: IntCounterVec = "changtong_connector_failures_total" ["code"];
    /// Times that a sink came too late for records and went on behind them.
    connector_gaps: IntCounter = "changtong_connector_gaps_total";
    /// Bytes of bodies and answers in flight.
    bytes_in_flight: IntGauge = "changtong_bytes_in_flight";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_registered_under_the_prefix_with_a_help_that_ends_in_a_full_stop() {
        Metrics::register(&Registry::new()).unwrap();
        for (name, help) in Metrics::ALL {
            assert!(name.starts_with("changtong_"), "{name}");
            assert!(help.ends_with('.'), "{name}: {help}");
        }
    }
}
