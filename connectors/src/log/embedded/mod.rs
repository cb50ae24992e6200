//! The embedded engine: one SQLite file of its own, one writer task that commits what waits together, a few readers.
//! An answered append is on the disk (WAL, `synchronous=FULL`).

mod blob;
mod expire;
mod file;
mod read;
mod state;
mod topics;
mod trouble;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use changtong_catalog::clock::{Clock, Time};
use changtong_catalog::error::Refusal;
use changtong_catalog::ids::TopicName;
use parking_lot::{Mutex, RwLock};
use sqlx::sqlite::SqlitePool;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use self::state::{Topics, topic};
use self::trouble::Trouble;
use self::writer::{AppendJob, Job, Writer};
use super::{AppendError, Entry, Extent, Log, LogRecord, Range, TopicSpec, refusals};
use crate::gate::Permit;

/// Appends, and KiB of their records, that may wait for the writer; more wait before they are taken.
const WAITING: usize = 512;
const WAITING_KIB: u32 = 64 * 1024;

pub struct EmbeddedLog {
    path: PathBuf,
    topics: Topics,
    readers: SqlitePool,
    /// Set by the writer: nothing more is written until a restart.
    halted: Arc<AtomicBool>,
    room: Arc<Semaphore>,
    /// `None` once closed.
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    guard: Mutex<Option<File>>,
}

impl EmbeddedLog {
    /// Opens the file, making it if there is none; only one process and one `EmbeddedLog` at a time may.
    pub async fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, Refusal> {
        let guard = file::lock(path)?;
        let topics: Topics = Arc::new(RwLock::new(BTreeMap::new()));
        let writer = Writer::open(path.to_owned(), Arc::clone(&topics), clock).await?;
        let halted = writer.halted();
        let (sender, receiver) = mpsc::channel(WAITING);
        let task = tokio::spawn(writer.run(receiver));
        Ok(Self {
            path: path.to_owned(),
            topics,
            readers: file::open_readers(path),
            halted,
            room: Arc::new(Semaphore::new(WAITING_KIB as usize)),
            jobs: Mutex::new(Some(sender)),
            writer: Mutex::new(Some(task)),
            guard: Mutex::new(Some(guard)),
        })
    }

    /// Waits until the writer's queue has room for the records; an append larger than it all takes all of it.
    async fn room_for(&self, entries: &[Entry]) -> Result<OwnedSemaphorePermit, Refusal> {
        let bytes: usize = entries.iter().map(Entry::size).sum();
        let kib = u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX).min(WAITING_KIB);
        let room = Arc::clone(&self.room).acquire_many_owned(kib).await;
        room.map_err(|_| refusals::shutting_down())
    }

    async fn submit<T>(&self, job: Job, answer: oneshot::Receiver<Result<T, Refusal>>) -> Result<T, Refusal> {
        let sender = self.jobs.lock().clone().ok_or_else(refusals::shutting_down)?;
        sender.send(job).await.map_err(|_| refusals::shutting_down())?;
        drop(sender);
        answer.await.unwrap_or_else(|_| Err(refusals::shutting_down()))
    }
}

#[async_trait]
impl Log for EmbeddedLog {
    fn engine(&self) -> &'static str {
        "embedded"
    }

    async fn make_topic(&self, spec: &TopicSpec, wanted_before: bool) -> Result<(), Refusal> {
        let (reply, answer) = oneshot::channel();
        self.submit(Job::MakeTopic { spec: spec.clone(), wanted_before, reply }, answer).await
    }

    async fn append(&self, permit: Permit, entries: Vec<Entry>) -> Result<Vec<i64>, AppendError> {
        refusals::check_append(&permit, &entries)?;
        let name = permit.topic();
        let state = topic(&self.topics, name)?;
        for entry in &entries {
            state.partition(name, entry.partition)?;
        }
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let deadline = Instant::now() + permit.deadline();
        let answered = tokio::time::timeout_at(deadline, async {
            let room = self.room_for(&entries).await?;
            let rows = blob::rows(&entries, state.partitions.len());
            let (reply, answer) = oneshot::channel();
            let job = AppendJob { topic: name.clone(), rows, deadline, reply, _room: room };
            self.submit(Job::Append(job), answer).await
        });
        let mut next = answered.await.map_err(|_| refusals::timed_out(name))??;
        let mut offsets = Vec::with_capacity(entries.len());
        for entry in &entries {
            // The writer answers for every partition that has an entry.
            let Some(offset) = next.get_mut(&entry.partition) else {
                return Err(refusals::unknown_partition(name, entry.partition).into());
            };
            offsets.push(*offset);
            *offset += 1;
        }
        Ok(offsets)
    }

    async fn read(
        &self,
        permit: Permit,
        ranges: &[Range],
        max_bytes: usize,
    ) -> Result<Vec<LogRecord>, Refusal> {
        refusals::check_read(&permit, ranges)?;
        if self.jobs.lock().is_none() {
            return Err(refusals::shutting_down());
        }
        let name = permit.topic();
        let state = topic(&self.topics, name)?;
        let readable = state.readable(name, ranges)?;
        let reading = read::ranges(&self.readers, &state, readable, permit.most(), max_bytes);
        let read = tokio::time::timeout(permit.deadline(), reading).await;
        match read.map_err(|_| refusals::timed_out(name))? {
            Ok(records) => Ok(records),
            Err(trouble) => {
                // Rows that retention removed while we read are no damage.
                topic(&self.topics, name)?.readable(name, ranges)?;
                Err(trouble.refusal(&self.path))
            }
        }
    }

    async fn extents(&self, topics: &[TopicName]) -> Result<BTreeMap<TopicName, Vec<Extent>>, Refusal> {
        let known = self.topics.read();
        let extent = |name: &TopicName| Some((name.clone(), known.get(name.as_str())?.extents()));
        Ok(topics.iter().filter_map(extent).collect())
    }

    async fn topics(&self, prefix: &str) -> Result<Vec<String>, Refusal> {
        let known = self.topics.read();
        Ok(known.keys().filter(|name| name.starts_with(prefix)).cloned().collect())
    }

    async fn has_topic(&self, name: &TopicName) -> Result<bool, Refusal> {
        Ok(self.topics.read().contains_key(name.as_str()))
    }

    async fn offsets_at(&self, name: &TopicName, time: Time) -> Result<Vec<i64>, Refusal> {
        let state = topic(&self.topics, name)?;
        let found = read::offsets_at(&self.readers, name, &state, time).await;
        found.map_err(|trouble| trouble.refusal(&self.path))
    }

    async fn expire(&self) -> Result<u64, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.submit(Job::Expire { reply }, answer).await
    }

    async fn answers(&self) -> Result<(), Refusal> {
        if self.jobs.lock().is_none() {
            return Err(refusals::shutting_down());
        }
        let ended = self.writer.lock().as_ref().is_none_or(JoinHandle::is_finished);
        if ended {
            return Err(Trouble::Ended.refusal(&self.path));
        }
        if self.halted.load(Ordering::Acquire) {
            return Err(Trouble::Halted.refusal(&self.path));
        }
        Ok(())
    }

    async fn close(&self, deadline: Duration) {
        drop(self.jobs.lock().take());
        let task = self.writer.lock().take();
        let closing = async {
            if let Some(task) = task {
                let _ = task.await;
            }
            self.readers.close().await;
        };
        if tokio::time::timeout(deadline, closing).await.is_err() {
            tracing::warn!("the log file did not close in time; the next start recovers it");
            return;
        }
        drop(self.guard.lock().take());
    }
}
