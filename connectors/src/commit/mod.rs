//! The committer: one task through which everything that the bus side asks of the store goes in one order, several
//! requests to a transaction (protocol.md 3 and 6). Whoever asks waits for its own answer.

mod carry;
mod expected;
mod group;
mod task;
mod views;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use changtong_catalog::clock::Clock;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ports::{
    Ack, Attempt, Closing, DeadRuns, Ledger, Opened, Opening, Receipt, Seek, Settling, Topic,
};
use changtong_catalog::visibility::PartitionView;
use tokio::sync::{mpsc, oneshot};

use crate::gate::Alive;
use crate::metrics::Metrics;
pub use expected::Expected;
use expected::OnTheWay;
use group::Member;
use task::Task;
pub use views::{Partitions, TopicKey, Views, key_of};

#[derive(Debug, Clone, Copy)]
pub struct CommitSettings {
    /// A group waits this long at most for the attempts that were on their way when it began.
    pub flush_after: Duration,
    /// The most attempts of a group.
    pub flush_attempts: usize,
    /// How long the store may stay silent about a COMMIT.
    pub outcome_deadline: Duration,
    /// Requests that may wait.
    pub queue: usize,
}

/// What happens when a closing has been committed.
pub type Done = Box<dyn FnOnce() + Send + Sync>;

/// The way to the committer; cheap to clone. The task ends when the last one is gone.
#[derive(Clone)]
pub struct Committer {
    requests: mpsc::Sender<Member>,
    /// What must not be lost and is asked for where nobody can wait.
    leftovers: mpsc::UnboundedSender<Leftover>,
    views: Arc<Views>,
    on_the_way: OnTheWay,
    metrics: Arc<Metrics>,
}

/// Rides in the next group, and in the one after it if that fails.
enum Leftover {
    Close(Closing, Done),
    Dead(DeadRuns),
}

impl Committer {
    /// Starts the task on a thread and a runtime of its own: all wait for each of its steps, so it waits for none of their
    /// turns.
    pub fn start(
        ledger: Arc<dyn Ledger>,
        alive: Alive,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        settings: CommitSettings,
    ) -> Result<Self, Refusal> {
        let (requests, incoming) = mpsc::channel(settings.queue.max(1));
        let (leftovers, left) = mpsc::unbounded_channel();
        let views = Arc::new(Views::default());
        let on_the_way = OnTheWay::default();
        let task =
            Task::new(ledger, alive, clock, metrics.clone(), settings, views.clone(), on_the_way.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| no_thread(&error))?;
        let thread = std::thread::Builder::new().name("changtong-commit".to_owned());
        let started = thread.spawn(move || runtime.block_on(task.run(incoming, left)));
        started.map_err(|error| no_thread(&error))?;
        Ok(Self { requests, leftovers, views, on_the_way, metrics })
    }

    #[must_use]
    pub fn views(&self) -> &Views {
        &self.views
    }

    /// The views of a topic, loaded if they are not.
    pub async fn load(&self, topic: &Topic) -> Result<Partitions, Refusal> {
        match self.views.get(key_of(topic)) {
            Some(views) => Ok(views),
            None => self.ask(|answer| Member::Load(topic.clone(), answer)).await?,
        }
    }

    /// Of a topic that nothing is committed to any more, what counts.
    pub fn close_topic(&self, topic: &Topic, closed: Vec<PartitionView>) {
        self.views.close(key_of(topic), closed);
    }

    /// Waits for the end of the task: while somebody holds a handle it ends of a fault alone.
    pub async fn ended(&self) {
        self.requests.closed().await;
    }

    /// Says that an attempt is on its way.
    #[must_use]
    pub fn expect(&self) -> Expected {
        self.on_the_way.expect()
    }

    pub async fn attempt(&self, attempt: Attempt, expected: Expected) -> Result<Receipt, Refusal> {
        self.ask(|answer| Member::Attempt(Box::new(attempt), answer, expected)).await?
    }

    /// `unheard` is called where nobody heard whether it opened, once its closing is committed.
    pub async fn open(&self, opening: Opening, unheard: Done) -> Result<Opened, Refusal> {
        self.ask(|answer| Member::Open(Box::new(opening), answer, unheard)).await?
    }

    pub async fn ack(&self, ack: Ack) -> Result<(), Refusal> {
        self.ask(|answer| Member::Ack(Box::new(ack), answer)).await?
    }

    pub async fn seek(&self, seek: Seek) -> Result<i32, Refusal> {
        self.ask(|answer| Member::Seek(Box::new(seek), answer)).await?
    }

    /// Settles in the order of the commits, so that the views stay true.
    pub async fn settle(&self, settling: Settling) -> Result<Partitions, Refusal> {
        self.ask(|answer| Member::Settle(settling, answer)).await?
    }

    /// Closes a window in one of the next groups; `done` is called once that is committed.
    pub fn close(&self, closing: Closing, done: Done) {
        // The task outlives every handle, so this is always taken.
        let _ = self.leftovers.send(Leftover::Close(closing, done));
    }

    /// Records the true offsets of an attempt that died before its commit.
    pub fn dead(&self, dead: DeadRuns) {
        let _ = self.leftovers.send(Leftover::Dead(dead));
    }

    async fn ask<T>(&self, member: impl FnOnce(oneshot::Sender<T>) -> Member) -> Result<T, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.metrics.commit_queue.inc();
        let sent = self.requests.send(member(answer)).await;
        let answer = match sent {
            Ok(()) => answered.await.map_err(|_| stopped()),
            Err(_) => Err(stopped()),
        };
        self.metrics.commit_queue.dec();
        answer
    }
}

fn no_thread(error: &io::Error) -> Refusal {
    Refusal::new(
        Code::Internal,
        format!("无法启动提交线程:{error};请检查本进程的线程数和打开文件数上限"),
        format!(
            "the committer's thread could not be started: {error}; look at the limits of this process on threads and \
             open files"
        ),
    )
}

fn stopped() -> Refusal {
    Refusal::new(
        Code::ShuttingDown,
        "服务器正在停止,请稍后重试",
        "the server is shutting down; come back later",
    )
    .retry_after(Duration::from_secs(5))
}
