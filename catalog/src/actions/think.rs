//! Reading and comparing schemas costs processor time that whoever sends them chooses. The registry's questions, and what
//! revising a resource breaks, are thought about where nothing waits for it but the caller: on threads of their own, with
//! no connection to the store held (but for the last look of `judge.rs`), no more at once than half the machine, and of
//! one account no more than two.

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
static DESK: LazyLock<Desk> = LazyLock::new(|| Desk::with(half()));

fn half() -> usize {
    std::thread::available_parallelism().map_or(1, |all| all.get().div_ceil(2))
}

struct Desk {
    places: Arc<Semaphore>,
    accounts: Arc<Mutex<HashMap<AccountId, Turns>>>,
}

/// What one account has of the desk.
struct Turns {
    free: Arc<Semaphore>,
    /// How many have a place or wait for one.
    in_line: usize,
}

/// Stands in its account's line until it is dropped, whether it got a place or not.
struct InLine {
    account: AccountId,
    accounts: Arc<Mutex<HashMap<AccountId, Turns>>>,
}

/// A place at the desk, held until the work is done, even if nobody waits for it any more. It is given back before the
/// line is left.
pub(super) struct Place {
    _of_all: OwnedSemaphorePermit,
    _of_account: OwnedSemaphorePermit,
    _line: InLine,
}

impl Desk {
    fn with(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), accounts: Arc::default() }
    }

    fn line_up(&self, account: AccountId) -> (InLine, Arc<Semaphore>) {
        let mut accounts = lock(&self.accounts);
        let new = || Turns { free: Arc::new(Semaphore::new(OF_ACCOUNT)), in_line: 0 };
        let turns = accounts.entry(account).or_insert_with(new);
        turns.in_line += 1;
        (InLine { account, accounts: self.accounts.clone() }, turns.free.clone())
    }

    async fn place(&self, account: AccountId) -> Result<Place, AcquireError> {
        let (line, own) = self.line_up(account);
        // Its own turn first: who asks for much waits behind itself.
        let of_account = own.acquire_owned().await?;
        let of_all = self.places.clone().acquire_owned().await?;
        Ok(Place { _of_all: of_all, _of_account: of_account, _line: line })
    }

    async fn turn(&self, account: AccountId) -> Result<Place, Refusal> {
        self.place(account).await.map_err(|_| failed())
    }
}

impl Place {
    /// Does the work, and gives the place back.
    pub(super) async fn think<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let done = spawn_blocking(move || {
            let done = work();
            drop(self);
            done
        });
        done.await.map_err(|_| failed())
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for InLine {
    fn drop(&mut self) {
        let mut accounts = lock(&self.accounts);
        let Some(turns) = accounts.get_mut(&self.account) else { return };
        turns.in_line -= 1;
        if turns.in_line == 0 {
            accounts.remove(&self.account);
        }
    }
}

/// Does the work when it is the caller's turn.
pub(super) async fn think<T: Send + 'static>(
    caller: &Caller,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    turn(caller).await?.think(work).await
}

/// A place for the caller, before what is thought about is read: no more of it is in memory than there are places. Who
/// has one may wait for a connection or a lock; who has one of those does not wait for a place.
pub(super) async fn turn(caller: &Caller) -> Result<Place, Refusal> {
    DESK.turn(caller.account).await
}

/// Every place at the desk, so that a test sees what is done while none is free.
#[cfg(test)]
pub(super) async fn whole_desk() -> OwnedSemaphorePermit {
    let all = u32::try_from(half()).unwrap();
    DESK.places.clone().acquire_many_owned(all).await.unwrap()
}

/// Whether an account has a place at the desk, or waits for one.
#[cfg(test)]
pub(super) fn in_line(account: AccountId) -> bool {
    lock(&DESK.accounts).contains_key(&account)
}

fn failed() -> Refusal {
    Refusal::new(Code::Internal, "核对模式时出错", "reading or comparing the schema failed")
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;
    use crate::testing::caller;

    /// Whether it has to wait, however often it is asked.
    fn waits<T>(place: std::pin::Pin<&mut impl Future<Output = T>>) -> bool {
        place.poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    #[tokio::test]
    async fn one_account_takes_two_places_and_leaves_the_others_to_others() {
        let desk = Desk::with(8);
        let (one, other) = (caller(77, 77, &[]).account, caller(77, 78, &[]).account);
        let (first, second) = (desk.place(one).await.unwrap(), desk.place(one).await.unwrap());
        let mut third = pin!(desk.place(one));
        assert!(waits(third.as_mut()));
        let theirs = desk.place(other).await.unwrap();
        assert_eq!(desk.places.available_permits(), 5);
        drop(first);
        let third = third.await.unwrap();
        assert_eq!(lock(&desk.accounts)[&one].in_line, 2);
        drop((second, third, theirs));
        assert_eq!(desk.places.available_permits(), 8);
        assert!(lock(&desk.accounts).is_empty());
    }

    #[tokio::test]
    async fn who_waited_and_went_away_leaves_nothing() {
        let desk = Desk::with(8);
        let one = caller(77, 77, &[]).account;
        let places = (desk.place(one).await.unwrap(), desk.place(one).await.unwrap());
        {
            let mut third = pin!(desk.place(one));
            assert!(waits(third.as_mut()));
            drop(places);
            assert!(lock(&desk.accounts).contains_key(&one), "it is its turn");
        }
        assert!(lock(&desk.accounts).is_empty());
    }

    #[tokio::test]
    async fn a_place_is_free_again_when_the_work_is_done() {
        let desk = Desk::with(1);
        let one = caller(77, 77, &[]).account;
        for round in 0..3 {
            assert_eq!(desk.turn(one).await.unwrap().think(move || round).await, Ok(round));
            assert_eq!((desk.places.available_permits(), lock(&desk.accounts).len()), (1, 0));
        }
        assert!(desk.turn(one).await.unwrap().think::<()>(|| panic!("it fails")).await.is_err());
        assert_eq!((desk.places.available_permits(), lock(&desk.accounts).len()), (1, 0));
    }
}
