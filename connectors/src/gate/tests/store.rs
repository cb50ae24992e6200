//! A store in memory, small but true to protocol.md 3 to 7: what one commit decides, it decides whole.

use std::collections::{BTreeMap, VecDeque};

use async_trait::async_trait;
use changtong_catalog::clock::Clock;
use changtong_catalog::cursor::{Cursor, farther};
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::grant::Grant;
use changtong_catalog::ids::{AccountId, Generation, GrantId, ResourceNumber, SubscriptionId, WindowId};
use changtong_catalog::ports::*;
use changtong_catalog::visibility::{PartitionView, is_older};
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::watch;

use super::directory::edges;
use super::state::{State, name, reused};

/// What the next commit does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreFault {
    NotSent,
    /// Done, and nobody hears of it.
    Unheard,
    /// Lost, and nobody hears of it.
    Lost,
    /// Nobody hears of it, and its openings stand only when the store is asked whether it is decided.
    Late,
}

pub struct MemoryStore {
    pub state: Mutex<State>,
    pub clock: Arc<dyn Clock>,
    pub faults: Mutex<VecDeque<StoreFault>>,
    /// While true, commits wait.
    pub hold: watch::Sender<bool>,
    /// Commits that wait or have begun.
    pub begun: watch::Sender<usize>,
    /// While true, nothing is said about an unheard commit.
    pub silent: Mutex<bool>,
    pub groups: Mutex<Vec<usize>>,
    /// No group with a closing of this window is ever taken.
    pub never_closes: Mutex<Option<WindowId>>,
}

fn away() -> Refusal {
    Refusal::new(Code::StoreUnavailable, "数据库不可用", "the store does not answer")
}

impl MemoryStore {
    pub fn new(clock: Arc<dyn Clock>, resource: ResourceStanding, grant: Grant) -> Self {
        let state = State { resource: Some(resource), grant: Some(grant), ..State::default() };
        Self {
            state: Mutex::new(state),
            clock,
            faults: Mutex::default(),
            hold: watch::Sender::new(false),
            begun: watch::Sender::new(0),
            silent: Mutex::new(false),
            groups: Mutex::default(),
            never_closes: Mutex::default(),
        }
    }
}

#[async_trait]
impl Ledger for MemoryStore {
    async fn views(&self, number: ResourceNumber, of: Generation) -> Result<Vec<PartitionView>, Refusal> {
        Ok(self.state.lock().views.get(&(number, of)).cloned().unwrap_or_default())
    }

    async fn want_topic(&self, topic: &Topic) -> Result<Topic, Refusal> {
        let mut state = self.state.lock();
        let in_force = state.resource.as_ref().unwrap().resource.generation == topic.generation;
        let stored = if in_force {
            state.resource.as_mut().unwrap().topic.get_or_insert_with(|| topic.clone()).clone()
        } else {
            let of = |edges: &&TopicEdges| edges.topic.generation == topic.generation;
            let known = state.edges.iter().find(of).map(|edges| edges.topic.clone());
            known.unwrap_or_else(|| {
                state.edges.push(edges(topic, Vec::new()));
                topic.clone()
            })
        };
        let views = vec![PartitionView::default(); stored.partitions as usize];
        state.views.entry((topic.resource, topic.generation)).or_insert(views);
        Ok(stored)
    }

    async fn topic_made(&self, topic: &Topic) -> Result<(), Refusal> {
        let mut state = self.state.lock();
        let copied_into = state.edges.iter_mut().find(|edges| edges.topic.generation == topic.generation);
        match copied_into {
            Some(edges) => edges.topic.made = true,
            None => state.resource.as_mut().unwrap().topic.as_mut().unwrap().made = true,
        }
        Ok(())
    }

    async fn commit(&self, group: &Group) -> Result<Answers, CommitError> {
        self.begun.send_modify(|begun| *begun += 1);
        let _ = self.hold.subscribe().wait_for(|held| !held).await;
        let fault = self.faults.lock().pop_front();
        self.groups.lock().push(group.attempts.len());
        let never = *self.never_closes.lock();
        if group.closings.iter().any(|closing| Some(closing.window) == never) {
            return Err(CommitError::NotSent(Refusal::new(
                Code::Internal,
                "事件过大",
                "the event is too large",
            )));
        }
        match fault {
            Some(StoreFault::NotSent) => return Err(CommitError::NotSent(away())),
            Some(StoreFault::Lost) => return Err(CommitError::Unknown(away())),
            Some(StoreFault::Late) => {
                let openings = group.openings.clone();
                self.state.lock().late = Some(Group { openings, ..Group::default() });
                return Err(CommitError::Unknown(away()));
            }
            _ => {}
        }
        let answers = self.state.lock().apply(group, self.clock.now());
        if fault == Some(StoreFault::Unheard) { Err(CommitError::Unknown(away())) } else { Ok(answers) }
    }

