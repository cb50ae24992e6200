//! The committer's task: gathers a group, commits it, keeps the views, answers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use changtong_catalog::clock::Clock;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::ResourceNumber;
use changtong_catalog::ports::{
    Answers, Attempt, Closing, CommitError, DeadRuns, Ledger, Receipt, Settling, Topic, store_older,
};
use changtong_catalog::visibility::{PartitionView, Run};
use tokio::sync::mpsc::{Receiver, UnboundedReceiver};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::carry::Carry;
use super::expected::OnTheWay;
use super::group::{Member, Pending};
use super::views::{Partitions, Views, key_of};
use super::{CommitSettings, Done, Leftover, TopicKey};
use crate::events::{CommitFailed, Committed, StoreFoundOlder, ViewsReloaded};
use crate::fault;
use crate::gate::Alive;
use crate::metrics::Metrics;

/// Between two tries of leftovers, and between two questions for an outcome.
const PAUSE: Duration = Duration::from_millis(250);

pub(super) struct Task {
    ledger: Arc<dyn Ledger>,
    alive: Alive,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    settings: CommitSettings,
    views: Arc<Views>,
    on_the_way: OnTheWay,
    carry: Carry,
    /// Topics whose views may lack what the store has.
    stale: BTreeSet<TopicKey>,
    /// Resources of windows whose opening nobody heard of: their closings wait until that COMMIT is decided.
    undecided: BTreeSet<ResourceNumber>,
    /// When leftovers that failed are tried again.
    retry_at: Instant,
    /// The last commit took longer than a group waits: then waiting for company is only delay.
    store_is_slow: bool,
}

enum Woken {
    Member(Option<Member>),
    Leftover(Option<Leftover>),
    Retry,
}

impl Task {
    pub fn new(
        ledger: Arc<dyn Ledger>,
        alive: Alive,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        settings: CommitSettings,
        views: Arc<Views>,
        on_the_way: OnTheWay,
    ) -> Self {
        Self {
            ledger,
            alive,
            clock,
            metrics,
            settings,
            views,
            on_the_way,
            carry: Carry::default(),
            stale: BTreeSet::new(),
            undecided: BTreeSet::new(),
            retry_at: Instant::now(),
            store_is_slow: false,
        }
    }

    pub async fn run(mut self, mut requests: Receiver<Member>, mut left: UnboundedReceiver<Leftover>) {
        loop {
            let mut pending = Pending::default();
            match self.wake(&mut requests, &mut left).await {
                Woken::Member(Some(member)) => self.take(&mut pending, member).await,
                Woken::Leftover(Some(leftover)) => self.carry.put(leftover),
                Woken::Retry => {}
                // The last handle is gone, and with it everyone who could wait.
                Woken::Member(None) | Woken::Leftover(None) => break,
            }
            self.gather(&mut pending, &mut requests).await;
            while let Ok(leftover) = left.try_recv() {
                self.carry.put(leftover);
            }
            self.reload().await;
            if self.undecided.is_empty() && !self.views.is_store_older() {
                self.carry.fill(&mut pending);
            }
            if !pending.is_empty() {
                self.commit(pending).await;
            }
            if self.must_wait() && Instant::now() >= self.retry_at {
                self.retry().await;
            }
        }
        while let Ok(leftover) = left.try_recv() {
            self.carry.put(leftover);
        }
        while !self.views.is_store_older() && !self.carry.is_empty() && self.retry().await {
            let mut pending = Pending::default();
            self.carry.fill(&mut pending);
            if !pending.is_empty() {
                self.commit(pending).await;
            }
        }
    }

    async fn wake(&self, requests: &mut Receiver<Member>, left: &mut UnboundedReceiver<Leftover>) -> Woken {
        let behind = !self.carry.is_empty() || !self.stale.is_empty();
        let waits = behind && !self.views.is_store_older();
        let at = if self.must_wait() { self.retry_at } else { Instant::now() + PAUSE };
        tokio::select! {
            member = requests.recv() => Woken::Member(member),
            leftover = left.recv() => Woken::Leftover(leftover),
            () = sleep_until(at), if waits => Woken::Retry,
        }
    }

    /// Whether there are leftovers that ride by themselves only, and not before their time. A store that went back takes
    /// none, however often it is asked: they stay for the next server to find.
    fn must_wait(&self) -> bool {
        !self.views.is_store_older() && (self.carry.has_failed() || !self.undecided.is_empty())
    }

