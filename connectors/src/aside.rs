//! Threads of a lower priority, for the work of readers that are far behind: where the processor is wanted by all, it
//! goes to who is live.

use std::io;
use std::num::NonZero;
use std::sync::LazyLock;
use std::thread::available_parallelism;

use rustix::process::{getpriority_process, setpriority_process};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinError, spawn_blocking};

/// What is added to POSIX's `nice` of the process: such a thread counts a tenth of another.
const NICE: i32 = 10;
const MOST_NICE: i32 = 19;
/// Threads that may wait for a broker, each for its own reader.
pub const WAITING: usize = 16;

/// Only its threads for blocking work are used. What such a thread starts inherits its priority: the threads of a Kafka
/// consumer that is made aside are among them.
static THREADS: LazyLock<io::Result<Runtime>> = LazyLock::new(|| {
    let ours = getpriority_process(None)?;
    // For work that waits for nothing, besides those that wait.
    let working = available_parallelism().map_or(1, NonZero::get);
    Builder::new_current_thread()
        .thread_name("changtong-aside")
        .max_blocking_threads(WAITING + working)
        .on_thread_start(move || step_back(ours))
        .build()
});

/// Does work that takes long, or blocks. Where no such threads can be had it is done among the others.
pub async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, JoinError> {
    match &*THREADS {
        Ok(threads) => threads.spawn_blocking(work).await,
        Err(_) => spawn_blocking(work).await,
    }
}

/// Where the system refuses, the thread works as every other does. Only on Linux a thread has a priority of its own.
fn step_back(ours: i32) {
    if cfg!(target_os = "linux")
        && let Err(error) = setpriority_process(None, (ours + NICE).min(MOST_NICE))
    {
        tracing::debug!(%error, "the priority of a thread stays");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_aside_has_a_lower_priority_and_so_has_what_it_starts() {
        let ours = getpriority_process(None).unwrap();
        let theirs = aside(|| {
            let started = std::thread::spawn(|| getpriority_process(None).unwrap());
            [getpriority_process(None).unwrap(), started.join().unwrap()]
        });
        assert_eq!(theirs.await.unwrap(), [(ours + NICE).min(MOST_NICE); 2]);
        assert_eq!(getpriority_process(None).unwrap(), ours);
    }
}
