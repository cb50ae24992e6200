//! The one task that writes: appends that wait together are written in one transaction.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use changtong_catalog::clock::Clock;
use changtong_catalog::error::Refusal;
use changtong_catalog::ids::TopicName;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, QueryBuilder, Sqlite};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::Instant;

use super::blob::Row;
use super::state::{TopicState, Topics, topic};
use super::trouble::Trouble;
use super::{expire, file, topics};
use crate::fault;
use crate::log::{TopicSpec, refusals};

/// The most jobs of one transaction.
const GROUP: usize = 256;

/// The most rows of one statement.
const STATEMENT: usize = 32;

/// The first offset of a call's records in each partition that it has some in.
pub(super) type Firsts = BTreeMap<i32, i64>;

pub(super) struct AppendJob {
    pub topic: TopicName,
    pub rows: Vec<Row>,
    /// Past this the caller has gone and nothing is written.
    pub deadline: Instant,
    pub reply: oneshot::Sender<Result<Firsts, Refusal>>,
    /// Its share of the queue, given back with the job.
    pub _room: OwnedSemaphorePermit,
}

pub(super) enum Job {
    Append(AppendJob),
    MakeTopic { spec: TopicSpec, wanted_before: bool, reply: oneshot::Sender<Result<(), Refusal>> },
    Expire { reply: oneshot::Sender<Result<u64, Refusal>> },
}

pub(super) struct Writer {
    path: PathBuf,
    /// `None` after a failure: opened afresh, and the state read again, before the next job.
    connection: Option<SqliteConnection>,
    topics: Topics,
    clock: Arc<dyn Clock>,
    /// After a failed sync nobody knows what the disk holds: nothing more is written until a restart reads it.
    halted: Arc<AtomicBool>,
}

impl Writer {
    pub(super) async fn open(path: PathBuf, topics: Topics, clock: Arc<dyn Clock>) -> Result<Self, Refusal> {
        let mut writer = Self { path, connection: None, topics, clock, halted: Arc::default() };
        writer.reopen().await.map_err(|trouble| trouble.refusal(&writer.path))?;
        Ok(writer)
    }

    /// Whether it writes nothing any more, for others to see.
    pub(super) fn halted(&self) -> Arc<AtomicBool> {
        self.halted.clone()
    }