    /// Tries leftovers that failed before; whether they got through.
    async fn retry(&mut self) -> bool {
        if !self.undecided.is_empty() {
            let resources: Vec<ResourceNumber> = self.undecided.iter().copied().collect();
            if self.ledger.decided(&resources).await.is_err() {
                self.retry_at = Instant::now() + PAUSE;
                return false;
            }
            self.undecided.clear();
        }
        let mut pending = Pending::default();
        self.carry.fill_again(&mut pending);
        if pending.is_empty() {
            return true;
        }
        let through = self.commit(pending).await;
        self.carry.went(through);
        through
    }

    /// Fills the group from what waits, and waits a little for the attempts that are on their way now; those that set
    /// out later are for the next group, so that nobody waits where nobody else comes.
    async fn gather(&mut self, pending: &mut Pending, requests: &mut Receiver<Member>) {
        let until = Instant::now() + self.settings.flush_after;
        let last = self.on_the_way.last();
        while !pending.is_full(self.settings.flush_attempts) {
            if let Ok(member) = requests.try_recv() {
                self.take(pending, member).await;
                continue;
            }
            // Leftovers alone are in no hurry.
            let company = pending.is_empty() || self.on_the_way.any_up_to(last);
            if self.store_is_slow || !company {
                break;
            }
            tokio::select! {
                member = requests.recv() => match member {
                    Some(member) => self.take(pending, member).await,
                    None => break,
                },
                () = sleep_until(until) => break,
            }
        }
    }

    async fn take(&mut self, pending: &mut Pending, member: Member) {
        match pending.add(member) {
            Some(Member::Load(topic, answer)) => {
                let _ = answer.send(self.load(&topic).await);
            }
            Some(Member::Settle(settling, answer)) => {
                let _ = answer.send(self.settle(&settling).await);
            }
            _ => {}
        }
    }

    async fn load(&mut self, topic: &Topic) -> Result<Partitions, Refusal> {
        let key = key_of(topic);
        if let Some(views) = self.views.get(key) {
            return Ok(views);
        }
        let mut loaded = self.ledger.committer_views(topic.resource, topic.generation).await?;
        let partitions = usize::try_from(topic.partitions).unwrap_or(0);
        loaded.resize_with(partitions.max(loaded.len()), PartitionView::default);
        self.views.take(key, loaded);
        self.views.get(key).ok_or_else(lost_views)
    }

    async fn settle(&mut self, settling: &Settling) -> Result<Partitions, Refusal> {
        self.may_write()?;
        let key = key_of(&settling.topic);
        let known = self.views.known(key);
        match self.ledger.settle(settling, &known).await {
            Ok(views) => self.take_views(key, views),
            Err(refusal) => {
                if refusal.code == Code::StoreOlderThanLog {
                    self.found_older();
                }
                return Err(refusal);
            }
        }
        self.stale.remove(&key);
        self.views.get(key).ok_or_else(lost_views)
    }

    fn take_views(&self, key: TopicKey, views: Vec<PartitionView>) {
        if !self.views.take(key, views) {
            self.found_older();
        }
    }

    /// Said once, by whoever finds it.
    fn found_older(&self) {
        if self.views.found_older() {
            StoreFoundOlder.emit(&self.metrics);
        }
    }

    fn may_write(&self) -> Result<(), Refusal> {
        if self.views.is_store_older() { Err(store_older()) } else { self.alive.check() }
    }

    /// Loads again what may be behind the store.
    async fn reload(&mut self) {
        for key in std::mem::take(&mut self.stale) {
            let known = self.views.get(key).map_or(0, |views| views.len());
            match self.ledger.committer_views(key.0, key.1).await {
                Ok(mut loaded) => {
                    loaded.resize_with(known.max(loaded.len()), PartitionView::default);
                    self.take_views(key, loaded);
                    ViewsReloaded { resource: key.0 }.emit(&self.metrics);
                }
                Err(_) => {
                    // The store is away; older views are true as far as they go.
                    self.stale.insert(key);
                }
            }
        }
    }