    async fn outcome(&self, attempts: &[Attempt]) -> Result<Vec<Result<Receipt, Refusal>>, Refusal> {
        if *self.silent.lock() {
            return Err(away());
        }
        let state = self.state.lock();
        let unknown = || Refusal::new(Code::OutcomeUnknown, "未知", "unknown");
        Ok(attempts.iter().map(|a| state.receipts.get(&a.batch).cloned().ok_or_else(unknown)).collect())
    }

    async fn decided(&self, _: &[ResourceNumber]) -> Result<(), Refusal> {
        let now = self.clock.now();
        let mut state = self.state.lock();
        if let Some(late) = state.late.take() {
            state.apply(&late, now);
        }
        Ok(())
    }

    async fn stored_receipt(&self, claim: &Claim, _: Generation) -> Result<Option<Receipt>, Refusal> {
        match self.state.lock().claims.get(&name(claim)) {
            Some((hash, _)) if *hash != claim.hash => Err(reused()),
            found => Ok(found.map(|(_, receipt)| receipt.clone())),
        }
    }

    async fn source_position(&self, _: ResourceNumber, connector: &str) -> Result<String, Refusal> {
        Ok(self.state.lock().sources.get(connector).cloned().unwrap_or_else(|| "-".to_owned()))
    }

    async fn source(
        &self,
        _: ResourceNumber,
        connector: &str,
    ) -> Result<Option<(AccountId, String)>, Refusal> {
        let position = self.state.lock().sources.get(connector).cloned();
        Ok(position.map(|position| (super::world::provider().account, position)))
    }

    async fn settle(
        &self,
        settling: &Settling,
        known: &[PartitionView],
    ) -> Result<Vec<PartitionView>, Refusal> {
        let mut state = self.state.lock();
        let views = state.views.get_mut(&(settling.topic.resource, settling.topic.generation)).unwrap();
        if is_older(views, known) {
            return Err(store_older());
        }
        for (at, view) in views.iter_mut().enumerate() {
            if let Some(change) = view.settle(settling.noted_ends[at], settling.first_kept[at]) {
                view.apply(&change);
            }
        }
        Ok(views.clone())
    }

    async fn log_rolled_back(&self, _: ResourceNumber, _: Generation) -> Result<(), Refusal> {
        self.state.lock().resource.as_mut().unwrap().resource.log_rolled_back = true;
        Ok(())
    }

    async fn floor(&self, id: GrantId, of: Generation) -> Result<Option<Vec<i64>>, Refusal> {
        Ok(self.state.lock().floors.get(&(id, of)).cloned())
    }

    async fn resolve_floor(&self, id: GrantId, of: Generation, offsets: &[i64]) -> Result<Vec<i64>, Refusal> {
        Ok(self.state.lock().floors.entry((id, of)).or_insert_with(|| offsets.to_vec()).clone())
    }

    async fn last_left(&self, _: &Ended) -> Result<BTreeMap<SubscriptionId, Cursor>, Refusal> {
        let state = self.state.lock();
        let mut left: BTreeMap<SubscriptionId, Cursor> = BTreeMap::new();
        for (opening, closing) in state.windows.values() {
            let Some(closing) = closing else { panic!("a window is still open when last_left is asked") };
            let stored = &state.subscriptions[&opening.subscription];
            let cursor = left.entry(opening.subscription).or_insert_with(|| Cursor {
                subscription: stored.id,
                view: stored.view,
                generation: stored.generation,
                seek_count: stored.seek_count,
                next: Vec::new(),
            });
            cursor.next = farther(&cursor.next, &closing.let_out);
        }
        Ok(left)
    }

    async fn left_open(&self) -> Result<Vec<LeftOpen>, Refusal> {
        let state = self.state.lock();
        let open =
            state.windows.values().filter(|(_, closing)| closing.is_none()).map(|(opening, _)| opening);
        Ok(open
            .map(|opening| LeftOpen {
                window: opening.window,
                grant: opening.grant,
                resource: opening.resource,
                generation: opening.generation,
                from: opening.from.clone(),
                most: opening.most,
            })
            .collect())
    }
}
