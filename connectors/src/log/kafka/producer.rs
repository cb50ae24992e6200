//! Appending: records enqueued into one idempotent producer, offsets taken from its delivery reports.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::TopicName;
use parking_lot::{Mutex, RwLock};
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::KafkaError;
use rdkafka::message::{Message, Timestamp};
use rdkafka::producer::{
    BaseRecord, DeliveryResult, Producer, ProducerContext, PurgeConfig, ThreadedProducer,
};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Statistics};
use tokio::time::{Instant, timeout_at};

use super::batch::{Batches, Failure, MOST, Outcome, Placed};
use super::company::Departures;
use super::config::{complain, speak};
use super::statistics::KafkaMetrics;
use super::{broker_refused, elsewhere};
use crate::fault;
use crate::log::{AppendError, Entry, refusals};

/// How long to wait for room in a full queue before looking again.
const QUEUE_FULL_PAUSE: Duration = Duration::from_millis(5);

/// Records enqueued before other tasks get a turn.
const TURN: usize = 512;

/// What the producer calls back: reports into their batches, the rest into log and metrics.
pub(super) struct Reports {
    batches: Batches,
    metrics: Arc<KafkaMetrics>,
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        speak(level, fac, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        complain(&error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        self.metrics.take(&statistics);
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    /// Only a report without error, with an offset and the log's append time, names an offset: librdkafka numbers
    /// the records of a request from the base offset of its answer, even one of -1, even in error.
    fn delivery(&self, report: &DeliveryResult<'_>, id: usize) {
        let result = match report {
            Ok(message) => match message.timestamp() {
                Timestamp::LogAppendTime(appended_ms) if message.offset() >= 0 => {
                    Ok(Placed { offset: message.offset(), appended_ms })
                }
                _ => Err(Failure::NoOffset),
            },
            Err((KafkaError::MessageProduction(code), _)) => Err(Failure::Report(*code)),
            Err(_) => Err(Failure::NoOffset),
        };
        if result.is_err() {
            self.metrics.report_without_offset();
        }
        self.batches.report(id, result);
    }
}

/// A producer that ends on a thread of its own, since its end waits for its queue.
struct Live(Option<ThreadedProducer<Reports>>);

impl Live {
    fn make(config: &ClientConfig, metrics: &Arc<KafkaMetrics>) -> Result<Arc<Self>, Refusal> {
        let reports = Reports { batches: Batches::default(), metrics: Arc::clone(metrics) };
        let made = ThreadedProducer::from_config_and_context(config, reports);
        made.map(|producer| Arc::new(Self(Some(producer)))).map_err(|error| broker_refused(&error))
    }

    fn producer(&self) -> Result<&ThreadedProducer<Reports>, Refusal> {
        self.0.as_ref().ok_or_else(refusals::shutting_down)
    }

    fn is_dead(&self) -> bool {
        self.0.as_ref().is_none_or(|producer| producer.client().fatal_error().is_some())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(producer) = self.0.take() {
            elsewhere(move || drop(producer));
        }
    }
}

pub(super) struct Appender {
    config: ClientConfig,
    metrics: Arc<KafkaMetrics>,
    /// `None` once closed.
    live: RwLock<Option<Arc<Live>>>,
    /// Held while a call's records are enqueued, so that calls on a topic don't mix.
    enqueuing: Mutex<HashMap<TopicName, Arc<tokio::sync::Mutex<()>>>>,
    departures: Departures,
}

impl Appender {
    pub(super) fn new(
        config: ClientConfig,
        linger: Duration,
        metrics: Arc<KafkaMetrics>,
    ) -> Result<Self, Refusal> {
        let live = RwLock::new(Some(Live::make(&config, &metrics)?));
        Ok(Self { config, metrics, live, enqueuing: Mutex::default(), departures: Departures::new(linger) })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.live.read().is_none()
    }

    pub(super) async fn append(
        &self,
        topic: &TopicName,
        entries: &[Entry],
        deadline: Instant,
    ) -> Result<Vec<Placed>, AppendError> {
        if entries.len() > MOST {
            return Err(too_many(entries.len()).into());
        }
        let _under_way = self.departures.join(entries.len()).await;
        let live = self.live()?;
        let producer = live.producer()?;
        let mut batch = producer.context().batches.open(entries.len());
        let (enqueued, stopped) =
            self.enqueue(producer, topic, entries, deadline, |index| batch.id(index)).await;
        let in_time = timeout_at(deadline, batch.reported(enqueued)).await.is_ok();
        judge(topic, entries, batch.outcome(), stopped, in_time)
    }

    /// The producer in force; one with a fatal error is replaced, and what it holds fails.
    fn live(&self) -> Result<Arc<Live>, Refusal> {
        let live = self.live.read().clone().ok_or_else(refusals::shutting_down)?;
        if !live.is_dead() {
            return Ok(live);
        }
        let mut slot = self.live.write();
        match &*slot {
            None => Err(refusals::shutting_down()),
            Some(other) if !other.is_dead() => Ok(Arc::clone(other)),
            Some(_) => {
                let fresh = Live::make(&self.config, &self.metrics)?;
                *slot = Some(Arc::clone(&fresh));
                self.metrics.producer_replaced();
                tracing::error!("the kafka producer had a fatal error and is replaced; its appends fail");
                if let Some(dead) = &live.0 {
                    dead.purge(PurgeConfig::default().queue().inflight().non_blocking());
                }
                Ok(fresh)
            }
        }
    }

    /// Enqueues in order; answers how many were, and why it stopped short of all.
    async fn enqueue(
        &self,
        producer: &ThreadedProducer<Reports>,
        topic: &TopicName,
        entries: &[Entry],
        deadline: Instant,
        id: impl Fn(usize) -> usize,
    ) -> (usize, Option<Refusal>) {
        let lock = Arc::clone(self.enqueuing.lock().entry(topic.clone()).or_default());
        let Ok(_held) = timeout_at(deadline, lock.lock()).await else {
            return (0, Some(refusals::timed_out(topic)));
        };
        for (index, entry) in entries.iter().enumerate() {
            if index == entries.len() / 2 {
                fault::point(fault::APPENDING);
            }
            while let Err(error) = send(producer, topic, entry, id(index)) {
                if error != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
                    return (index, Some(broker_refused(&error)));
                }
                if Instant::now() + QUEUE_FULL_PAUSE >= deadline {
                    return (index, Some(queue_full()));
                }
                tokio::time::sleep(QUEUE_FULL_PAUSE).await;
            }
            if index % TURN == TURN - 1 {
                tokio::task::yield_now().await;
            }
        }
        (entries.len(), None)
    }

    /// Takes no more and waits for what is in flight, on a thread of its own.
    pub(super) async fn close(&self, deadline: Duration) {
        let Some(live) = self.live.write().take() else { return };
        let flushed = elsewhere(move || {
            if let Some(producer) = &live.0
                && let Err(error) = producer.flush(deadline)
            {
                tracing::warn!(%error, "the kafka producer ended with records in flight");
            }
        });
        let _ = tokio::time::timeout(deadline, flushed).await;
    }
}

fn send(
    producer: &ThreadedProducer<Reports>,
    topic: &TopicName,
    entry: &Entry,
    id: usize,
) -> Result<(), KafkaError> {
    let mut record =
        BaseRecord::<[u8], [u8], usize>::with_opaque_to(topic.as_str(), id).partition(entry.partition);
    record.key = entry.key.as_deref();
    record.payload = entry.value.as_deref();
    producer.send(record).map_err(|(error, _)| error)
}

/// Offsets count only if every record has one and they rise in each partition.
fn judge(
    topic: &TopicName,
    entries: &[Entry],
    outcome: Outcome,
    stopped: Option<Refusal>,
    in_time: bool,
) -> Result<Vec<Placed>, AppendError> {
    let mut last = HashMap::new();
    let rises = entries.iter().zip(&outcome.placed).all(|(entry, placed)| {
        let Some(Placed { offset, .. }) = *placed else { return true };
        last.insert(entry.partition, offset).is_none_or(|before| before < offset)
    });
    let whole: Option<Vec<Placed>> = outcome.placed.iter().copied().collect();
    let refusal = match (stopped, outcome.failure, whole) {
        (None, None, Some(placed)) if rises => return Ok(placed),
        (Some(refusal), ..) => refusal,
        (None, Some(Failure::Report(code)), _) => broker_refused(&KafkaError::MessageProduction(code)),
        (None, Some(Failure::NoOffset), _) => no_offset(topic),
        (None, None, Some(_)) => out_of_order(topic),
        (None, None, None) if in_time => no_offset(topic),
        (None, None, None) => refusals::timed_out(topic),
    };
    let named = entries.iter().zip(outcome.placed);
    let landed = named.filter_map(|(entry, placed)| Some((entry.partition, placed?.offset))).collect();
    Err(AppendError { refusal, landed })
}

fn too_many(records: usize) -> Refusal {
    Refusal::new(
        Code::BatchTooLarge,
        format!("一次写入 {records} 条,超过上限 {MOST}"),
        format!("{records} records in one append, more than {MOST}"),
    )
    .with("limit", MOST)
    .with("actual", records)
}

fn queue_full() -> Refusal {
    Refusal::new(
        Code::Overloaded,
        "待发送的记录过多,请稍后重试",
        "too many records wait to be sent to Kafka; try again later",
    )
    .retry_after(Duration::from_secs(2))
}

fn no_offset(topic: &TopicName) -> Refusal {
    refusals::unavailable(
        format!("Kafka 未告知主题 {topic} 的记录位置,本次写入不计,请重试"),
        format!("Kafka did not say where the records of topic {topic} are; they do not count, try again"),
    )
}

fn out_of_order(topic: &TopicName) -> Refusal {
    refusals::unavailable(
        format!("Kafka 打乱了主题 {topic} 的记录次序,本次写入不计,请重试"),
        format!("Kafka changed the order of the records of topic {topic}; they do not count, try again"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use changtong_catalog::ids::{Generation, ResourceNumber};

    fn judged(partitions: &[i32], offsets: &[Option<i64>]) -> Result<Vec<i64>, AppendError> {
        let topic = TopicName::records("", ResourceNumber(1), Generation(1));
        let entries: Vec<_> =
            partitions.iter().map(|p| Entry { partition: *p, key: None, value: None }).collect();
        let place = |offset: &Option<i64>| offset.map(|offset| Placed { offset, appended_ms: 1 });
        let outcome = Outcome { placed: offsets.iter().map(place).collect(), failure: None };
        let placed = judge(&topic, &entries, outcome, None, true)?;
        Ok(placed.into_iter().map(|placed| placed.offset).collect())
    }

    #[test]
    fn only_whole_rising_answers_count() {
        assert_eq!(judged(&[0, 1, 0], &[Some(5), Some(2), Some(6)]), Ok(vec![5, 2, 6]));
        for offsets in [[Some(6), Some(5)], [Some(5), Some(5)]] {
            let error = judged(&[0, 0], &offsets).unwrap_err();
            assert_eq!((error.refusal.code, error.landed.len()), (Code::BrokerUnavailable, 2));
        }
        let error = judged(&[0, 0, 1], &[Some(5), None, Some(1)]).unwrap_err();
        assert_eq!(error.landed, [(0, 5), (1, 1)]);
    }
}