    pub(super) async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut waiting = Vec::with_capacity(GROUP);
        while jobs.recv_many(&mut waiting, GROUP).await > 0 {
            let mut appends = Vec::with_capacity(waiting.len());
            for job in waiting.drain(..) {
                match job {
                    Job::Append(append) => appends.push(append),
                    other => {
                        self.append(std::mem::take(&mut appends)).await;
                        self.other(other).await;
                    }
                }
            }
            self.append(appends).await;
        }
        if let Some(connection) = self.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "the log file did not close cleanly; the next start recovers it");
        }
    }

    async fn other(&mut self, job: Job) {
        match job {
            Job::Append(append) => self.append(vec![append]).await,
            Job::MakeTopic { spec, wanted_before, reply } => {
                let made = self.make_topic(&spec, wanted_before).await;
                let _ = reply.send(self.judge(made));
            }
            Job::Expire { reply } => {
                let removed = self.expire().await;
                let _ = reply.send(self.judge(removed));
            }
        }
    }

    async fn append(&mut self, jobs: Vec<AppendJob>) {
        let now = Instant::now();
        let (mut jobs, late): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| job.deadline > now);
        for job in late {
            let _ = job.reply.send(Err(refusals::timed_out(&job.topic)));
        }
        if jobs.is_empty() {
            return;
        }
        let written = self.write(&mut jobs).await;
        match self.judge(written) {
            Ok(answers) => {
                for (job, answer) in jobs.into_iter().zip(answers) {
                    let _ = job.reply.send(answer);
                }
            }
            Err(refusal) => {
                for job in jobs {
                    let _ = job.reply.send(Err(refusal.clone()));
                }
            }
        }
    }

    /// Writes all jobs in one transaction; what concerns one job alone is in its own answer.
    async fn write(&mut self, jobs: &mut [AppendJob]) -> Result<Vec<Result<Firsts, Refusal>>, Trouble> {
        let now_ms = self.clock.now().timestamp_millis();
        let topics = Arc::clone(&self.topics);
        let mut tx = self.connection().await?.begin_with("begin immediate").await?;
        let (mut staged, mut placed) = (BTreeMap::new(), Vec::new());
        let mut answers = Vec::with_capacity(jobs.len());
        for job in jobs {
            if !staged.contains_key(&job.topic) {
                match topic(&topics, &job.topic) {
                    Ok(state) => staged.insert(job.topic.clone(), state),
                    Err(refusal) => {
                        answers.push(Err(refusal));
                        continue;
                    }
                };
            }
            let Some(state) = staged.get_mut(&job.topic) else { continue };
            answers.push(Ok(place(state, std::mem::take(&mut job.rows), now_ms, &mut placed)?));
        }
        insert(&mut tx, placed).await?;
        fault::point(fault::APPENDING);
        tx.commit().await?;
        let mut topics = topics.write();
        for (name, state) in staged {
            topics.insert(name.as_str().to_owned(), state);
        }
        Ok(answers)
    }

    async fn make_topic(&mut self, spec: &TopicSpec, wanted_before: bool) -> Result<(), Trouble> {
        let topics = Arc::clone(&self.topics);
        topics::make(self.connection().await?, &topics, spec, wanted_before).await
    }

    async fn expire(&mut self) -> Result<u64, Trouble> {
        let now_ms = self.clock.now().timestamp_millis();
        let topics = Arc::clone(&self.topics);
        expire::all(self.connection().await?, &topics, now_ms).await
    }

    async fn connection(&mut self) -> Result<&mut SqliteConnection, Trouble> {
        if self.halted.load(Ordering::Acquire) {
            return Err(Trouble::Halted);
        }
        if self.connection.is_none() {
            self.reopen().await?;
        }
        self.connection.as_mut().ok_or(Trouble::Halted)
    }

    async fn reopen(&mut self) -> Result<(), Trouble> {
        let mut connection = file::open_writer(&self.path).await?;
        *self.topics.write() = file::load(&mut connection).await?;
        self.connection = Some(connection);
        Ok(())
    }

    /// After a failure of the file the connection is not trusted any more.
    fn judge<T>(&mut self, outcome: Result<T, Trouble>) -> Result<T, Refusal> {
        outcome.map_err(|trouble| {
            if trouble.is_of_the_file() {
                tracing::error!(%trouble, "writing to the log file failed");
                self.connection = None;
                self.halted.fetch_or(trouble.is_failed_sync(), Ordering::AcqRel);
            }
            trouble.refusal(&self.path)
        })
    }
}

/// A row with its place in the log.
struct Placed {
    topic: i64,
    partition: i32,
    first: i64,
    appended_ms: i64,
    count: i64,
    bytes: Vec<u8>,
}

/// Gives the rows of a call their places, behind each other per partition.
fn place(
    state: &mut TopicState,
    rows: Vec<Row>,
    now_ms: i64,
    out: &mut Vec<Placed>,
) -> Result<Firsts, Trouble> {
    let mut firsts = Firsts::new();
    for Row { partition, count, bytes } in rows {
        let Some(held) = usize::try_from(partition).ok().and_then(|p| state.partitions.get_mut(p)) else {
            return Err(Trouble::Damaged);
        };
        held.last_ms = held.last_ms.max(now_ms);
        firsts.entry(partition).or_insert(held.end);
        let (first, appended_ms) = (held.end, held.last_ms);
        out.push(Placed { topic: state.id, partition, first, appended_ms, count, bytes });
        held.end += count;
    }
    Ok(firsts)
}

