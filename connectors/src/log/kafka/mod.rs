//! Apache Kafka as the log: one idempotent producer whose delivery reports name the offsets, consumers with
//! partitions assigned by hand, no group, no Kafka transaction. librdkafka's blocking calls run on blocking threads.

mod admin;
mod bare;
mod batch;
mod checksum;
mod company;
mod config;
mod consumer;
mod copies;
#[cfg(feature = "faults")]
pub mod damage;
mod lately;
mod offsets;
mod pace;
mod producer;
mod reader;
mod statistics;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use changtong_catalog::clock::Time;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::TopicName;
use futures::future::join_all;
use rdkafka::error::KafkaError;
use tokio::sync::{Semaphore, oneshot};

pub use self::admin::KafkaCheck;
pub use self::bare::Produced;
pub use self::config::{APPEND_DEADLINE, KafkaSettings, Sasl, SaslMechanism, Secret, Tls};
pub use self::statistics::KafkaMetrics;

use self::admin::Admin;
use self::consumer::{Asked, Readers};
use self::lately::Lately;
use self::offsets::Asker;
use self::producer::Appender;
use super::{AppendError, Entry, Extent, Log, LogRecord, Range, TopicSpec, refusals};
use crate::gate::{Permit, PermitKind};

/// How many ask every broker at once: each makes a client for each of them.
const ROUNDS: usize = 2;

pub struct KafkaLog {
    settings: KafkaSettings,
    appender: Appender,
    readers: Readers,
    lately: Lately,
    asker: Arc<Asker>,
    admin: Admin,
    /// Turns of those who ask every broker.
    rounds: Semaphore,
}

impl KafkaLog {
    /// Makes the clients; whether the brokers answer is `check`'s to say.
    pub fn open(settings: KafkaSettings, metrics: KafkaMetrics) -> Result<Self, Refusal> {
        let metrics = Arc::new(metrics);
        let asker = Arc::new(Asker::new(&settings.asking())?);
        let appender = Appender::new(settings.producer(), settings.linger, Arc::clone(&metrics))?;
        let readers = Readers::new(settings.consumer(), Arc::clone(&asker), metrics);
        let admin = Admin::new(&settings.admin())?;
        Ok(Self {
            settings,
            appender,
            readers,
            lately: Lately::new(),
            asker,
            admin,
            rounds: Semaphore::new(ROUNDS),
        })
    }

    /// Looks at the cluster for `serve` and `doctor`. `probe` is the spec of a topic that doesn't exist: whether it
    /// could be made is tried, it isn't made.
    pub async fn check(&self, probe: &TopicSpec) -> Result<KafkaCheck, Refusal> {
        let (metadata, cluster) = self.ask(|asker| Ok((asker.first_metadata()?, asker.cluster_id()))).await?;
        self.admin.check(&self.settings, &metadata, cluster, probe).await
    }

