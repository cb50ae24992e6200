//! Making topics, and looking at the cluster before it is used.

use std::time::Duration;

use changtong_catalog::error::Refusal;
use rdkafka::ClientConfig;
use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::error::KafkaError;
use rdkafka::metadata::Metadata;
use rdkafka::types::RDKafkaErrorCode;

use super::config::{KafkaSettings, Speaker, TOPIC_MESSAGE_MAX};
use super::{broker_refused, elsewhere};
use crate::log::{TopicSpec, refusals};

pub(super) const MAKING: Duration = Duration::from_secs(10);

pub(super) struct Admin(Option<AdminClient<Speaker>>);

/// What `check` found of the cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct KafkaCheck {
    pub cluster: Option<String>,
    pub brokers: usize,
    /// `inter.broker.protocol.version` of the brokers; 4.0 and later have none.
    pub protocol: Option<String>,
    /// The brokers' default, which our topics override.
    pub message_max_bytes: Option<String>,
    /// Who decides on access to topics; none: everybody who reaches a broker may do everything.
    pub authorizer: Option<String>,
    /// Why the cluster can't be used as set.
    pub faults: Vec<Refusal>,
}

impl Admin {
    pub(super) fn new(config: &ClientConfig) -> Result<Self, Refusal> {
        let client = config.create_with_context(Speaker).map_err(|error| broker_refused(&error))?;
        Ok(Self(Some(client)))
    }

    pub(super) fn client(&self) -> Result<&AdminClient<Speaker>, Refusal> {
        self.0.as_ref().ok_or_else(refusals::shutting_down)
    }

    /// True if the topic was made, false if there is one of that name.
    pub(super) async fn create(
        &self,
        settings: &KafkaSettings,
        spec: &TopicSpec,
        only_try: bool,
    ) -> Result<bool, Refusal> {
        let config = topic_config(settings, spec);
        let replication = TopicReplication::Fixed(settings.replication_factor);
        let mut topic = NewTopic::new(spec.name.as_str(), spec.partitions, replication);
        for (key, value) in &config {
            topic = topic.set(key, value);
        }
        let options = AdminOptions::new()
            .request_timeout(Some(MAKING))
            .operation_timeout(Some(MAKING))
            .validate_only(only_try);
        let made = self.client()?.create_topics([&topic], &options).await;
        let made = made.map_err(|error| broker_refused(&error))?;
        match made.into_iter().next() {
            Some(Ok(_)) => Ok(true),
            Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(false),
            Some(Err((_, RDKafkaErrorCode::InvalidReplicationFactor))) => Err(few_brokers(settings)),
            Some(Err((_, code))) => Err(broker_refused(&KafkaError::AdminOp(code))),
            None => Err(refusals::timed_out(&spec.name)),
        }
    }

    /// Whether a topic that is there has the settings that ours have.
    pub(super) async fn has_shape(
        &self,
        settings: &KafkaSettings,
        spec: &TopicSpec,
    ) -> Result<bool, Refusal> {
        let found = self.describe(ResourceSpecifier::Topic(spec.name.as_str())).await?;
        let is = |(key, value): &(&str, String)| {
            found.get(key).and_then(|entry| entry.value.as_deref()) == Some(value.as_str())
        };
        Ok(topic_config(settings, spec).iter().all(is))
    }

    async fn describe(&self, what: ResourceSpecifier<'_>) -> Result<ConfigResource, Refusal> {
        let options = AdminOptions::new().request_timeout(Some(MAKING));
        let described = self.client()?.describe_configs([&what], &options).await;
        let first = described.map_err(|error| broker_refused(&error))?.into_iter().next();
        match first {
            Some(Ok(resource)) => Ok(resource),
            Some(Err(code)) => Err(broker_refused(&KafkaError::AdminOp(code))),
            None => Err(broker_refused(&KafkaError::Canceled)),
        }
    }

