//! The store's side of `ports::Ledger`: what the bus side commits.
//!
//! | part | file |
//! |---|---|
//! | one transaction for a group | `commit.rs`, with its locks (`locks.rs`) and what it reads (`facts.rs`) |
//! | which attempts count | `publishing.rs`, pure |
//! | which windows open and close, which positions move | `delivering.rs`, pure |
//! | receipts from rows and events; what stands after an unknown commit | `receipts.rs`, `outcome.rs` |
//! | settling, topics, floors, `last_left` | `settle.rs`, `standing.rs` |

mod commit;
mod delivering;
mod facts;
mod locks;
mod outcome;
mod publishing;
mod receipts;
mod settle;
mod standing;
mod texts;

pub(super) use texts::not_waiting;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::asking::Asking;
use super::visibility::TopicKey;
use super::{Store, idempotency, sources};
use crate::clock::{Clock, Ids};
use crate::cursor::Cursor;
use crate::error::Refusal;
use crate::ids::{AccountId, Generation, GrantId, ResourceNumber, SubscriptionId};
use crate::ports::{
    Answers, Attempt, Claim, CommitError, Ended, Group, Ledger, LeftOpen, Receipt, Settling, Topic,
};
use crate::visibility::PartitionView;

/// A store under one epoch: once another server has taken the database, every commit is refused.
#[derive(Clone)]
pub struct StoreLedger {
    store: Store,
    /// The same, for what the committer alone asks.
    committing: Store,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    epoch: i64,
    /// The keys of clients that are asked for before anything is appended.
    asking: Arc<Asking<idempotency::Scope>>,
}

impl fmt::Debug for StoreLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreLedger").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

impl StoreLedger {
    /// `epoch` is that of the lease taken by `Store::take_server`.
    #[must_use]
    pub fn new(store: Store, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>, epoch: i64) -> Self {
        let store = store.under(epoch);
        Self { committing: store.committing(), store, clock, ids, epoch, asking: Arc::default() }
    }
}

async fn views_over(store: &Store, topic: TopicKey) -> Result<Vec<PartitionView>, Refusal> {
    let mut views = store.read().await?.views(&[topic]).await?;
    Ok(views.remove(&topic).unwrap_or_default())
}

#[async_trait]
impl Ledger for StoreLedger {
    async fn views(
        &self,
        resource: ResourceNumber,
        generation: Generation,
    ) -> Result<Vec<PartitionView>, Refusal> {
        views_over(&self.store, (resource, generation)).await
    }

    async fn committer_views(
        &self,
        resource: ResourceNumber,
        generation: Generation,
    ) -> Result<Vec<PartitionView>, Refusal> {
        views_over(&self.committing, (resource, generation)).await
    }

    async fn want_topic(&self, topic: &Topic) -> Result<Topic, Refusal> {
        self.want(topic).await
    }

    async fn topic_made(&self, topic: &Topic) -> Result<(), Refusal> {
        self.made(topic).await
    }

    async fn commit(&self, group: &Group) -> Result<Answers, CommitError> {
        commit::commit(self, group).await
    }

    async fn outcome(&self, attempts: &[Attempt]) -> Result<Vec<Result<Receipt, Refusal>>, Refusal> {
        outcome::outcome(self, attempts).await
    }

    async fn decided(&self, resources: &[ResourceNumber]) -> Result<(), Refusal> {
        outcome::decided(self, resources).await
    }

    async fn stored_receipt(
        &self,
        claim: &Claim,
        _generation: Generation,
    ) -> Result<Option<Receipt>, Refusal> {
        let Some(stored) = self.asking.ask(&self.store, idempotency::scope(claim)).await? else {
            return Ok(None);
        };
        outcome::receipt_of(&mut self.store.read().await?, claim, stored).await.map(Some)
    }

    async fn source_position(&self, resource: ResourceNumber, connector: &str) -> Result<String, Refusal> {
        let stored = self.store.read().await?.source_position(resource, connector).await?;
        Ok(stored.unwrap_or_else(|| sources::START.to_owned()))
    }

    async fn source(
        &self,
        resource: ResourceNumber,
        connector: &str,
    ) -> Result<Option<(AccountId, String)>, Refusal> {
        let key = (resource, connector.to_owned());
        let state = self.store.read().await?.source_states(std::slice::from_ref(&key)).await?.remove(&key);
        Ok(state.map(|state| (state.account, state.position)))
    }

    async fn settle(
        &self,
        settling: &Settling,
        known: &[PartitionView],
    ) -> Result<Vec<PartitionView>, Refusal> {
        settle::settle(self, settling, known).await
    }

    async fn log_rolled_back(&self, resource: ResourceNumber, generation: Generation) -> Result<(), Refusal> {
        settle::rolled_back(self, resource, generation).await
    }

    async fn floor(&self, grant: GrantId, generation: Generation) -> Result<Option<Vec<i64>>, Refusal> {
        self.store.read().await?.floor(grant, generation).await
    }

    async fn resolve_floor(
        &self,
        grant: GrantId,
        generation: Generation,
        offsets: &[i64],
    ) -> Result<Vec<i64>, Refusal> {
        self.resolve_floor(grant, generation, offsets).await
    }

    async fn last_left(&self, ended: &Ended) -> Result<BTreeMap<SubscriptionId, Cursor>, Refusal> {
        self.farthest(ended).await
    }

    async fn left_open(&self) -> Result<Vec<LeftOpen>, Refusal> {
        self.store.read().await?.windows_before(self.epoch).await
    }
}
