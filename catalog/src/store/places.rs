//! In whose name a connection is taken. Of each asker so many are held at once and no more, whatever it asks for, so that
//! others find one. What nobody in particular asks for takes none of these: jobs, group commits, and questions that are
//! asked in company (`asking.rs`).

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::dispatch::DEADLINE;
use super::error::RETRY_AFTER;
use crate::error::{Code, Refusal};

/// Somebody in whose name the store is asked. It is kept until nothing runs in its name any more.
pub trait Asker: Send + Sync {
    /// What each connection takes a place of, the narrowest first, so that who waits in a narrow one is in nobody's
    /// way; none while it is not known who it is.
    fn places(&self) -> &[Places];
}

/// So many connections at once, and which setting says so.
#[derive(Debug, Clone)]
pub struct Places {
    free: Arc<Semaphore>,
    most: usize,
    limit: &'static str,
}

/// Of each of an asker's places one, until it is dropped.
pub(super) type Held = Vec<OwnedSemaphorePermit>;

tokio::task_local! {
    static ASKER: Arc<dyn Asker>;
}

/// Whatever that work asks of the store, it asks in that name.
pub async fn asked_by<F: Future>(asker: Arc<dyn Asker>, work: F) -> F::Output {
    ASKER.scope(asker, work).await
}

/// The same for a step that does not wait.
pub fn asked_now_by<T>(asker: &Arc<dyn Asker>, step: impl FnOnce() -> T) -> T {
    ASKER.sync_scope(asker.clone(), step)
}

/// Work that is spawned, in the name in which this is called.
pub fn carried<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let asker = ASKER.try_with(Arc::clone).ok();
    async move {
        match asker {
            Some(asker) => ASKER.scope(asker, work).await,
            None => work.await,
        }
    }
}

impl Places {
    #[must_use]
    pub fn new(most: usize, limit: &'static str) -> Self {
        Self { free: Arc::new(Semaphore::new(most)), most, limit }
    }

    async fn take(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        match timeout(DEADLINE, self.free.clone().acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(self.full()),
        }
    }

    fn full(&self) -> Refusal {
        let Self { most, limit, .. } = self;
        Refusal::new(
            Code::StoreUnavailable,
            format!("以本账号或本机构名义同时占用的数据库连接已达上限 {most},等候未果;请减少并发后再试"),
            format!(
                "{most} connections to the database are held in the name of this account or agency, which is the most, \
                 and none came free in time; ask for less at once and try again"
            ),
        )
        .with("limit", *limit)
        .with("value", *most)
        .retry_after(RETRY_AFTER)
    }
}

/// One of each of the places of whoever asks now.
pub(super) async fn place() -> Result<Held, Refusal> {
    let Ok(asker) = ASKER.try_with(Arc::clone) else { return Ok(Held::new()) };
    let mut held = Held::new();
    for places in asker.places() {
        held.push(places.take().await?);
    }
    Ok(held)
}