    /// `probe` names a topic that is not made, only tried.
    pub(super) async fn check(
        &self,
        settings: &KafkaSettings,
        metadata: &Metadata,
        cluster: Option<String>,
        probe: &TopicSpec,
    ) -> Result<KafkaCheck, Refusal> {
        let Some(broker) = metadata.brokers().first() else {
            return Err(broker_refused(&KafkaError::Global(RDKafkaErrorCode::AllBrokersDown)));
        };
        let config = self.describe(ResourceSpecifier::Broker(broker.id())).await?;
        let value = |key: &str| config.get(key).and_then(|entry| entry.value.clone());
        let mut faults = Vec::new();
        if settings.min_insync_replicas > settings.replication_factor {
            faults.push(refusals::unavailable(
                format!(
                    "kafka.min_insync_replicas({})大于 kafka.replication_factor({})",
                    settings.min_insync_replicas, settings.replication_factor
                ),
                format!(
                    "kafka.min_insync_replicas ({}) is more than kafka.replication_factor ({})",
                    settings.min_insync_replicas, settings.replication_factor
                ),
            ));
        }
        faults.extend(self.create(settings, probe, true).await.err());
        Ok(KafkaCheck {
            cluster,
            brokers: metadata.brokers().len(),
            protocol: value("inter.broker.protocol.version"),
            message_max_bytes: value("message.max.bytes"),
            authorizer: value("authorizer.class.name").filter(|class| !class.is_empty()),
            faults,
        })
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        if let Some(client) = self.0.take() {
            elsewhere(move || drop(client));
        }
    }
}

/// The parts of a topic that is kept for a while: what is too old goes in such a part of its time at most.
const PARTS: u32 = 8;
/// Segments are no shorter: each is a file of its own.
const SHORTEST_SEGMENT: Duration = Duration::from_secs(600);
/// Nor longer than brokers have them by default.
const LONGEST_SEGMENT: Duration = Duration::from_secs(7 * 24 * 3600);

fn topic_config(settings: &KafkaSettings, spec: &TopicSpec) -> Vec<(&'static str, String)> {
    let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX).to_string();
    let retention = spec.retention.map_or("-1".to_owned(), millis);
    let mut config = vec![
        ("cleanup.policy", "delete".to_owned()),
        ("message.timestamp.type", "LogAppendTime".to_owned()),
        ("unclean.leader.election.enable", "false".to_owned()),
        ("min.insync.replicas", settings.min_insync_replicas.to_string()),
        ("retention.ms", retention),
        // By age alone, whatever the brokers' default says of sizes.
        ("retention.bytes", "-1".to_owned()),
        ("max.message.bytes", TOPIC_MESSAGE_MAX.to_string()),
    ];
    // Only a whole segment goes, once its newest record is too old: without a bound of its age, a small topic's one
    // segment would keep records for a week longer, or until it has its gigabyte.
    if let Some(kept) = spec.retention {
        let segment = (kept / PARTS).clamp(SHORTEST_SEGMENT, LONGEST_SEGMENT);
        config.push(("segment.ms", millis(segment)));
    }
    config
}

fn few_brokers(settings: &KafkaSettings) -> Refusal {
    let wanted = settings.replication_factor;
    refusals::unavailable(
        format!("Kafka 集群的节点少于 kafka.replication_factor({wanted})"),
        format!("the Kafka cluster has fewer brokers than kafka.replication_factor ({wanted})"),
    )
}

#[cfg(test)]
mod tests {
    use changtong_catalog::ids::{Generation, ResourceNumber, TopicName};

    use super::*;

    #[test]
    fn what_is_kept_for_a_while_lies_in_short_segments() {
        let settings = KafkaSettings {
            brokers: String::new(),
            tls: None,
            sasl: None,
            replication_factor: 1,
            min_insync_replicas: 1,
            linger: Duration::ZERO,
        };
        let of = |retention: Option<Duration>| {
            let name = TopicName::records("", ResourceNumber(1), Generation(1));
            let config = topic_config(&settings, &TopicSpec { name, partitions: 1, retention });
            let value = |key| config.iter().find(|(name, _)| *name == key).map(|(_, value)| value.clone());
            (value("retention.ms").unwrap(), value("segment.ms"))
        };
        let hours = |hours: u64| Some(Duration::from_secs(hours * 3600));
        assert_eq!(of(None), ("-1".to_owned(), None));
        assert_eq!(of(hours(24)), ("86400000".to_owned(), Some("10800000".to_owned())));
        assert_eq!(of(hours(1)).1, Some("600000".to_owned()));
        assert_eq!(of(hours(36500 * 24)).1, Some("604800000".to_owned()));
    }
}
