//! Reading and comparing schemas costs processor time that whoever sends them chooses. It is done where nothing waits for
//! it but the caller: on threads of its own, with no connection to the store held, no more at once than half the
//! machine, and of one account no more than two.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use crate::account::Caller;
use crate::error::{Code, Refusal};
use crate::ids::AccountId;

/// Of one account at once.
const OF_ACCOUNT: usize = 2;

/// Of the whole process: there is one machine, however many stores are open on it.
static DESK: LazyLock<Desk> =
    LazyLock::new(|| Desk { places: Arc::new(Semaphore::new(half())), accounts: Mutex::default() });

fn half() -> usize {
    std::thread::available_parallelism().map_or(1, |all| all.get().div_ceil(2))
}

struct Desk {
    places: Arc<Semaphore>,
    accounts: Mutex<HashMap<AccountId, Arc<Semaphore>>>,
}

/// A place at the desk, held until the work is done, even if nobody waits for it any more.
struct Place {
    account: AccountId,
    _of_account: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Desk {
    fn accounts(&self) -> MutexGuard<'_, HashMap<AccountId, Arc<Semaphore>>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn place(&self, account: AccountId) -> Result<Place, AcquireError> {
        let own =
            self.accounts().entry(account).or_insert_with(|| Arc::new(Semaphore::new(OF_ACCOUNT))).clone();
        // Its own turn first: who asks for much waits behind itself.
        let of_account = own.acquire_owned().await?;
        let of_all = self.places.clone().acquire_owned().await?;
        Ok(Place { account, _of_account: of_account, _of_all: of_all })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut accounts = DESK.accounts();
        // The place that is given up now still counts; who waits for one counts too.
        let last = accounts.get(&self.account).is_some_and(|own| Arc::strong_count(own) <= 2);
        if last {
            accounts.remove(&self.account);
        }
    }
}

/// Does the work when it is the caller's turn.
pub(super) async fn think<T: Send + 'static>(
    caller: &Caller,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    let place = DESK.place(caller.account).await.map_err(|_| failed())?;
    let done = spawn_blocking(move || {
        let done = work();
        drop(place);
        done
    });
    done.await.map_err(|_| failed())
}

/// Every place at the desk, so that a test sees what is done while none is free.
#[cfg(test)]
pub(super) async fn whole_desk() -> OwnedSemaphorePermit {
    let all = u32::try_from(half()).unwrap();
    DESK.places.clone().acquire_many_owned(all).await.unwrap()
}

fn failed() -> Refusal {
    Refusal::new(Code::Internal, "核对模式时出错", "reading or comparing the schema failed")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::testing::caller;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn one_account_takes_two_places_at_most_and_none_when_it_is_done() {
        let caller = caller(77, 77, &[]);
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let (caller, now, most) = (caller.clone(), now.clone(), most.clone());
                tokio::spawn(async move {
                    let work = move || {
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::yield_now();
                        now.fetch_sub(1, Ordering::SeqCst);
                    };
                    think(&caller, work).await.unwrap();
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert!((1..=OF_ACCOUNT).contains(&most.load(Ordering::SeqCst)));
        assert!(!DESK.accounts().contains_key(&caller.account));
    }
}
