//! Settings of the cluster, and what librdkafka is told of them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use crate::log::RECORD_MAX;

/// The whole append (protocol.md 3.2); librdkafka gives a message up within it.
pub const APPEND_DEADLINE: Duration = Duration::from_secs(10);
const MESSAGE_TIMEOUT_MS: &str = "8000";
/// Time for the records of one append, enqueued one after another, to share a request; who waits for others is decided
/// before (`company.rs`).
const LINGER_MS: &str = "0.5";

/// Room for what Kafka writes around a record of the largest size.
const OVERHEAD: usize = 64 * 1024;

/// What the largest batch of a topic may have: a little more than the producer ever makes.
pub(super) const TOPIC_MESSAGE_MAX: usize = RECORD_MAX + 2 * OVERHEAD;

/// A text that never shows itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaslMechanism {
    Plain,
    ScramSha256,
    ScramSha512,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sasl {
    pub mechanism: SaslMechanism,
    pub username: String,
    pub password: Secret,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// PEM file of the authorities to trust; `None`: those of the system.
    pub ca: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaSettings {
    /// `host:port`, several with commas.
    pub brokers: String,
    pub tls: Option<Tls>,
    pub sasl: Option<Sasl>,
    pub replication_factor: i32,
    pub min_insync_replicas: i32,
    /// How long a small append waits at most for others to share its request, while some are under way.
    pub linger: Duration,
}

impl KafkaSettings {
    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", "changtong")
            .set("security.protocol", self.security_protocol())
            .set("socket.keepalive.enable", "true")
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "1000")
            .set("log.connection.close", "false");
        if let Some(ca) = self.tls.as_ref().and_then(|tls| tls.ca.as_ref()) {
            config.set("ssl.ca.location", ca.to_string_lossy());
        }
        if let Some(sasl) = &self.sasl {
            let mechanism = match sasl.mechanism {
                SaslMechanism::Plain => "PLAIN",
                SaslMechanism::ScramSha256 => "SCRAM-SHA-256",
                SaslMechanism::ScramSha512 => "SCRAM-SHA-512",
            };
            config
                .set("sasl.mechanism", mechanism)
                .set("sasl.username", &sasl.username)
                .set("sasl.password", &sasl.password.0);
        }
        config
    }

    fn security_protocol(&self) -> &'static str {
        match (&self.tls, &self.sasl) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        }
    }

    pub(super) fn producer(&self) -> ClientConfig {
        let mut config = self.client();
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("message.timeout.ms", MESSAGE_TIMEOUT_MS)
            .set("request.timeout.ms", "5000")
            .set("socket.timeout.ms", "6000")
            .set("linger.ms", LINGER_MS)
            .set("message.max.bytes", (RECORD_MAX + OVERHEAD).to_string())
            .set("queue.buffering.max.messages", "200000")
            .set("queue.buffering.max.kbytes", "65536")
            .set("statistics.interval.ms", "5000");
        config
    }

    /// For metadata and offsets; it reads no records.
    pub(super) fn asking(&self) -> ClientConfig {
        let mut config = self.client();
        config
            .set("allow.auto.create.topics", "false")
            .set("isolation.level", "read_uncommitted")
            .set("socket.timeout.ms", "6000");
        config
    }

    /// The same, and that broker is the first it hears of.
    pub(super) fn asking_first(&self, broker: &str) -> ClientConfig {
        let mut config = self.asking();
        config.set("bootstrap.servers", broker);
        config
    }

    pub(super) fn consumer(&self) -> ClientConfig {
        let mut config = self.asking();
        config
            // librdkafka assigns no partition without a group's name; the group is never joined.
            .set("group.id", "changtong-unused")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("check.crcs", "true")
            .set("enable.partition.eof", "true")
            .set("max.poll.interval.ms", "86400000")
            // One fetch at a time goes to a broker: a new position waits for the one under way.
            .set("fetch.wait.max.ms", "100")
            .set("fetch.error.backoff.ms", "100")
            // A full queue of ours is emptied at once by the next read; a second's pause would be its latency.
            .set("fetch.queue.backoff.ms", "10")
            // What a consumer holds beside what is being read: with what librdkafka keeps around each small record it
            // takes several times these bytes, in every consumer that reads or waits.
            .set("queued.max.messages.kbytes", "1024")
            .set("fetch.message.max.bytes", "524288");
        config
    }

    pub(super) fn admin(&self) -> ClientConfig {
        self.client()
    }
}

