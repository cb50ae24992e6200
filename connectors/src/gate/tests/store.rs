//! A store in memory, small but true to protocol.md 3 to 7: what one commit decides, it decides whole.

use std::collections::{BTreeMap, VecDeque};

use async_trait::async_trait;
use changtong_catalog::api_key::Fallen;
use changtong_catalog::clock::{Clock, Time};
use changtong_catalog::cursor::{Cursor, farther};
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::grant::{Grant, Subscription, decide};
use changtong_catalog::ids::{
    AccountId, BatchId, EventId, Generation, GrantId, KeyId, ResourceNumber, SchemaId, SubscriptionId,
    WindowId,
};
use changtong_catalog::ports::*;
use changtong_catalog::quota::{DayUse, Quota};
use changtong_catalog::visibility::{PartitionView, Run, StoredRun, Verdict, is_older};
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::watch;

use super::directory::edges;

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

type TopicKey = (ResourceNumber, Generation);
type ClaimName = (AccountId, String, String, String);

#[derive(Default)]
pub struct State {
    pub resource: Option<ResourceStanding>,
    pub grant: Option<Grant>,
    pub subscriptions: BTreeMap<SubscriptionId, Subscription>,
    pub views: BTreeMap<TopicKey, Vec<PartitionView>>,
    claims: BTreeMap<ClaimName, ([u8; 16], Receipt)>,
    pub sources: BTreeMap<String, String>,
    pub set_aside: Vec<QuarantinedRecord>,
    pub receipts: BTreeMap<BatchId, Receipt>,
    pub windows: BTreeMap<WindowId, (Opening, Option<Closing>)>,
    pub ended_keys: BTreeMap<KeyId, Fallen>,
    pub floors: BTreeMap<(GrantId, Generation), Vec<i64>>,
    /// Topics of the generations, where a test has several.
    pub edges: Vec<TopicEdges>,
    pub acks: Vec<Ack>,
    late: Option<Group>,
    pub calls_used: i64,
    records_used: i64,
    pub records_reserved: i64,
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

impl State {
    fn attempt(&mut self, attempt: &Attempt) -> Result<Receipt, Refusal> {
        if let Some(claim) = &attempt.claim
            && let Some((hash, receipt)) = self.claims.get(&name(claim))
        {
            if *hash != claim.hash {
                return Err(reused());
            }
            return Ok(Receipt { replayed: true, ..receipt.clone() });
        }
        if let Some(step) = &attempt.source {
            let stored = self.sources.get(&step.connector).map_or("-", String::as_str);
            if stored != step.from {
                return Err(Refusal::new(Code::SourcePosition, "位置不符", "not the position"));
            }
        }
        let resource = self.resource.as_ref().unwrap();
        decide::publish(&attempt.caller, &resource.resource).check()?;
        let views = self.views.get_mut(&(attempt.resource, attempt.generation)).unwrap();
        for run in &attempt.runs {
            let late = |_| Refusal::new(Code::AttemptTooLate, "过迟", "too late");
            views[run.partition as usize].admit(run.first, run.last).map_err(late)?;
        }
        for run in &attempt.runs {
            let stored = StoredRun { first: run.first, last: run.last, verdict: Verdict::Committed };
            views[run.partition as usize].insert(stored).unwrap();
        }
        let receipt = Receipt {
            batch: attempt.batch,
            accepted: attempt.accepted,
            quarantined: attempt.quarantined.len() as i64,
            schema: SchemaId(7),
            runs: attempt.runs.clone(),
            event: EventId(attempt.batch.0),
            leaf_sha256: String::new(),
            replayed: false,
        };
        if let Some(claim) = &attempt.claim {
            self.claims.insert(name(claim), (claim.hash, receipt.clone()));
        }
        if let Some(step) = &attempt.source {
            self.sources.insert(step.connector.clone(), step.to.clone());
        }
        self.set_aside.extend(attempt.quarantined.iter().cloned());
        self.receipts.insert(attempt.batch, receipt.clone());
        Ok(receipt)
    }

