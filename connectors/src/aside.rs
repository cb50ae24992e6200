//! Threads of a lower priority, for the long work of readers that catch up: the processor goes to who waits for a record
//! as soon as one has come, and nobody's small work stands in line behind a large read.

use std::io;
use std::sync::LazyLock;

use rustix::process::nice;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// What is added to POSIX's `nice` of the process: a tenth of the processor where others want all of it.
const NICE: i32 = 10;

/// Only its threads for blocking work are used. What a thread starts inherits its priority, so that the threads of a
/// Kafka consumer that is made aside are among them.
static THREADS: LazyLock<io::Result<Runtime>> = LazyLock::new(|| {
    Builder::new_current_thread().thread_name("changtong-aside").on_thread_start(step_back).build()
});

/// Does work that may take long or block. Where no such threads can be had it is done among the others.
pub fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    match &*THREADS {
        Ok(threads) => threads.spawn_blocking(work),
        Err(_) => tokio::task::spawn_blocking(work),
    }
}

/// Where the system refuses, the thread works as every other does.
fn step_back() {
    if let Err(error) = nice(NICE) {
        tracing::debug!(%error, "the priority of a thread stays");
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::getpriority_process;

    use super::*;

    #[tokio::test]
    async fn work_aside_has_a_lower_priority_and_so_has_what_it_starts() {
        let ours = getpriority_process(None).unwrap();
        let theirs = aside(|| {
            let started = std::thread::spawn(|| getpriority_process(None).unwrap());
            [getpriority_process(None).unwrap(), started.join().unwrap()]
        });
        assert_eq!(theirs.await.unwrap(), [(ours + NICE).min(19); 2]);
        assert_eq!(getpriority_process(None).unwrap(), ours);
    }
}
