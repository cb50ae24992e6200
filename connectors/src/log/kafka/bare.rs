//! The yardstick of `changtong bench producer`: what the brokers take from a producer that is set as the gate's is and
//! has nothing around it. It writes into a topic that it makes itself and deletes again, so no record of the bus is
//! touched.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use changtong_catalog::error::Refusal;
use changtong_catalog::ids::TopicName;
use rdkafka::admin::AdminOptions;
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext as _, RDKafkaLogLevel};
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Statistics};

use super::admin::MAKING;
use super::config::{APPEND_DEADLINE, complain, speak};
use super::{KafkaLog, broker_refused, task_failed};
use crate::log::{Entry, Log as _, TopicSpec};

/// How long to wait for room in a full queue; it is never empty by then.
const QUEUE_FULL_PAUSE: Duration = Duration::from_millis(1);

/// What the brokers acknowledged, and in how long.
#[derive(Debug, Clone, Copy)]
pub struct Produced {
    pub records: u64,
    pub elapsed: Duration,
}

/// Counts reports, as the least that a producer does that wants to know.
#[derive(Default)]
struct Reports {
    acknowledged: AtomicU64,
    failed: AtomicU64,
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        speak(level, fac, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        complain(&error, reason);
    }

    fn stats(&self, _: Statistics) {}
}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, report: &DeliveryResult<'_>, (): ()) {
        let count = if report.is_ok() { &self.acknowledged } else { &self.failed };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

impl KafkaLog {
    /// Produces the entries over and over for that long, into a topic that must not be there yet. The time until the
    /// last acknowledgement counts, the making of the topic and the first round of entries do not.
    pub async fn produce_bare(
        &self,
        spec: &TopicSpec,
        entries: Vec<Entry>,
        time: Duration,
    ) -> Result<Produced, Refusal> {
        self.make_topic(spec, false).await?;
        let (config, topic) = (self.settings.producer(), spec.name.clone());
        let work = move || produce(&config, &topic, &entries, time).map_err(|error| broker_refused(&error));
        let produced = tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(task_failed()));
        let deleted = self.delete(&spec.name).await;
        produced.and_then(|produced| deleted.map(|()| produced))
    }

    async fn delete(&self, topic: &TopicName) -> Result<(), Refusal> {
        let options = AdminOptions::new().request_timeout(Some(MAKING)).operation_timeout(Some(MAKING));
        let deleted = self.admin.client()?.delete_topics(&[topic.as_str()], &options).await;
        let deleted = deleted.map_err(|error| broker_refused(&error))?;
        let refused = deleted.into_iter().find_map(Result::err);
        refused.map_or(Ok(()), |(_, code)| Err(broker_refused(&KafkaError::AdminOp(code))))
    }
}

fn produce(
    config: &ClientConfig,
    topic: &TopicName,
    entries: &[Entry],
    time: Duration,
) -> Result<Produced, KafkaError> {
    let producer = ThreadedProducer::from_config_and_context(config, Reports::default())?;
    let reports = producer.context();
    send(&producer, topic, entries)?;
    producer.flush(APPEND_DEADLINE)?;
    let (began, before) = (Instant::now(), reports.acknowledged.load(Ordering::Relaxed));
    loop {
        send(&producer, topic, entries)?;
        if began.elapsed() >= time {
            break;
        }
    }
    producer.flush(APPEND_DEADLINE)?;
    let elapsed = began.elapsed();
    if reports.failed.load(Ordering::Relaxed) > 0 {
        return Err(KafkaError::MessageProduction(RDKafkaErrorCode::MessageTimedOut));
    }
    Ok(Produced { records: reports.acknowledged.load(Ordering::Relaxed) - before, elapsed })
}

fn send(
    producer: &ThreadedProducer<Reports>,
    topic: &TopicName,
    entries: &[Entry],
) -> Result<(), KafkaError> {
    for entry in entries {
        let mut record = BaseRecord::<[u8], [u8]>::to(topic.as_str()).partition(entry.partition);
        (record.key, record.payload) = (entry.key.as_deref(), entry.value.as_deref());
        while let Err((error, refused)) = producer.send(record) {
            if error != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
                return Err(error);
            }
            record = refused;
            std::thread::sleep(QUEUE_FULL_PAUSE);
        }
    }
    Ok(())
}
