//! Errors that a broker gives rarely, injected by librdkafka's mock cluster.

use std::pin::pin;
use std::time::{Duration, Instant};

use changtong_catalog::error::Code;
use changtong_catalog::ids::{Generation, ResourceNumber, TopicName};
use prometheus::Registry;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use tokio::time::timeout;

use super::{KafkaLog, KafkaMetrics, settings};
use crate::gate::{Permit, PermitKind};
use crate::log::conformance::{DEADLINE, append, entry};
use crate::log::{AppendError, Entry, Log};

struct Mock {
    cluster: MockCluster<'static, DefaultProducerContext>,
    registry: Registry,
    log: KafkaLog,
    topic: TopicName,
}

fn mock() -> Mock {
    mock_that(1, |_| {})
}

/// `begins` comes before the first client does, which asks the brokers by itself.
fn mock_that(brokers: i32, begins: impl FnOnce(&MockCluster<'static, DefaultProducerContext>)) -> Mock {
    let cluster = MockCluster::new(brokers).unwrap();
    begins(&cluster);
    let topic = TopicName::records("", ResourceNumber(1), Generation(1));
    cluster.create_topic(topic.as_str(), 2, brokers).unwrap();
    let registry = Registry::new();
    let metrics = KafkaMetrics::register(&registry).unwrap();
    let log = KafkaLog::open(settings(&cluster.bootstrap_servers()), metrics).unwrap();
    Mock { cluster, registry, log, topic }
}

impl Mock {
    async fn append(&self, entries: Vec<Entry>) -> Result<Vec<i64>, AppendError> {
        append(&self.log, &self.topic, entries).await
    }

    /// The error answers every request of an append, in however many it travels.
    async fn append_refused(&self, error: RDKafkaRespErr) -> AppendError {
        let entries = three();
        self.cluster.request_errors(RDKafkaApiKey::Produce, &vec![error; entries.len()]);
        let refused = self.append(entries).await.unwrap_err();
        self.cluster.clear_request_errors(RDKafkaApiKey::Produce);
        refused
    }

    /// While nothing can be acknowledged an append is given up at its deadline, and not before.
    async fn waits_until_its_deadline(&self) {
        let (began, deadline) = (Instant::now(), Duration::from_secs(1));
        let short = Permit::for_test(PermitKind::Publish, self.topic.clone(), 3, deadline);
        let error = self.log.append(short, three()).await.unwrap_err();
        let waited = began.elapsed();
        assert_eq!((error.refusal.code, error.landed), (Code::BrokerUnavailable, Vec::new()));
        assert!(waited >= deadline, "given up after {waited:?}");
    }

    /// An append that begins while nothing can be acknowledged ends well once it can.
    async fn is_carried_over(&self, mend: impl FnOnce()) {
        let mut append = pin!(self.append(three()));
        let early = timeout(Duration::from_millis(300), append.as_mut()).await;
        assert!(early.is_err(), "answered meanwhile: {early:?}");
        mend();
        let offsets = append.await.unwrap();
        assert!(offsets.len() == 3 && offsets.iter().all(|offset| *offset >= 3), "{offsets:?}");
    }

    fn counted(&self, name: &str) -> f64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name).unwrap();
        family.get_metric()[0].get_counter().get_value()
    }
}

fn three() -> Vec<Entry> {
    (0..3).map(|i| entry(0, "k", &i.to_string())).collect()
}

#[tokio::test]
async fn a_duplicate_sequence_names_no_offset() {
    let mock = mock();
    assert_eq!(mock.append(three()).await, Ok(vec![0, 1, 2]));
    // librdkafka takes this answer for a success and counts on from its base offset of -1.
    let duplicate = RDKafkaRespErr::RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER;
    let error = mock.append_refused(duplicate).await;
    assert_eq!((error.refusal.code, error.landed), (Code::BrokerUnavailable, Vec::new()));
    assert_eq!(mock.counted("changtong_kafka_reports_without_offset_total"), 3.0);
    assert_eq!(mock.append(three()).await, Ok(vec![3, 4, 5]));
    mock.log.close(DEADLINE).await;
}

#[tokio::test]
async fn a_producer_with_a_fatal_error_is_replaced() {
    let refused = RDKafkaRespErr::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
    let mock = mock_that(1, |cluster| cluster.request_errors(RDKafkaApiKey::InitProducerId, &[refused]));
    let error = mock.append(three()).await.unwrap_err();
    assert_eq!((error.refusal.code, error.landed), (Code::BrokerUnavailable, Vec::new()));
    assert_eq!(mock.append(three()).await, Ok(vec![0, 1, 2]));
    assert_eq!(mock.counted("changtong_kafka_producers_replaced_total"), 1.0);
    assert_eq!(mock.append(three()).await, Ok(vec![3, 4, 5]));
    assert_eq!(mock.counted("changtong_kafka_producers_replaced_total"), 1.0);
    mock.log.close(DEADLINE).await;
}

