//! Questions asked in company: what is asked for while another look-up runs is looked up together, over one connection
//! however many ask, as a question costs more than its rows.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::error::internal;
use super::{Session, Store};
use crate::error::Refusal;

/// What is asked for by a key of its own.
pub(super) trait Asked: Clone + Ord + Send + Sync {
    type Found: Clone + Send;

    fn look_up(
        session: &mut Session,
        keys: &[Self],
    ) -> impl Future<Output = Result<BTreeMap<Self, Self::Found>, Refusal>> + Send;
}

type Answer<K> = Result<Option<<K as Asked>::Found>, Refusal>;

pub(super) struct Asking<K: Asked> {
    waiting: Mutex<Vec<(K, oneshot::Sender<Answer<K>>)>>,
    /// Held by the one that asks for all.
    turn: tokio::sync::Mutex<()>,
}

/// Keys of one question: far below the parameters that either engine takes.
const MOST: usize = 256;

impl<K: Asked> Default for Asking<K> {
    fn default() -> Self {
        Self { waiting: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }
}

impl<K: Asked> fmt::Debug for Asking<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asking").field("waiting", &self.waiting().len()).finish_non_exhaustive()
    }
}

impl<K: Asked> Asking<K> {
    /// What is stored under a key.
    pub async fn ask(&self, store: &Store, key: K) -> Answer<K> {
        let (tell, mut told) = oneshot::channel();
        self.waiting().push((key.clone(), tell));
        let _turn = self.turn.lock().await;
        match told.try_recv() {
            Ok(answer) => return answer,
            Err(oneshot::error::TryRecvError::Empty) => self.ask_for_all(store).await,
            // The one that asked for all has gone away.
            Err(oneshot::error::TryRecvError::Closed) => {
                return Ok(look_up(store, std::slice::from_ref(&key)).await?.remove(&key));
            }
        }
        // Its own was among them: nobody else takes any while it has the turn.
        told.try_recv().map_err(|_| internal())?
    }

    async fn ask_for_all(&self, store: &Store) {
        let mut asked = std::mem::take(&mut *self.waiting());
        while !asked.is_empty() {
            let some = asked.split_off(asked.len().saturating_sub(MOST));
            let keys: Vec<K> = some.iter().map(|(key, _)| key.clone()).collect();
            let found = look_up(store, &keys).await;
            for (key, tell) in some {
                let answer = found.as_ref().map(|found| found.get(&key).cloned()).map_err(Clone::clone);
                // One who no longer waits has left.
                let _ = tell.send(answer);
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<(K, oneshot::Sender<Answer<K>>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// In nobody's name: others wait for the answer too.
async fn look_up<K: Asked>(store: &Store, keys: &[K]) -> Result<BTreeMap<K, K::Found>, Refusal> {
    K::look_up(&mut store.read_for_all().await?, keys).await
}

#[cfg(test)]
mod tests {
    use super::super::Engine;
    use super::super::testing::{on_postgres, on_sqlite};
    use super::*;
    use crate::ids::KeyId;
    use crate::ports::Directory as _;

    fn open(store: &Store) -> u32 {
        match &store.engine {
            Engine::Sqlite { readers, .. } => readers.size(),
            Engine::Postgres(pool) => pool.size(),
        }
    }

    /// On a store that has opened no connection but those of its start; on PostgreSQL none of the callers' is taken.
    async fn however_many(store: &Store, one: u32) {
        let before = open(store).max(1);
        let asked: Vec<_> = (0..200)
            .map(|number| {
                let store = store.clone();
                tokio::spawn(async move { store.key(&KeyId(number.to_string())).await })
            })
            .collect();
        for answer in asked {
            assert_eq!(answer.await.unwrap().unwrap(), None);
        }
        // One asks, while the one before it may still be on its way back to the others.
        assert!(open(store) <= before + one, "{}", open(store));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn however_many_ask_they_take_one_connection_after_the_other() {
        on_sqlite(async |store| however_many(store, 1).await).await;
        on_postgres(async |store| however_many(store, 0).await).await;
    }
}
