//! The single way in and out of the log: it decides, with reasons, and mints the permits the log asks for.
//!
//! | what | where |
//! |---|---|
//! | a body becomes visible records (protocol.md 3) | `publish.rs`, `append.rs`, `topics.rs`, `claims.rs` |
//! | a subscription is read and moved (6, 7) | `deliver/` |
//! | an owner reads its own; a sample before agreeing | `steward.rs`, `preview.rs` |
//! | records set aside, and published after all | `quarantine.rs`, `replay.rs` |
//! | what is still there becomes a new generation (2) | `copy/`, `moving.rs` |
//! | holes become dead, the log and the store are watched (4) | `settle.rs`, `marks.rs`, `replaced.rs`, `survey.rs`; a loss it tells of is doubted: `doubt.rs`, `deliver/past.rs` |
//! | an alarm before a subscription loses records (6) | `edge.rs` |

mod alive;
mod append;
mod budget;
mod calls;
mod claims;
mod copy;
mod deliver;
mod doubt;
mod edge;
mod keys;
mod marks;
mod moving;
pub mod permit;
mod plans;
mod preview;
mod publish;
mod quarantine;
mod refusals;
mod replaced;
mod replay;
mod settings;
mod settle;
mod steward;
mod survey;
mod topics;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use changtong_catalog::account::Caller;
use changtong_catalog::clock::{Clock, Ids};
use changtong_catalog::error::Refusal;
use changtong_catalog::grant::Grant;
use changtong_catalog::ids::ResourceNumber;
use changtong_catalog::mac::hex;
use changtong_catalog::ports::{Directory, Ledger, store_older};
use sha2::{Digest, Sha256};

use crate::commit::{CommitSettings, Committer};
use crate::events::CallRefused;
use crate::limit::{Cost, Left, Levels, Limiter, Rates, Subject};
use crate::log::{Log, Tail};
use crate::metrics::Metrics;
pub use alive::Alive;
pub use budget::{Budget, Held};
pub use calls::{
    Acknowledge, Body, Follow, Format, From, OnInvalid, Original, OwnRead, Place, Poll, Publish, Replay,
    SetAside,
};
use claims::Claims;
pub use deliver::{Delivery, EventStream, File, Frame};
use deliver::{Past, Windows};
use doubt::Asked;
use edge::Edges;
pub use keys::{GateKeys, KeyRing};
use marks::Marks;
pub use moving::Moving;
use moving::Pauses;
pub use permit::{Permit, PermitKind};
use plans::Plans;
pub use preview::Sample;
use replaced::Replaced;
pub use settings::{Limits, Settings};
use settle::Settler;
pub use steward::OwnPage;
pub use survey::{Survey, Unseen, decided, noted_epoch, survey};
use topics::Topics;

/// What a gate is built from.
pub struct Parts {
    pub log: Arc<dyn Log>,
    pub ledger: Arc<dyn Ledger>,
    pub directory: Arc<dyn Directory>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub keys: GateKeys,
    pub alive: Alive,
    pub metrics: Arc<Metrics>,
    pub settings: Settings,
    /// The epoch that this server took.
    pub epoch: i64,
    /// `DATA/marks`, outside the store; `None` where nothing guards against an older store.
    pub marks: Option<PathBuf>,
}

pub struct Gate {
    log: Arc<dyn Log>,
    /// The log for readers, who share what they read near its end.
    tail: Tail,
    ledger: Arc<dyn Ledger>,
    directory: Arc<dyn Directory>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    keys: GateKeys,
    alive: Alive,
    metrics: Arc<Metrics>,
    settings: Settings,
    budget: Budget,
    committer: Committer,
    limiter: Limiter,
    plans: Plans,
    past: Past,
    claims: Claims,
    pauses: Arc<Pauses>,
    topics: Topics,
    windows: Arc<Windows>,
    settler: tokio::sync::Mutex<Settler>,
    marks: Option<Marks>,
    edges: Edges,
    replaced: Replaced,
    asked: Asked,
}

