//! Where an agency's records come from. A source knows how to find its parts and to read one of them from a position;
//! the runner publishes what it reads, together with the position behind it (protocol.md 5).

pub mod file;
pub mod infer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use changtong_catalog::error::Refusal;
use tokio::sync::mpsc;

use crate::avro::Format;
use crate::bus::Bus;

/// Stands before the first position.
pub const BEGINNING: &str = "-";

/// Something with a position of its own: a file, the state of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Behind the connector's name in `Changtong-Source`; empty if the source has only one part.
    pub name: String,
    /// For people: a file's path.
    pub label: String,
    /// Bytes it holds.
    pub bytes: u64,
}

/// What a source looks for and does not find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited {
    /// For people, with the folder that it lies in.
    pub path: String,
    /// Whether that folder is there.
    pub has_folder: bool,
}

/// One batch and the position behind it.
#[derive(Debug)]
pub struct Step {
    pub body: Bytes,
    pub format: Format,
    pub records: u64,
    /// How many of the records are deletes.
    pub deletes: u64,
    pub to: String,
    /// Bytes of the part behind this step.
    pub left: u64,
    /// Where each record of the body stands in its file; empty where no person wrote it.
    pub lines: Vec<u64>,
}

/// The steps of one part, read ahead by one on a thread of its own; it ends when this is dropped.
pub struct Reading {
    steps: mpsc::Receiver<Result<Step, Refusal>>,
    left: Arc<AtomicU64>,
}

impl Reading {
    /// Runs `read` on the blocking pool. It sends its steps and stops as soon as nobody takes them.
    pub fn ahead(read: impl FnOnce(&Sender) -> Result<(), Refusal> + Send + 'static) -> Self {
        let (steps, taken) = mpsc::channel(1);
        let left = Arc::new(AtomicU64::new(0));
        let sender = Sender { steps, left: left.clone() };
        tokio::task::spawn_blocking(move || {
            if let Err(refusal) = read(&sender) {
                // Nobody waits for it any more if this fails.
                let _ = sender.steps.blocking_send(Err(refusal));
            }
        });
        Self { steps: taken, left }
    }

    /// The next step; `None` when the part has no more for now.
    pub async fn next(&mut self) -> Result<Option<Step>, Refusal> {
        self.steps.recv().await.transpose()
    }

    /// Bytes that could not be read yet once it ended: a last line without line end.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.left.load(Ordering::Relaxed)
    }
}

/// Where a reading puts its steps.
pub struct Sender {
    steps: mpsc::Sender<Result<Step, Refusal>>,
    left: Arc<AtomicU64>,
}

impl Sender {
    /// False when nobody wants more.
    #[must_use]
    pub fn send(&self, step: Step) -> bool {
        self.steps.blocking_send(Ok(step)).is_ok()
    }

    pub fn left(&self, bytes: u64) {
        self.left.store(bytes, Ordering::Relaxed);
    }
}

#[async_trait]
pub trait Source: Send {
    /// The parts that may hold something new since they were last read to their end.
    async fn discover(&mut self) -> Result<Vec<Part>, Refusal>;

    /// What the last `discover` looked for, if there was nothing at all.
    fn awaited(&self) -> Option<Awaited>;

    /// Reads a part from a position that the bus has stored. With `confirmed`, what the source asked a person about
    /// (`confirm_required`, member `asks`) is allowed.
    async fn read(
        &mut self,
        part: &Part,
        position: &str,
        bus: &dyn Bus,
        confirmed: Option<&str>,
    ) -> Result<Reading, Refusal>;

    /// The part was read to its end; `discover` names it again when it changes.
    fn finished(&mut self, part: &Part);

    /// Forgets what was found so far: the next `discover` names every part.
    fn forget(&mut self);
}
