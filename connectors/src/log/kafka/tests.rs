//! The suite on the real Apache Kafka.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use changtong_catalog::error::Code;
use changtong_catalog::ids::{Generation, ResourceNumber, TopicName};
use prometheus::Registry;
use rdkafka::admin::AdminOptions;
use rdkafka::{Offset, TopicPartitionList};

use super::{KafkaLog, KafkaMetrics, KafkaSettings};
use crate::gate::{Permit, PermitKind};
use crate::log::conformance::{DEADLINE, Engine, append, conformance, entry, make, range, steward, topic_of};
use crate::log::{Log, LogRecord, Range, TopicSpec};

/// The broker's address; without one the tests fail and say what to do, unless the run goes without Kafka.
#[expect(clippy::disallowed_methods, reason = "the test run says where its engines are")]
fn broker() -> Option<String> {
    let without = std::env::var("CHANGTONG_TEST_WITHOUT").unwrap_or_default();
    if without.split(',').any(|engine| engine == "kafka") {
        println!("without Kafka: {}", std::env::var("CHANGTONG_TEST_WITHOUT_WHY").unwrap_or_default());
        return None;
    }
    let address = std::env::var("CHANGTONG_TEST_KAFKA");
    Some(address.expect("no CHANGTONG_TEST_KAFKA: run `make test`, or source the env of `engines.sh up DIR`"))
}

fn settings(brokers: &str) -> KafkaSettings {
    KafkaSettings {
        brokers: brokers.to_owned(),
        tls: None,
        sasl: None,
        replication_factor: 1,
        min_insync_replicas: 1,
        linger: Duration::from_millis(2),
    }
}

fn open(settings: KafkaSettings) -> Arc<KafkaLog> {
    let metrics = KafkaMetrics::register(&Registry::new()).unwrap();
    Arc::new(KafkaLog::open(settings, metrics).unwrap())
}

struct Kafka {
    brokers: String,
    prefix: String,
    log: Arc<KafkaLog>,
}

#[async_trait]
impl Engine for Kafka {
    const CASES: u32 = 4;

    async fn start() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let brokers = broker()?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let now = rdkafka::util::current_time_millis();
        let prefix = format!("t{}.{now}.{count}.", std::process::id());
        let log = open(settings(&brokers));
        Some(Self { brokers, prefix, log })
    }

    fn log(&self) -> Arc<dyn Log> {
        self.log.clone()
    }

    fn prefix(&self) -> String {
        self.prefix.clone()
    }

    async fn restart(&mut self) {
        self.log.close(DEADLINE).await;
        self.log = open(settings(&self.brokers));
    }

    async fn pass_time(&self) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    async fn forget(&self, topic: &TopicName) {
        let count = self.log.partitions(topic).await.unwrap();
        let mut list = TopicPartitionList::new();
        for partition in 0..count {
            list.add_partition_offset(topic.as_str(), partition, Offset::End).unwrap();
        }
        let client = self.log.admin.client().unwrap();
        let deleted = client.delete_records(&list, &AdminOptions::new()).await.unwrap();
        assert!(deleted.elements().iter().all(|element| element.error().is_ok()));
    }

    async fn stop(self) {
        let admin = self.log.admin.client().unwrap();
        let names: Vec<String> = (1..=8).map(|number| topic_of(&self, number).to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let _ = admin.delete_topics(&names, &AdminOptions::new()).await;
        self.log.close(DEADLINE).await;
    }
}

conformance!(Kafka);

/// A log whose metrics are looked at.
async fn watched(engine: &mut Kafka) -> Registry {
    let registry = Registry::new();
    engine.log.close(DEADLINE).await;
    let metrics = KafkaMetrics::register(&registry).unwrap();
    engine.log = Arc::new(KafkaLog::open(settings(&engine.brokers), metrics).unwrap());
    registry
}

fn consumers_made(registry: &Registry) -> f64 {
    let made = registry.gather().into_iter().find(|it| it.name() == "changtong_kafka_consumers_made_total");
    made.unwrap().get_metric()[0].get_counter().get_value()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_follows_a_topic_gets_what_was_appended_lately_without_a_consumer() {
    let Some(mut engine) = Kafka::start().await else { return };
    let registry = watched(&mut engine).await;
    let deliver = |topic: &TopicName| {
        let kind = PermitKind::Deliver { grant_version: 1 };
        Permit::for_test(kind, topic.clone(), 1000, DEADLINE)
    };
    let mut topics = Vec::new();
    for number in 1..=8 {
        let topic = make(&engine, number, 1).await;
        append(&*engine.log, &topic, vec![entry(0, "k", "first")]).await.unwrap();
        let first = engine.log.read(deliver(&topic), &[range(0, 0, 1)], 1 << 20).await.unwrap();
        assert_eq!(first.len(), 1);
        topics.push(topic);
    }
    for offset in 1..=10 {
        for topic in &topics {
            let entries = vec![entry(0, "k", &format!("value {offset}"))];
            assert_eq!(append(&*engine.log, topic, entries).await.unwrap(), [offset]);
            let read =
                engine.log.read(deliver(topic), &[range(0, offset, offset + 1)], 1 << 20).await.unwrap();
            assert_eq!((read.len(), read[0].offset), (1, offset));
        }
    }
    assert_eq!(consumers_made(&registry), 0.0);
    for topic in &topics {
        let followed = engine.log.read(deliver(topic), &[range(0, 1, 11)], 1 << 20).await.unwrap();
        let brokers = engine.log.read(steward(topic, 1000), &[range(0, 1, 11)], 1 << 20).await.unwrap();
        assert_eq!(followed, brokers, "times included");
    }
    engine.stop().await;
}

/// Of sixteen partitions brokers bring more at once than is kept for later reads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_many_the_partitions_one_consumer_reads_them_to_their_ends() {
    const PARTITIONS: i32 = 16;
    const EACH: i64 = 150;
    let Some(mut engine) = Kafka::start().await else { return };
    let registry = watched(&mut engine).await;
    let topic = make(&engine, 1, PARTITIONS).await;
    let value = "x".repeat(4096);
    for partition in 0..PARTITIONS {
        let entries = (0..EACH).map(|_| entry(partition, "k", &value)).collect();
        append(&*engine.log, &topic, entries).await.unwrap();
    }
    let mut next = vec![0; PARTITIONS as usize];
    while next.iter().any(|next| *next < EACH) {
        let ranges = (0..PARTITIONS).map(|at| range(at, next[at as usize], EACH));
        let ranges: Vec<Range> = ranges.filter(|range| range.from < range.to).collect();
        for record in engine.log.read(steward(&topic, 1000), &ranges, 64 << 10).await.unwrap() {
            let next = &mut next[record.partition as usize];
            assert_eq!(record.offset, *next);
            *next += 1;
        }
    }
    assert_eq!(consumers_made(&registry), 1.0);
    engine.stop().await;
}