    fn bury(&mut self, key: TopicKey, runs: &[Run]) {
        let Some(views) = self.views.get_mut(&key) else { return };
        for run in runs {
            let view = &mut views[run.partition as usize];
            for part in view.free(run.first, run.last) {
                view.insert(part).unwrap();
            }
        }
    }

    fn open(&mut self, opening: &Opening, now: Time) -> Result<Opened, Refusal> {
        let grant = self.grant.as_ref().unwrap();
        let resource = &self.resource.as_ref().unwrap().resource;
        decide::deliver(&opening.caller, grant, resource, Some(&opening.purpose), now).check()?;
        if grant.version != opening.grant_version {
            return Err(Refusal::new(Code::PreconditionFailed, "授权已变更", "the grant has changed"));
        }
        if self.ended_keys.contains_key(&opening.caller.key) {
            return Err(Refusal::new(Code::Unauthenticated, "密钥无效", "no key"));
        }
        if let Some(value) = opening.calls_per_day.filter(|_| opening.counts) {
            let day = DayUse { value, used: self.calls_used, reserved: 0 };
            Quota::Calls.take(1, &day, opening.resets_at)?;
        }
        let mut most = opening.most;
        if let Some(value) = opening.records_per_day {
            let day = DayUse { value, used: self.records_used, reserved: self.records_reserved };
            most = Quota::Records.take(most.min(day.share(opening.readers)), &day, opening.resets_at)?;
        }
        self.calls_used += i64::from(opening.counts);
        self.records_reserved += most;
        let asked = Opening { most, ..opening.clone() };
        assert!(self.windows.insert(opening.window, (asked, None)).is_none());
        Ok(Opened { window: opening.window, until: opening.until, most, calls: self.calls_used })
    }

    fn close(&mut self, closing: &Closing) {
        let Some((opening, stored @ None)) = self.windows.get_mut(&closing.window) else { return };
        assert!(closing.sent <= opening.most, "no more leaves than was reserved");
        *stored = Some(closing.clone());
        self.records_reserved -= opening.most;
        self.records_used += closing.sent;
        self.calls_used += closing.further_calls;
    }

    fn ack(&mut self, ack: &Ack) -> Result<(), Refusal> {
        let stored = self.subscriptions.get_mut(&ack.cursor.subscription).unwrap();
        stored.position = if stored.view == ack.cursor.view {
            farther(&stored.position, &ack.cursor.next)
        } else {
            ack.cursor.next.clone()
        };
        (stored.view, stored.generation) = (ack.cursor.view, ack.cursor.generation);
        self.acks.push(ack.clone());
        Ok(())
    }

    fn seek(&mut self, seek: &Seek) -> Result<i32, Refusal> {
        let stored = self.subscriptions.get_mut(&seek.subscription).unwrap();
        stored.seek_count += 1;
        (stored.view, stored.generation) = (seek.view, seek.generation);
        stored.position = seek.position.clone();
        Ok(stored.seek_count)
    }

    fn apply(&mut self, group: &Group, now: Time) -> Answers {
        let attempts: Vec<_> = group.attempts.iter().map(|attempt| self.attempt(attempt)).collect();
        for (attempt, answer) in group.attempts.iter().zip(&attempts) {
            if answer.as_ref().is_ok_and(|receipt| receipt.batch == attempt.batch) {
                continue;
            }
            self.bury((attempt.resource, attempt.generation), &attempt.runs);
        }
        group.dead.iter().for_each(|dead| self.bury((dead.resource, dead.generation), &dead.runs));
        group.closings.iter().for_each(|closing| self.close(closing));
        Answers {
            attempts,
            openings: group.openings.iter().map(|opening| self.open(opening, now)).collect(),
            acks: group.acks.iter().map(|ack| self.ack(ack)).collect(),
            seeks: group.seeks.iter().map(|seek| self.seek(seek)).collect(),
        }
    }
}

fn name(claim: &Claim) -> ClaimName {
    (claim.account, claim.action.clone(), claim.object.clone(), claim.key.clone())
}

fn reused() -> Refusal {
    Refusal::new(Code::IdempotencyKeyReused, "幂等键已用于其他内容", "the key was used with another body")
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
