//! Several keys that read under one grant with quotas of a day, and a store that is stopped where a test says.

use std::time::Duration;

use changtong_catalog::account::Caller;
use changtong_catalog::error::Refusal;
use changtong_catalog::ids::{GrantId, KeyId};
use changtong_catalog::request::GrantLimits;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::store::StoreFault;
use super::world::{Answer, SUBSCRIPTION, World, caller, consumer, until, whole};
use crate::gate::Poll;

pub const GRANT: GrantId = GrantId(Uuid::from_u128(4));

/// Keys of the consumer's agency.
pub const FIRST: &str = "consumer";
pub const SECOND: &str = "another";
pub const THIRD: &str = "third";

pub fn key(name: &str) -> KeyId {
    KeyId(name.to_owned())
}

fn caller_by(name: &str) -> Caller {
    if name == FIRST { consumer() } else { caller(2, 22, name) }
}

/// What readers may take, of a resource with some records.
#[derive(Default)]
pub struct Quotas {
    limits: GrantLimits,
    window: Option<Duration>,
}

impl Quotas {
    pub fn calls(mut self, a_day: i64) -> Self {
        self.limits.calls_per_day = Some(a_day);
        self
    }

    pub fn records(mut self, a_day: i64) -> Self {
        self.limits.records_per_day = Some(a_day);
        self
    }

    pub fn records_a_second(mut self, records: u32) -> Self {
        self.limits.records_per_second = Some(records);
        self
    }

    /// How long a window lasts.
    pub fn windows_of(mut self, window: Duration) -> Self {
        self.window = Some(window);
        self
    }

    pub async fn world(self, rows: i64) -> World {
        let world = World::with(|settings, grant| {
            settings.window = self.window.unwrap_or(settings.window);
            grant.limits = self.limits;
        });
        world.subscribe(SUBSCRIPTION);
        world.rows(0..rows).await.unwrap();
        world
    }
}

/// A commit of the store that goes on when it is let go.
pub struct Stopped<'w> {
    world: &'w World,
    begun: usize,
}

impl Stopped<'_> {
    pub async fn is_reached(&self) {
        let mut begun = self.world.store.begun.subscribe();
        begun.wait_for(|now| *now > self.begun).await.unwrap();
    }

    pub fn let_go(self) {
        self.world.store.hold.send_replace(false);
    }
}

impl World {
    /// Stops the store's next commit, which ends as said.
    pub fn stop(&self, fault: Option<StoreFault>) -> Stopped<'_> {
        let begun = *self.store.begun.borrow();
        self.store.hold.send_replace(true);
        self.store.faults.lock().extend(fault);
        Stopped { world: self, begun }
    }

    /// Reads one record by this key.
    pub async fn one(&self, by: &str, cursor: Option<&str>) -> Result<Answer, Refusal> {
        whole(self.gate.deliver(self.one_by(by, cursor)).await?).await
    }

    /// The same, beside the test.
    pub fn one_beside(&self, by: &str) -> JoinHandle<Result<Answer, Refusal>> {
        let (gate, poll) = (self.gate.clone(), self.one_by(by, None));
        tokio::spawn(async move { whole(gate.deliver(poll).await?).await })
    }

    fn one_by(&self, by: &str, cursor: Option<&str>) -> Poll {
        Poll { caller: caller_by(by), limit: Some(1), ..self.poll(cursor) }
    }

    /// The same, once it waits for quota as the last of so many.
    pub async fn one_that_waits(&self, by: &str, waiting: i64) -> JoinHandle<Result<Answer, Refusal>> {
        let reading = self.one_beside(by);
        until(async || self.gate.windows.turns().waiting(GRANT) == waiting).await;
        reading
    }
}

/// What it came to, long before anything ends by itself.
pub async fn told(reading: JoinHandle<Result<Answer, Refusal>>) -> Result<Answer, Refusal> {
    tokio::time::timeout(Duration::from_secs(60), reading).await.expect("nobody told it").unwrap()
}