/// Whoever made an answer of a part of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_read_and_not_used_is_given_again_without_another_consumer() {
    const EACH: i64 = 200;
    let Some(mut engine) = Kafka::start().await else { return };
    let registry = watched(&mut engine).await;
    let topic = make(&engine, 1, 3).await;
    for partition in 0..3 {
        let entries = (0..EACH).map(|n| entry(partition, "k", &format!("{partition} {n}"))).collect();
        append(&*engine.log, &topic, entries).await.unwrap();
    }
    let mut next = [0; 3];
    while next.iter().any(|next| *next < EACH) {
        let ranges = (0..3).map(|at| range(at, next[at as usize], EACH));
        let ranges: Vec<Range> = ranges.filter(|range| range.from < range.to).collect();
        let mut read = engine.log.read(steward(&topic, 60), &ranges, 1 << 20).await.unwrap();
        let unused = read.split_off(read.len().div_ceil(2));
        for record in read {
            let next = &mut next[record.partition as usize];
            assert_eq!(record.offset, *next);
            let value = format!("{} {}", record.partition, record.offset);
            assert_eq!(record.value.unwrap(), value.as_bytes());
            *next += 1;
        }
        engine.log.put_back(&topic, unused);
    }
    assert_eq!(consumers_made(&registry), 1.0);
    // What nobody gave is not taken: the next read asks the brokers.
    let made_up = LogRecord { partition: 0, offset: 7, appended_ms: 0, key: None, value: None };
    engine.log.put_back(&topic, vec![made_up]);
    let read = engine.log.read(steward(&topic, 9), &[range(0, 7, EACH)], 1 << 20).await.unwrap();
    assert_eq!(read[0].value.as_deref(), Some(&b"0 7"[..]));
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_says_what_is_wrong_with_the_cluster() {
    let Some(brokers) = broker() else { return };
    let probe = TopicSpec {
        name: TopicName::records("probe.", ResourceNumber(0), Generation(1)),
        partitions: 3,
        retention: None,
    };
    let log = open(settings(&brokers));
    let check = log.check(&probe).await.unwrap();
    assert_eq!((check.brokers, check.faults), (1, Vec::new()));
    assert!(check.cluster.is_some() && check.message_max_bytes.is_some());
    assert_eq!(log.extents(std::slice::from_ref(&probe.name)).await, Ok([].into()), "the probe was made");
    log.close(DEADLINE).await;
    for (replication_factor, min_insync_replicas, faults) in [(3, 2, 1), (1, 2, 1)] {
        let wrong = KafkaSettings { replication_factor, min_insync_replicas, ..settings(&brokers) };
        let log = open(wrong);
        assert_eq!(log.check(&probe).await.unwrap().faults.len(), faults);
        log.close(DEADLINE).await;
    }
    let log = open(settings("127.0.0.1:1"));
    assert_eq!(log.check(&probe).await.unwrap_err().code, Code::BrokerUnavailable);
    log.close(DEADLINE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bare_producer_counts_what_is_acknowledged_in_a_topic_of_its_own() {
    let Some(kafka) = Kafka::start().await else { return };
    let spec = TopicSpec { name: topic_of(&kafka, 1), partitions: 3, retention: None };
    let entries: Vec<_> = (0..50).map(|number| entry(number % 3, &number.to_string(), "value")).collect();
    let produced = kafka.log.produce_bare(&spec, entries.clone(), Duration::ZERO).await.unwrap();
    assert_eq!(produced.records, 50, "one round, behind one that does not count");
    let began = std::time::Instant::now();
    while kafka.log.has_topic(&spec.name).await.unwrap() {
        assert!(began.elapsed() < DEADLINE, "its topic stays");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let other = TopicSpec { name: topic_of(&kafka, 2), ..spec };
    kafka.log.make_topic(&other, false).await.unwrap();
    let refused = kafka.log.produce_bare(&other, entries, Duration::ZERO).await.unwrap_err();
    assert_eq!(refused.code, Code::TopicExists);
    let untouched = kafka.log.extents(std::slice::from_ref(&other.name)).await.unwrap();
    assert!(untouched[&other.name].iter().all(|extent| extent.end == 0), "another's topic is not written to");
    kafka.stop().await;
}

mod faults;
mod restart;