/// Inserts many rows with each statement: a statement costs more than a row.
async fn insert(connection: &mut SqliteConnection, placed: Vec<Placed>) -> Result<(), Trouble> {
    let mut placed = placed.into_iter().peekable();
    while placed.peek().is_some() {
        let mut insert = QueryBuilder::<Sqlite>::new(
            "insert into batch (topic, partition, first, last, appended_ms, crc, bytes) ",
        );
        insert.push_values(placed.by_ref().take(STATEMENT), |mut row, placed| {
            row.push_bind(placed.topic)
                .push_bind(placed.partition)
                .push_bind(placed.first)
                .push_bind(placed.first + placed.count - 1)
                .push_bind(placed.appended_ms)
                .push_bind(i64::from(crc32fast::hash(&placed.bytes)))
                .push_bind(placed.bytes);
        });
        insert.build().execute(&mut *connection).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::conformance::entry;
    use crate::log::embedded::blob;
    use changtong_catalog::clock::ManualClock;
    use changtong_catalog::error::Code;
    use changtong_catalog::ids::{Generation, ResourceNumber};
    use std::time::Duration;

    async fn append(writer: &mut Writer, topic: &TopicName, bytes: usize) -> Result<Firsts, Refusal> {
        let (reply, answer) = oneshot::channel();
        let rows = blob::rows(&[entry(0, "k", &"x".repeat(bytes))], 1);
        let room = Arc::new(tokio::sync::Semaphore::new(1));
        let deadline = Instant::now() + Duration::from_secs(10);
        let _room = room.acquire_owned().await.unwrap();
        writer.append(vec![AppendJob { topic: topic.clone(), rows, deadline, reply, _room }]).await;
        answer.await.unwrap()
    }

    #[tokio::test]
    async fn a_full_disk_is_told_and_writing_goes_on_when_there_is_room() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(chrono::DateTime::UNIX_EPOCH));
        let mut writer = Writer::open(dir.path().join("log.db"), Topics::default(), clock).await.unwrap();
        let name = TopicName::records("", ResourceNumber(1), Generation(1));
        let spec = TopicSpec { name: name.clone(), partitions: 1, retention: None };
        writer.make_topic(&spec, false).await.unwrap();
        assert_eq!(append(&mut writer, &name, 10).await, Ok([(0, 0)].into()));
        let connection = writer.connection().await.unwrap();
        sqlx::query("pragma max_page_count = 20").execute(connection).await.unwrap();
        let refused = append(&mut writer, &name, 1_000_000).await.unwrap_err();
        assert_eq!(refused.code, Code::StorageFull);
        // Opened afresh the file has no such limit any more.
        assert_eq!(append(&mut writer, &name, 1_000_000).await, Ok([(0, 1)].into()));
        assert_eq!(topic(&writer.topics, &name).unwrap().partitions[0].end, 2);
    }

    /// What SQLite says of a sync that failed (`SQLITE_IOERR_FSYNC`).
    #[derive(Debug)]
    struct FailedSync;

    impl std::fmt::Display for FailedSync {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("disk I/O error")
        }
    }

    impl std::error::Error for FailedSync {}

    impl sqlx::error::DatabaseError for FailedSync {
        fn message(&self) -> &str {
            "disk I/O error"
        }

        fn code(&self) -> Option<std::borrow::Cow<'_, str>> {
            Some("1034".into())
        }

        fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> sqlx::error::ErrorKind {
            sqlx::error::ErrorKind::Other
        }
    }

    #[tokio::test]
    async fn after_a_failed_sync_nothing_is_written_and_it_can_be_seen() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(chrono::DateTime::UNIX_EPOCH));
        let mut writer = Writer::open(dir.path().join("log.db"), Topics::default(), clock).await.unwrap();
        let name = TopicName::records("", ResourceNumber(1), Generation(1));
        let spec = TopicSpec { name: name.clone(), partitions: 1, retention: None };
        writer.make_topic(&spec, false).await.unwrap();
        let seen = writer.halted();
        writer.judge::<()>(Err(Trouble::Damaged)).unwrap_err();
        assert!(!seen.load(Ordering::Acquire), "only what the disk holds is in doubt");
        writer.judge::<()>(Err(sqlx::Error::Database(Box::new(FailedSync)).into())).unwrap_err();
        assert!(seen.load(Ordering::Acquire));
        assert_eq!(append(&mut writer, &name, 1).await.unwrap_err().code, Code::BrokerUnavailable);
    }

    #[tokio::test]
    async fn what_comes_too_late_is_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(chrono::DateTime::UNIX_EPOCH));
        let mut writer = Writer::open(dir.path().join("log.db"), Topics::default(), clock).await.unwrap();
        let name = TopicName::records("", ResourceNumber(1), Generation(1));
        let spec = TopicSpec { name: name.clone(), partitions: 1, retention: None };
        writer.make_topic(&spec, false).await.unwrap();
        let (reply, answer) = oneshot::channel();
        let _room = Arc::new(tokio::sync::Semaphore::new(1)).acquire_owned().await.unwrap();
        let rows = blob::rows(&[entry(0, "k", "v")], 1);
        let deadline = Instant::now();
        writer.append(vec![AppendJob { topic: name.clone(), rows, deadline, reply, _room }]).await;
        assert_eq!(answer.await.unwrap().unwrap_err().code, Code::BrokerUnavailable);
        assert_eq!(append(&mut writer, &name, 1).await, Ok([(0, 0)].into()));
    }
}