    /// Runs a blocking question off the async workers.
    async fn ask<T, F>(&self, question: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: FnOnce(&Asker) -> Result<T, Refusal> + Send + 'static,
    {
        let asker = Arc::clone(&self.asker);
        let answer = tokio::task::spawn_blocking(move || question(&asker)).await;
        answer.unwrap_or_else(|_| Err(task_failed()))
    }

    /// Asks as each broker sees the cluster; answers what was said, if most of them said something.
    async fn ask_all<T, F>(&self, topic: &TopicName, question: F) -> Result<Vec<T>, Refusal>
    where
        T: Send + 'static,
        F: Fn(&Asker) -> Result<T, Refusal> + Clone + Send + 'static,
    {
        let turn = tokio::time::timeout(offsets::ASKING, self.rounds.acquire()).await;
        let _turn = turn.map_err(|_| refusals::timed_out(topic))?.map_err(|_| task_failed())?;
        let name = topic.clone();
        let brokers = self.ask(move |asker| asker.brokers(&name)).await?;
        let askings = brokers.iter().map(|broker| {
            let (config, question) = (self.settings.asking_first(broker), question.clone());
            let asking = tokio::task::spawn_blocking(move || {
                let asker = Asker::new(&config)?;
                let told = question(&asker);
                elsewhere(move || drop(asker));
                told
            });
            tokio::time::timeout(offsets::ASKING, asking)
        });
        let answers = join_all(askings).await;
        let told: Vec<T> = answers.into_iter().filter_map(|told| told.ok()?.ok()?.ok()).collect();
        // Those who are parted are the fewer.
        if 2 * told.len() <= brokers.len() {
            return Err(refusals::timed_out(topic));
        }
        Ok(told)
    }

    async fn partitions(&self, topic: &TopicName) -> Result<i32, Refusal> {
        match self.asker.known(topic) {
            Some(known) => Ok(known),
            None => {
                let topic = topic.clone();
                self.ask(move |asker| asker.partitions(&topic)).await
            }
        }
    }

    /// Waits until every partition of a topic has a leader that answers; answers their extents. For a moment after
    /// a topic was made, metadata names leaders that don't know of it yet.
    async fn wait_for_leaders(&self, spec: &TopicSpec) -> Result<Vec<Extent>, Refusal> {
        let until = Instant::now() + admin::MAKING;
        loop {
            let name = spec.name.clone();
            let extents = self.ask(move |asker| Ok(asker.extents(&[name]))).await?.remove(&spec.name);
            match extents {
                Some(extents) if i32::try_from(extents.len()) == Ok(spec.partitions) => return Ok(extents),
                _ if Instant::now() >= until => return Err(refusals::timed_out(&spec.name)),
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Whether a topic found, of the wanted partition count, is empty and set as ours are.
    async fn is_ours(&self, spec: &TopicSpec) -> Result<bool, Refusal> {
        let extents = self.wait_for_leaders(spec).await?;
        Ok(extents.iter().all(|extent| extent.end == 0) && self.admin.has_shape(&self.settings, spec).await?)
    }
}

#[async_trait]
impl Log for KafkaLog {
    fn engine(&self) -> &'static str {
        "kafka"
    }

    async fn make_topic(&self, spec: &TopicSpec, wanted_before: bool) -> Result<(), Refusal> {
        if self.admin.create(&self.settings, spec, false).await? {
            return self.wait_for_leaders(spec).await.map(drop);
        }
        let same_count = self.partitions(&spec.name).await? == spec.partitions;
        if wanted_before && same_count && self.is_ours(spec).await? {
            return Ok(());
        }
        Err(refusals::topic_exists(&spec.name))
    }

    async fn append(&self, permit: Permit, entries: Vec<Entry>) -> Result<Vec<i64>, AppendError> {
        refusals::check_append(&permit, &entries)?;
        if self.appender.is_closed() {
            return Err(refusals::shutting_down().into());
        }
        let topic = permit.topic();
        let deadline = tokio::time::Instant::now() + permit.deadline().min(APPEND_DEADLINE);
        let count = tokio::time::timeout_at(deadline, self.partitions(topic)).await;
        let count = count.map_err(|_| refusals::timed_out(topic))??;
        if let Some(entry) = entries.iter().find(|entry| !(0..count).contains(&entry.partition)) {
            return Err(refusals::unknown_partition(topic, entry.partition).into());
        }
        let placed = self.appender.append(topic, &entries, deadline).await?;
        self.lately.keep(topic, &entries, &placed);
        Ok(placed.into_iter().map(|placed| placed.offset).collect())
    }

    async fn read(
        &self,
        permit: Permit,
        ranges: &[Range],
        max_bytes: usize,
    ) -> Result<Vec<LogRecord>, Refusal> {
        refusals::check_read(&permit, ranges)?;
        if self.appender.is_closed() {
            return Err(refusals::shutting_down());
        }
        // A steward or a copy asks what the brokers have.
        if matches!(permit.kind(), PermitKind::Deliver { .. })
            && let Some(records) = self.lately.find(permit.topic(), ranges, permit.most(), max_bytes)
        {
            return Ok(records);
        }
        let (topic, deadline) = (permit.topic().clone(), Instant::now() + permit.deadline());
        let count = tokio::time::timeout(permit.deadline(), self.partitions(&topic)).await;
        let count = count.map_err(|_| refusals::timed_out(&topic))??;
        if let Some(range) = ranges.iter().find(|range| !(0..count).contains(&range.partition)) {
            return Err(refusals::unknown_partition(&topic, range.partition));
        }
        let ranges: Vec<_> = ranges.iter().filter(|range| range.from < range.to).copied().collect();
        if ranges.is_empty() {
            return Ok(Vec::new());
        }
        let asked = Asked { topic, ranges, most: permit.most(), max_bytes };
        self.readers.read(asked, deadline.saturating_duration_since(Instant::now())).await
    }

    fn put_back(&self, topic: &TopicName, unused: Vec<LogRecord>) {
        self.readers.put_unused_back(topic, unused);
    }

    async fn extents(&self, topics: &[TopicName]) -> Result<BTreeMap<TopicName, Vec<Extent>>, Refusal> {
        let topics = topics.to_vec();
        self.ask(move |asker| Ok(asker.extents(&topics))).await
    }

    async fn topics(&self, prefix: &str) -> Result<Vec<String>, Refusal> {
        let prefix = prefix.to_owned();
        self.ask(move |asker| asker.topics(&prefix)).await
    }

    async fn has_topic(&self, topic: &TopicName) -> Result<bool, Refusal> {
        let topic = topic.clone();
        self.ask(move |asker| asker.has_topic(&topic)).await
    }

    async fn offsets_at(&self, topic: &TopicName, time: Time) -> Result<Vec<i64>, Refusal> {
        let topic = topic.clone();
        self.ask(move |asker| asker.offsets_at(&topic, time)).await
    }

    async fn widest(&self, topic: &TopicName) -> Result<Vec<Extent>, Refusal> {
        let name = topic.clone();
        self.ask_all(topic, move |asker| asker.extents_if_there(&name)).await.map(offsets::widest)
    }

    async fn farthest_at(&self, topic: &TopicName, time: Time) -> Result<Vec<i64>, Refusal> {
        let name = topic.clone();
        self.ask_all(topic, move |asker| asker.offsets_if_there(&name, time)).await.map(offsets::farthest)
    }

    /// The brokers do it by themselves; only consumers that wait for nothing are given up.
    async fn expire(&self) -> Result<u64, Refusal> {
        self.readers.give_up_old();
        Ok(0)
    }

    async fn answers(&self) -> Result<(), Refusal> {
        if self.appender.is_closed() {
            return Err(refusals::shutting_down());
        }
        self.ask(Asker::answers).await
    }

    async fn close(&self, deadline: Duration) {
        tokio::join!(self.appender.close(deadline), self.readers.close(deadline));
    }
}

fn broker_refused(error: &KafkaError) -> Refusal {
    refusals::unavailable(
        format!("Kafka 没有应答或拒绝了请求({error}):请检查 kafka.brokers、网络,以及代理节点是否在运行"),
        format!(
            "Kafka does not answer or refuses ({error}): check kafka.brokers, the network, and whether the brokers run"
        ),
    )
}

fn task_failed() -> Refusal {
    Refusal::new(Code::Internal, "读取日志的任务中断", "a task that asked the log broke off")
}

/// Clients that are being ended.
static ENDING: AtomicUsize = AtomicUsize::new(0);

/// Waits, but not for long, until no client is being ended: a process that leaves while one still speaks TLS takes the
/// library's state from under it, and dies of it.
pub fn wait_for_ends(most: Duration) {
    let began = Instant::now();
    while ENDING.load(Ordering::Acquire) > 0 && began.elapsed() < most {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Runs what may block for long on a thread that nobody need wait for: the runtime's own threads would hold up the
/// end of the process.
fn elsewhere(work: impl FnOnce() + Send + 'static) -> oneshot::Receiver<()> {
    let (done, waiting) = oneshot::channel();
    ENDING.fetch_add(1, Ordering::AcqRel);
    let spawned = std::thread::Builder::new().name("kafka-end".to_owned()).spawn(move || {
        work();
        ENDING.fetch_sub(1, Ordering::AcqRel);
        let _ = done.send(());
    });
    if let Err(error) = spawned {
        ENDING.fetch_sub(1, Ordering::AcqRel);
        tracing::error!(%error, "no thread for the end of a kafka client");
    }
    waiting
}