impl Gate {
    /// Starts the gate's tasks; call it inside the runtime.
    pub fn start(parts: Parts) -> Result<Arc<Self>, Refusal> {
        let settings = parts.settings;
        let committer = Committer::start(
            parts.ledger.clone(),
            parts.alive.clone(),
            parts.clock.clone(),
            parts.metrics.clone(),
            CommitSettings {
                flush_after: settings.flush_after,
                flush_attempts: settings.flush_attempts,
                outcome_deadline: settings.outcome_deadline,
                queue: settings.queue,
            },
        )?;
        Ok(Arc::new(Self {
            budget: Budget::new(settings.bytes_in_flight),
            windows: Arc::new(Windows::new(committer.clone(), parts.metrics.clone(), settings.window)),
            limiter: Limiter::new(parts.clock.clone()),
            settler: tokio::sync::Mutex::new(Settler::default()),
            marks: parts.marks.map(|path| Marks::new(path, parts.epoch)),
            plans: Plans::default(),
            past: Past::default(),
            claims: Claims::default(),
            edges: Edges::default(),
            replaced: Replaced::default(),
            asked: Asked::default(),
            pauses: Arc::default(),
            topics: Topics::default(),
            tail: Tail::new(parts.log.clone(), parts.metrics.clone()),
            log: parts.log,
            ledger: parts.ledger,
            directory: parts.directory,
            clock: parts.clock,
            ids: parts.ids,
            keys: parts.keys,
            alive: parts.alive,
            metrics: parts.metrics,
            settings,
            committer,
        }))
    }

    /// Waits until nothing can be committed any more.
    pub async fn commits_ended(&self) {
        self.committer.ended().await;
    }

    /// For bodies while they arrive.
    #[must_use]
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// The metrics of the data path, which connectors move too.
    #[must_use]
    pub fn metrics(&self) -> Arc<Metrics> {
        self.metrics.clone()
    }

    /// The stored position of a source; `-` before its first.
    pub async fn source_position(&self, resource: ResourceNumber, source: &str) -> Result<String, Refusal> {
        self.admit()?;
        self.ledger.source_position(resource, source).await
    }

    /// A call that moves no records: it weighs one request on bus, agency, account and key.
    pub fn call(&self, caller: &Caller) -> Result<(), Refusal> {
        self.alive.admit()?;
        self.weigh(&self.caller_levels(caller))
    }

    /// One request, of whatever levels it concerns.
    pub(in crate::gate) fn weigh(&self, levels: &Levels) -> Result<(), Refusal> {
        let taken = self.limiter.take(levels, Cost { requests: 1, ..Cost::default() });
        taken.inspect_err(|refusal| CallRefused { refusal }.emit(&self.metrics))
    }

    /// What is left of the rates that concern a caller, and of a grant's.
    #[must_use]
    pub fn left(&self, caller: &Caller, grant: Option<&Grant>) -> Vec<Left> {
        let mut levels = self.caller_levels(caller).to_vec();
        levels.extend(grant.map(grant_level));
        self.limiter.left(&levels)
    }

    /// Takes nothing new, lets the readers and the commits under way end, at most this long.
    pub async fn drain(&self, deadline: Duration) {
        self.alive.drain();
        self.windows.drain(deadline).await;
        self.metrics.bytes_in_flight.set(i64::try_from(self.budget.held()).unwrap_or(i64::MAX));
    }

    /// Whether something new may begin.
    fn admit(&self) -> Result<(), Refusal> {
        if self.is_store_older() {
            return Err(store_older());
        }
        self.alive.admit()
    }

    fn caller_levels(&self, caller: &Caller) -> [(Subject, Rates); 4] {
        let limits = &self.settings.limits;
        [
            (Subject::Bus, limits.bus),
            (Subject::Agency(caller.agency), limits.agency),
            (Subject::Account(caller.account), limits.account),
            (Subject::Key(caller.key.clone()), limits.key),
        ]
    }

    fn resource_level(&self, resource: ResourceNumber) -> (Subject, Rates) {
        (Subject::Resource(resource), self.settings.limits.resource)
    }
}

fn grant_level(grant: &Grant) -> (Subject, Rates) {
    (Subject::Grant(grant.id), Rates::of_grant(&grant.limits))
}

/// The digest of nothing sent.
pub(crate) fn empty_digest() -> String {
    hex(&Sha256::digest([]))
}