    /// Whether the group was committed.
    async fn commit(&mut self, pending: Pending) -> bool {
        let began = self.clock.monotonic();
        fault::point(fault::COMMITTING);
        let answer = match self.may_write() {
            Ok(()) => self.ledger.commit(&pending.group).await,
            Err(refusal) => Err(CommitError::NotSent(refusal)),
        };
        let took = self.clock.monotonic().saturating_sub(began);
        self.store_is_slow = took >= self.settings.flush_after;
        match answer {
            Ok(answers) => {
                fault::point(fault::COMMITTED);
                Committed { attempts: pending.attempts() as u64, took }.emit(&self.metrics);
                self.record(&pending, &answers);
                self.reload().await;
                pending.answer(answers);
                if self.carry.may_hurry() {
                    self.retry_at = Instant::now();
                }
                true
            }
            Err(CommitError::NotSent(refusal)) => {
                CommitFailed { refusal: &refusal, unknown: false, attempts: pending.attempts() }
                    .emit(&self.metrics);
                let (closings, dead) = pending.refuse(&later(refusal));
                self.keep(closings, dead);
                false
            }
            Err(CommitError::Unknown(refusal)) => {
                CommitFailed { refusal: &refusal, unknown: true, attempts: pending.attempts() }
                    .emit(&self.metrics);
                self.find_out(pending, &refusal).await;
                false
            }
        }
    }

    /// Puts what the store wrote into the views.
    fn record(&mut self, pending: &Pending, answers: &Answers) {
        for key in pending.topics() {
            let (mut committed, mut dead) = (Vec::new(), Vec::new());
            for (attempt, answer) in pending.group.attempts.iter().zip(&answers.attempts) {
                if (attempt.resource, attempt.generation) == key {
                    let side = if counts(attempt, answer) { &mut committed } else { &mut dead };
                    side.extend(attempt.runs.iter().copied());
                }
            }
            for runs in pending.group.dead.iter().filter(|d| (d.resource, d.generation) == key) {
                dead.extend(runs.runs.iter().copied());
            }
            if !self.record_one(key, &committed, &dead) {
                self.stale.insert(key);
            }
        }
    }

    fn record_one(&self, key: TopicKey, committed: &[Run], dead: &[Run]) -> bool {
        !self.stale.contains(&key) && self.views.record(key, committed, dead)
    }

    /// After a COMMIT without an answer: the store says what stands, or nobody knows.
    async fn find_out(&mut self, pending: Pending, refusal: &Refusal) {
        self.stale.extend(pending.topics());
        self.undecided.extend(pending.group.openings.iter().map(|opening| opening.resource));
        let outcomes = if pending.attempts() == 0 {
            Vec::new()
        } else {
            self.outcomes(&pending.group.attempts).await.unwrap_or_default()
        };
        let unknown = outcome_unknown(refusal);
        let mut outcomes = outcomes;
        outcomes.resize_with(pending.attempts(), || Err(unknown.clone()));
        self.reload().await;
        let closings = pending.undecided(outcomes, &unknown);
        self.keep(closings, Vec::new());
    }

    fn keep(&mut self, closings: Vec<(Closing, Done)>, dead: Vec<DeadRuns>) {
        self.carry.put_back(closings, dead);
        self.retry_at = Instant::now() + PAUSE;
    }

    async fn outcomes(&self, attempts: &[Attempt]) -> Option<Vec<Result<Receipt, Refusal>>> {
        let ask = async {
            loop {
                match self.ledger.outcome(attempts).await {
                    Ok(outcomes) => return outcomes,
                    Err(_) => sleep(PAUSE).await,
                }
            }
        };
        timeout(self.settings.outcome_deadline, ask).await.ok()
    }
}

/// Whether the attempt's own runs became visible: not those of one that only got the winner's receipt.
fn counts(attempt: &Attempt, answer: &Result<Receipt, Refusal>) -> bool {
    answer.as_ref().is_ok_and(|receipt| receipt.batch == attempt.batch)
}

fn later(refusal: Refusal) -> Refusal {
    match refusal.retry_after {
        None if refusal.code.retryable() => refusal.retry_after(Duration::from_secs(1)),
        _ => refusal,
    }
}

fn outcome_unknown(cause: &Refusal) -> Refusal {
    Refusal::new(
        Code::OutcomeUnknown,
        "数据库未答复提交是否完成,请稍后用同一幂等键重试以得知结果",
        "the store did not say whether the commit was done; the same idempotency key will tell later",
    )
    .with("cause", cause.code.as_str())
    .retry_after(Duration::from_secs(2))
}

fn lost_views() -> Refusal {
    Refusal::new(Code::Internal, "可见性视图不在内存中", "the views of the topic are not in memory")
}