#[tokio::test]
async fn errors_that_pass_are_outlasted() {
    let mock = mock();
    let passing = [
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT,
    ];
    mock.cluster.request_errors(RDKafkaApiKey::Produce, &passing);
    assert_eq!(mock.append(three()).await, Ok(vec![0, 1, 2]));
    mock.log.close(DEADLINE).await;
}

#[tokio::test]
async fn a_refusal_of_the_broker_fails_the_append_alone() {
    let mock = mock();
    assert_eq!(mock.append(three()).await, Ok(vec![0, 1, 2]));
    let refused = RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_RECORD;
    let error = mock.append_refused(refused).await;
    assert_eq!((error.refusal.code, error.landed), (Code::BrokerUnavailable, Vec::new()));
    assert_eq!(mock.append(three()).await, Ok(vec![3, 4, 5]));
    mock.log.close(DEADLINE).await;
}

#[tokio::test]
async fn an_append_that_gave_up_is_not_mixed_with_the_next() {
    let mock = mock();
    assert_eq!(mock.append(three()).await, Ok(vec![0, 1, 2]));
    mock.cluster.broker_round_trip_time(1, Duration::from_secs(2)).unwrap();
    let short = Permit::for_test(PermitKind::Publish, mock.topic.clone(), 3, Duration::from_millis(300));
    let error = mock.log.append(short, three()).await.unwrap_err();
    assert_eq!((error.refusal.code, error.landed), (Code::BrokerUnavailable, Vec::new()));
    mock.cluster.broker_round_trip_time(1, Duration::ZERO).unwrap();
    // The reports of the first come while this one waits, and are nobody's.
    assert_eq!(mock.append(three()).await, Ok(vec![6, 7, 8]));
    mock.log.close(DEADLINE).await;
}

#[tokio::test]
async fn a_broker_that_is_away_is_answered_within_the_deadline() {
    let mock = mock();
    assert_eq!(mock.append(three()).await, Ok(vec![0, 1, 2]));
    mock.cluster.broker_down(1).unwrap();
    let permit = |kind| Permit::for_test(kind, mock.topic.clone(), 3, Duration::from_secs(1));
    let error = mock.log.append(permit(PermitKind::Publish), three()).await.unwrap_err();
    assert_eq!((error.refusal.code, error.landed), (Code::BrokerUnavailable, Vec::new()));
    let range = crate::log::conformance::range(0, 0, 3);
    let error = mock.log.read(permit(PermitKind::Steward), &[range], 1000).await.unwrap_err();
    assert_eq!(error.code, Code::BrokerUnavailable);
    mock.cluster.broker_up(1).unwrap();
    assert_eq!(mock.append(three()).await.map(|offsets| offsets.len()), Ok(3));
    mock.log.close(DEADLINE).await;
}

/// Case 16: while a partition has no leader nothing is acknowledged; the next leader is found without a restart, also
/// by what is on its way.
#[tokio::test]
async fn case_16_a_lost_leader_is_waited_for_and_the_next_one_written_to() {
    let mock = mock_that(2, |_| {});
    let led_by =
        |leader| (0..2).try_for_each(|at| mock.cluster.partition_leader(mock.topic.as_str(), at, leader));
    led_by(Some(1)).unwrap();
    assert_eq!(mock.append(three()).await, Ok(vec![0, 1, 2]));
    mock.cluster.broker_down(1).unwrap();
    led_by(None).unwrap();
    mock.waits_until_its_deadline().await;
    mock.is_carried_over(|| led_by(Some(2)).unwrap()).await;
    mock.log.close(DEADLINE).await;
}

/// Case 16: brokers that refuse for want of replicas are asked again until the deadline, and then it is said.
#[tokio::test]
async fn case_16_too_few_replicas_in_sync_acknowledge_nothing() {
    let mock = mock();
    assert_eq!(mock.append(three()).await, Ok(vec![0, 1, 2]));
    let too_few = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS; 1000];
    mock.cluster.request_errors(RDKafkaApiKey::Produce, &too_few);
    mock.waits_until_its_deadline().await;
    mock.is_carried_over(|| mock.cluster.clear_request_errors(RDKafkaApiKey::Produce)).await;
    mock.log.close(DEADLINE).await;
}
