//! Looking up the keys of clients before anything is appended: those that are asked for while another look-up runs are
//! looked up together, as a question costs more than its rows.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::super::Store;
use super::super::error::internal;
use super::super::idempotency::{Scope, Stored};
use crate::error::Refusal;

type Answer = Result<Option<Stored>, Refusal>;

#[derive(Default)]
pub(super) struct Asking {
    waiting: Mutex<Vec<(Scope, oneshot::Sender<Answer>)>>,
    /// Held by the one that asks for all.
    turn: tokio::sync::Mutex<()>,
}

/// Keys of one question: far below the parameters that either engine takes.
const MOST: usize = 256;

impl Asking {
    /// What is stored under a key.
    pub async fn ask(&self, store: &Store, scope: Scope) -> Answer {
        let (tell, mut told) = oneshot::channel();
        self.waiting().push((scope.clone(), tell));
        let _turn = self.turn.lock().await;
        match told.try_recv() {
            Ok(answer) => return answer,
            Err(oneshot::error::TryRecvError::Empty) => self.ask_for_all(store).await,
            // The one that asked for all has gone away.
            Err(oneshot::error::TryRecvError::Closed) => {
                return Ok(store.read().await?.claims(std::slice::from_ref(&scope)).await?.remove(&scope));
            }
        }
        // Its own was among them: nobody else takes any while it has the turn.
        told.try_recv().map_err(|_| internal())?
    }

    async fn ask_for_all(&self, store: &Store) {
        let mut asked = std::mem::take(&mut *self.waiting());
        while !asked.is_empty() {
            let some = asked.split_off(asked.len().saturating_sub(MOST));
            let scopes: Vec<Scope> = some.iter().map(|(scope, _)| scope.clone()).collect();
            let found = async { store.read().await?.claims(&scopes).await }.await;
            for (scope, tell) in some {
                let answer = found.as_ref().map(|found| found.get(&scope).cloned()).map_err(Clone::clone);
                // One who no longer waits has left.
                let _ = tell.send(answer);
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<(Scope, oneshot::Sender<Answer>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
