//! The readers that wait between reads, and their use: a read goes to one that stands where it begins.

use std::sync::Arc;
use std::time::{Duration, Instant};

use changtong_catalog::error::Refusal;
use changtong_catalog::ids::TopicName;
use parking_lot::Mutex;
use rdkafka::ClientConfig;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::checksum;
use super::offsets::Asker;
use super::reader::Reader;
use super::statistics::KafkaMetrics;
use super::{elsewhere, task_failed};
use crate::aside::{self, aside};
use crate::log::{LogRecord, Range, is_near, refusals};

/// Reads at one time; each has a consumer and a thread of its own.
const READS: usize = aside::WAITING;
/// Consumers that wait; a read that fits none takes the one that has waited longest. Of a topic that is followed one
/// waits at its end, whoever follows it: as many topics as this are read without moving a consumer, which costs the
/// fetch that it has under way (`fetch.wait.max.ms`).
const WAITING: usize = 32;
/// What a read may take beyond its deadline to put its consumer back.
const GRACE: Duration = Duration::from_millis(200);
/// How long one waits before it is given up, with what it has brought.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone)]
pub(super) struct Readers {
    config: Arc<ClientConfig>,
    asker: Arc<Asker>,
    metrics: Arc<KafkaMetrics>,
    reads: Arc<Semaphore>,
    /// Oldest first; `None` once closed.
    waiting: Arc<Mutex<Option<Waiting>>>,
}

/// Since when each has waited, and itself.
type Waiting = Vec<(Instant, Reader)>;

/// One read as asked for.
pub(super) struct Asked {
    pub topic: TopicName,
    pub ranges: Vec<Range>,
    pub most: usize,
    pub max_bytes: usize,
}

impl Readers {
    pub(super) fn new(config: ClientConfig, asker: Arc<Asker>, metrics: Arc<KafkaMetrics>) -> Self {
        let reads = Arc::new(Semaphore::new(READS));
        Self {
            config: Arc::new(config),
            asker,
            metrics,
            reads,
            waiting: Arc::new(Mutex::new(Some(Vec::new()))),
        }
    }

    pub(super) async fn read(&self, asked: Asked, within: Duration) -> Result<Vec<LogRecord>, Refusal> {
        let deadline = Instant::now() + within;
        let topic = asked.topic.clone();
        let turn = tokio::time::timeout(within, Arc::clone(&self.reads).acquire_owned()).await;
        let turn =
            turn.map_err(|_| refusals::timed_out(&asked.topic))?.map_err(|_| refusals::shutting_down())?;
        let (readers, far) = (self.clone(), !is_near(&asked.ranges));
        let read = move || {
            let _turn = turn;
            readers.read_blocking(&asked, far, deadline)
        };
        let read = async move { if far { aside(read).await } else { spawn_blocking(read).await } };
        // The read keeps its own deadline; only a question to a broker that is down can hold it beyond.
        let read = tokio::time::timeout(within + GRACE, read).await;
        read.map_err(|_| refusals::timed_out(&topic))?.unwrap_or_else(|_| Err(task_failed()))
    }

    fn read_blocking(&self, asked: &Asked, far: bool, deadline: Instant) -> Result<Vec<LogRecord>, Refusal> {
        let mut reader = self.take(asked, far)?;
        let mut read = reader.read(&asked.ranges, asked.most, asked.max_bytes, deadline, &self.asker);
        if read.is_err() && reader.stands_before_bad() {
            read = read.map_err(|refusal| checksum::named(&mut reader, asked, deadline).unwrap_or(refusal));
        }
        if reader.reusable && read.is_ok() {
            self.put_back(reader);
        } else {
            elsewhere(move || drop(reader));
        }
        read
    }

    /// A reader that stands where the ranges begin, made by a thread of the same priority: its own threads have that too.
    fn take(&self, asked: &Asked, far: bool) -> Result<Reader, Refusal> {
        self.give_up_old();
        let found = {
            let mut waiting = self.waiting.lock();
            let waiting = waiting.as_mut().ok_or_else(refusals::shutting_down)?;
            let fits = |reader: &Reader| reader.far == far && reader.fits(&asked.topic, &asked.ranges);
            if let Some(fitting) = waiting.iter().position(|(_, reader)| fits(reader)) {
                return Ok(waiting.remove(fitting).1);
            }
            let oldest = waiting.iter().position(|(_, reader)| reader.far == far);
            oldest.filter(|_| waiting.len() >= WAITING).map(|oldest| waiting.remove(oldest).1)
        };
        let mut reader = match found {
            Some(reader) => reader,
            None => {
                self.metrics.consumer_made();
                Reader::make(&self.config, &asked.topic, far)?
            }
        };
        reader.assign(&asked.topic, &asked.ranges)?;
        Ok(reader)
    }

    fn put_back(&self, reader: Reader) {
        let surplus = match self.waiting.lock().as_mut() {
            Some(waiting) => {
                waiting.push((Instant::now(), reader));
                (waiting.len() > WAITING).then(|| waiting.remove(0).1)
            }
            None => Some(reader),
        };
        if let Some(surplus) = surplus {
            elsewhere(move || drop(surplus));
        }
    }

    /// A reader that stands beyond what was used would have to be moved, or another made, and bring it anew.
    pub(super) fn put_unused_back(&self, topic: &TopicName, unused: Vec<LogRecord>) {
        let mut waiting = self.waiting.lock();
        let mut readers = waiting.iter_mut().flatten().map(|(_, reader)| reader);
        if let Some(reader) = readers.find(|reader| reader.gave(topic, &unused)) {
            reader.take_back(unused);
        }
    }

    pub(super) fn give_up_old(&self) {
        let mut old = Vec::new();
        if let Some(waiting) = self.waiting.lock().as_mut() {
            let kept =
                waiting.iter().position(|(since, _)| since.elapsed() < PATIENCE).unwrap_or(waiting.len());
            old.extend(waiting.drain(..kept));
        }
        if !old.is_empty() {
            elsewhere(move || drop(old));
        }
    }

    /// The end of a consumer can block for long; it is waited for until the deadline only.
    pub(super) async fn close(&self, deadline: Duration) {
        let waiting = self.waiting.lock().take();
        let reads = u32::try_from(READS).unwrap_or(u32::MAX);
        let closing = async {
            let _all_done = self.reads.acquire_many(reads).await;
            let _ = elsewhere(move || drop(waiting)).await;
        };
        if tokio::time::timeout(deadline, closing).await.is_err() {
            tracing::warn!("kafka consumers did not end in time");
        }
        self.reads.close();
    }
}