/// What librdkafka and its clients have said lately: while a broker is away each client says so several times a second.
static LATELY: Lately = Lately::new();

/// Passes what librdkafka has to say to the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Speaker;

impl ClientContext for Speaker {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        speak(level, fac, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // A reader at the end of what there is: nothing is wrong, and it happens all day.
        if !is_end(&error) {
            complain(&error, reason);
        }
    }
}

fn is_end(error: &KafkaError) -> bool {
    matches!(error, KafkaError::PartitionEOF(_) | KafkaError::Global(RDKafkaErrorCode::PartitionEOF))
}

impl ConsumerContext for Speaker {}

pub(super) fn speak(level: RDKafkaLogLevel, fac: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(fac, message, "librdkafka");
        }
        RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
            if let Some(alike) = LATELY.passes(fac, Instant::now()) {
                tracing::warn!(fac, message, alike, "librdkafka");
            }
        }
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
            tracing::debug!(fac, message, "librdkafka");
        }
    }
}

/// An error that a client reports.
pub(super) fn complain(error: &KafkaError, reason: &str) {
    if let Some(alike) = LATELY.passes(&error.to_string(), Instant::now()) {
        tracing::warn!(%error, reason, alike, "kafka client");
    }
}

/// One line of a kind in a while; those between are counted.
struct Lately(Mutex<BTreeMap<String, (Instant, u64)>>);

impl Lately {
    const PAUSE: Duration = Duration::from_secs(30);
    /// Kinds are few; should they not be, all begin anew.
    const MOST: usize = 256;

    const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// Whether a line of that kind is written; how many like it were not since the last.
    fn passes(&self, kind: &str, now: Instant) -> Option<u64> {
        let mut kinds = self.0.lock();
        if let Some((written, alike)) = kinds.get_mut(kind)
            && now.saturating_duration_since(*written) < Self::PAUSE
        {
            *alike += 1;
            return None;
        }
        if kinds.len() >= Self::MOST {
            kinds.clear();
        }
        let before = kinds.insert(kind.to_owned(), (now, 0));
        Some(before.map_or(0, |(_, alike)| alike))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::consumer::BaseConsumer;
    use rdkafka::producer::BaseProducer;

    fn secured(mechanism: SaslMechanism) -> KafkaSettings {
        let password = Secret::new("hunter2".to_owned());
        KafkaSettings {
            brokers: "127.0.0.1:1".to_owned(),
            tls: Some(Tls { ca: None }),
            sasl: Some(Sasl { mechanism, username: "bus".to_owned(), password }),
            replication_factor: 3,
            min_insync_replicas: 2,
            linger: Duration::from_millis(2),
        }
    }

    #[test]
    fn librdkafka_takes_every_setting() {
        for mechanism in [SaslMechanism::Plain, SaslMechanism::ScramSha256, SaslMechanism::ScramSha512] {
            let settings = secured(mechanism);
            assert!(settings.producer().create::<BaseProducer>().is_ok());
            assert!(settings.consumer().create::<BaseConsumer>().is_ok());
            assert!(settings.asking().create::<BaseConsumer>().is_ok());
            assert_eq!(settings.producer().get("security.protocol"), Some("sasl_ssl"));
        }
    }

    #[test]
    fn lines_of_a_kind_are_written_once_in_a_while_and_counted() {
        let (lately, began) = (Lately::new(), Instant::now());
        let at = |kind, seconds| lately.passes(kind, began + Duration::from_secs(seconds));
        assert_eq!(at("FAIL", 0), Some(0));
        assert_eq!((at("FAIL", 1), at("FAIL", 29)), (None, None));
        assert_eq!(at("ERROR", 29), Some(0), "another kind is not held back");
        assert_eq!(at("FAIL", 30), Some(2));
        assert_eq!(at("FAIL", 31), None);
    }

    #[test]
    fn the_end_of_a_partition_is_no_trouble() {
        assert!(is_end(&KafkaError::Global(RDKafkaErrorCode::PartitionEOF)));
        assert!(!is_end(&KafkaError::Global(RDKafkaErrorCode::AllBrokersDown)));
    }

    #[test]
    fn the_password_shows_nowhere() {
        let settings = secured(SaslMechanism::Plain);
        assert!(!format!("{settings:?} {settings:#?}").contains("hunter2"));
        assert!(!format!("{:?}", settings.producer()).contains("hunter2"));
    }
}
