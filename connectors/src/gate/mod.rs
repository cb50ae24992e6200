//! The single way in and out of the log: it decides, with reasons, and mints the permits the log asks for.

mod alive;
mod budget;
mod calls;
mod deliver;
mod keys;
pub mod permit;
mod settings;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use changtong_catalog::account::Caller;
use changtong_catalog::clock::{Clock, Ids};
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::grant::Grant;
use changtong_catalog::ids::{GrantId, SubscriptionId};
use changtong_catalog::mac::hex;
use changtong_catalog::ports::{Directory, Ended, Ledger, Receipt};
use sha2::{Digest, Sha256};

use crate::limit::Left;
use crate::log::Log;
pub use alive::Alive;
pub use budget::{Budget, Held};
pub use calls::{
    Acknowledge, Body, Format, From, OnInvalid, Original, OwnRead, Place, Poll, Publish, SetAside,
};
pub use deliver::Delivery;
pub use keys::{GateKeys, KeyRing};
pub use permit::{Permit, PermitKind};
pub use settings::{Limits, Settings};

/// What a gate is built from.
pub struct Parts {
    pub log: Arc<dyn Log>,
    pub ledger: Arc<dyn Ledger>,
    pub directory: Arc<dyn Directory>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub keys: GateKeys,
    pub alive: Alive,
    pub settings: Settings,
}

pub struct Gate {
    parts: Parts,
    budget: Budget,
}

impl Gate {
    /// Starts the gate's tasks; call it inside the runtime.
    #[must_use]
    pub fn start(parts: Parts) -> Arc<Self> {
        let budget = Budget::new(parts.settings.bytes_in_flight);
        Arc::new(Self { parts, budget })
    }

    /// Once at the start of the only server: closes the windows left open, settles holes at once, unless the store
    /// turns out to be older than the log (then publishing and delivery answer `store_older_than_log`).
    pub async fn recover(&self) -> Result<(), Refusal> {
        self.parts.alive.check()
    }

    /// Every second: settles, and notes the marks.
    pub async fn tick(&self) -> Result<(), Refusal> {
        self.parts.alive.check()
    }

    /// For bodies while they arrive.
    #[must_use]
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Publishes a body (protocol.md 3). Goes on if the caller leaves.
    pub async fn publish(self: &Arc<Self>, publish: Publish) -> Result<Receipt, Refusal> {
        drop(publish);
        Err(unfinished())
    }

    /// Answers one read of a subscription; everything that can be refused is refused here, before the first byte.
    pub async fn deliver(self: &Arc<Self>, poll: Poll) -> Result<Delivery, Refusal> {
        drop(poll);
        Err(unfinished())
    }

    pub async fn acknowledge(&self, acknowledge: Acknowledge) -> Result<(), Refusal> {
        drop(acknowledge);
        Err(unfinished())
    }

    /// Sets the position; answers its cursor.
    pub async fn seek(
        &self,
        caller: &Caller,
        subscription: SubscriptionId,
        from: &From,
    ) -> Result<String, Refusal> {
        let _ = (caller, subscription, from);
        Err(unfinished())
    }

    /// Where a new subscription of a grant begins.
    pub async fn place(&self, grant: GrantId, from: &From) -> Result<Place, Refusal> {
        let _ = (grant, from);
        Err(unfinished())
    }

    /// The stored position of a subscription as a cursor.
    pub async fn position(&self, subscription: SubscriptionId) -> Result<String, Refusal> {
        let _ = subscription;
        Err(unfinished())
    }

    /// After a change has committed: ends the windows it concerns, waits for their closings, and answers `last_left`
    /// per subscription (protocol.md 7).
    pub async fn end(&self, ended: &Ended) -> Result<BTreeMap<SubscriptionId, String>, Refusal> {
        let _ = ended;
        Err(unfinished())
    }

    /// An owner reads its own resource: NDJSON lines and the final `{"next"}`.
    pub async fn read_own(&self, read: OwnRead) -> Result<Bytes, Refusal> {
        drop(read);
        Err(unfinished())
    }

    /// The bytes of a record set aside, for its owner.
    pub async fn original(&self, caller: &Caller, aside: &SetAside) -> Result<Original, Refusal> {
        let _ = (caller, aside);
        Err(unfinished())
    }

    /// Publishes a record set aside again, once however often it is asked; the caller marks the index row.
    pub async fn replay(self: &Arc<Self>, caller: &Caller, aside: &SetAside) -> Result<Receipt, Refusal> {
        let _ = (caller, aside);
        Err(unfinished())
    }

    /// What is left of the rates that concern a caller, and of a grant's.
    #[must_use]
    pub fn left(&self, caller: &Caller, grant: Option<&Grant>) -> Vec<Left> {
        let _ = (caller, grant);
        Vec::new()
    }

    /// Takes nothing new, ends the readers, commits what is ready, at most this long.
    pub async fn drain(&self, deadline: Duration) {
        let _ = deadline;
        self.parts.alive.drain();
    }
}

/// The digest of nothing sent.
pub(crate) fn empty_digest() -> String {
    hex(&Sha256::digest([]))
}

fn unfinished() -> Refusal {
    Refusal::new(Code::Internal, "尚未完成", "not finished")
}
