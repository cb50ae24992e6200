//! What the clients say of themselves, as Prometheus metrics.

use parking_lot::Mutex;
use prometheus::{IntCounter, IntGauge, Registry};
use rdkafka::Statistics;

/// Metrics of the Kafka engine; the help of each is its field's line.
#[derive(Debug)]
pub struct KafkaMetrics {
    /// Records waiting in the producer for a request or its answer.
    queue_messages: IntGauge,
    /// Bytes of the records waiting in the producer.
    queue_bytes: IntGauge,
    /// Requests of the producer that could not be sent.
    tx_errors: IntCounter,
    /// Requests of the producer that were sent again.
    tx_retries: IntCounter,
    /// Requests of the producer that timed out.
    request_timeouts: IntCounter,
    /// 99th percentile of the time between request and answer at the slowest broker, in microseconds.
    rtt_p99_micros: IntGauge,
    /// Producers replaced after a fatal error.
    producers_replaced: IntCounter,
    /// Delivery reports that named no offset: in error, without offset or without append time.
    reports_without_offset: IntCounter,
    /// Consumers made for reads that none of the waiting ones fitted.
    consumers_made: IntCounter,
    seen: Mutex<Seen>,
}

/// Sums of the current producer's counters as last seen; a new producer begins at zero.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    errors: u64,
    retries: u64,
    timeouts: u64,
}

impl KafkaMetrics {
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(format!("changtong_kafka_{name}"), help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(format!("changtong_kafka_{name}_total"), help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        Ok(Self {
            queue_messages: gauge(
                "queue_messages",
                "Records waiting in the producer for a request or its answer.",
            )?,
            queue_bytes: gauge("queue_bytes", "Bytes of the records waiting in the producer.")?,
            tx_errors: counter("tx_errors", "Requests of the producer that could not be sent.")?,
            tx_retries: counter("tx_retries", "Requests of the producer that were sent again.")?,
            request_timeouts: counter("request_timeouts", "Requests of the producer that timed out.")?,
            rtt_p99_micros: gauge(
                "rtt_p99_micros",
                "99th percentile of the time between request and answer at the slowest broker, in microseconds.",
            )?,
            producers_replaced: counter("producers_replaced", "Producers replaced after a fatal error.")?,
            reports_without_offset: counter(
                "reports_without_offset",
                "Delivery reports that named no offset: in error, without offset or without append time.",
            )?,
            consumers_made: counter(
                "consumers_made",
                "Consumers made for reads that none of the waiting ones fitted.",
            )?,
            seen: Mutex::default(),
        })
    }

    pub(super) fn producer_replaced(&self) {
        self.producers_replaced.inc();
        *self.seen.lock() = Seen::default();
    }

    pub(super) fn report_without_offset(&self) {
        self.reports_without_offset.inc();
    }

    pub(super) fn consumer_made(&self) {
        self.consumers_made.inc();
    }

    pub(super) fn take(&self, statistics: &Statistics) {
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.queue_messages.set(whole(statistics.msg_cnt));
        self.queue_bytes.set(whole(statistics.msg_size));
        let brokers = || statistics.brokers.values();
        let slowest = brokers().filter_map(|broker| Some(broker.rtt.as_ref()?.p99)).max();
        self.rtt_p99_micros.set(slowest.unwrap_or(0));
        let now = Seen {
            errors: brokers().map(|broker| broker.txerrs).sum(),
            retries: brokers().map(|broker| broker.txretries).sum(),
            timeouts: brokers().map(|broker| broker.req_timeouts).sum(),
        };
        let before = std::mem::replace(&mut *self.seen.lock(), now);
        self.tx_errors.inc_by(now.errors.saturating_sub(before.errors));
        self.tx_retries.inc_by(now.retries.saturating_sub(before.retries));
        self.request_timeouts.inc_by(now.timeouts.saturating_sub(before.timeouts));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::statistics::{Broker, Window};

    fn statistics(errors: u64, p99: i64) -> Statistics {
        let broker =
            Broker { txerrs: errors, rtt: Some(Window { p99, ..Window::default() }), ..Broker::default() };
        Statistics { msg_cnt: 7, brokers: [("b".to_owned(), broker)].into(), ..Statistics::default() }
    }

    #[test]
    fn counters_count_on_over_a_replaced_producer() {
        let registry = Registry::new();
        let metrics = KafkaMetrics::register(&registry).unwrap();
        metrics.take(&statistics(3, 900));
        metrics.take(&statistics(5, 400));
        metrics.producer_replaced();
        metrics.take(&statistics(2, 100));
        assert_eq!(metrics.tx_errors.get(), 7);
        assert_eq!((metrics.rtt_p99_micros.get(), metrics.queue_messages.get()), (100, 7));
        let families = registry.gather();
        assert!(families.iter().all(|f| f.name().starts_with("changtong_kafka_") && !f.help().is_empty()));
        assert_eq!(families.len(), 9);
    }
}
