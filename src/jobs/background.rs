//! What runs in the background and must not die unnoticed: what broke and is tried again is told by name, and where what
//! nothing goes on without has ended, the server ends too.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::OnceLock;

use changtong_catalog::error::{Code, Refusal};
use futures::FutureExt as _;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

#[derive(Debug, Default)]
pub struct Background {
    /// Work whose last run broke off.
    broken: Mutex<BTreeSet<&'static str>>,
    /// What the server ends of.
    ended: OnceLock<&'static str>,
}

impl Background {
    /// One run of work that is done again and again: where it breaks off, that is a failure like others, and is told
    /// until a run does not.
    pub async fn run(
        &self,
        name: &'static str,
        work: impl Future<Output = Result<(), Refusal>>,
    ) -> Result<(), Refusal> {
        match AssertUnwindSafe(work).catch_unwind().await {
            Ok(outcome) => {
                self.broken.lock().remove(name);
                outcome
            }
            Err(_) => {
                self.broken.lock().insert(name);
                Err(broke_off(name))
            }
        }
    }

    /// Runs what nothing goes on without: where it ends before it was asked to, `stop` is cancelled.
    pub async fn vital(&self, name: &'static str, work: impl Future<Output = ()>, stop: &CancellationToken) {
        let outcome = AssertUnwindSafe(work).catch_unwind().await;
        if outcome.is_err() {
            let refusal = broke_off(name);
            tracing::error!(task = name, code = %refusal.code, "{}", refusal.text.en);
        }
        if !stop.is_cancelled() || outcome.is_err() {
            tracing::error!(task = name, "it has ended, so this server ends");
            let _ = self.ended.set(name);
            self.broken.lock().insert(name);
            stop.cancel();
        }
    }

    /// By name, what does not do its work.
    pub fn broken(&self) -> Vec<&'static str> {
        self.broken.lock().iter().copied().collect()
    }

    /// What ended, where the server ends of it.
    pub fn ended(&self) -> Option<&'static str> {
        self.ended.get().copied()
    }
}

/// Where it was, the log has; its words may hold what no log may.
fn broke_off(name: &str) -> Refusal {
    Refusal::new(
        Code::Internal,
        format!("后台任务 {name} 意外中断;请将日志交给开发者"),
        format!("the background task {name} broke off; report it with the log"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_breaks_off_is_told_until_it_goes_well() {
        let background = Background::default();
        let failed = background.run("settle", async { panic!("index out of bounds") }).await.unwrap_err();
        assert_eq!((failed.code, background.broken()), (Code::Internal, vec!["settle"]));
        assert!(failed.text.en.contains("settle") && !failed.text.en.contains("out of bounds"), "{failed}");
        background.run("edges", async { Ok(()) }).await.unwrap();
        assert_eq!(background.broken(), ["settle"]);
        // A refusal is no break: the job did its work and says what stood in its way.
        let away = Refusal::new(Code::StoreUnavailable, "", "");
        assert_eq!(background.run("settle", async { Err(away.clone()) }).await, Err(away));
        assert!(background.broken().is_empty() && background.ended().is_none());
    }

    #[tokio::test]
    async fn what_nothing_goes_on_without_ends_the_server() {
        let (background, stop) = (Background::default(), CancellationToken::new());
        background.vital("commits", async { panic!("no more") }, &stop).await;
        assert!(stop.is_cancelled());
        assert_eq!((background.ended(), background.broken()), (Some("commits"), vec!["commits"]));
        // One that ends because it is asked to is no loss, and one that ends by itself is.
        let (background, stop) = (Background::default(), CancellationToken::new());
        background.vital("lease", async { stop.cancel() }, &stop).await;
        assert_eq!(background.ended(), None);
        let stop = CancellationToken::new();
        background.vital("commits", async {}, &stop).await;
        assert_eq!((background.ended(), stop.is_cancelled()), (Some("commits"), true));
    }
}
