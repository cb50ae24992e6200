//! One read of a subscription: decide, wait until something is there, find a window, prepare the first pieces. What
//! can be refused is refused here, before the first byte.

use std::sync::Arc;

use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::grant::decide;
use changtong_catalog::ids::PurposeCode;
use changtong_catalog::ports::{SubscriptionStanding, Topic};
use tokio::time::Instant;

use super::super::calls::Poll;
use super::super::{Gate, grant_level, refusals};
use super::answer::{Delivery, Share};
use super::fetch::{Fetcher, READ};
use super::opening::Asked;
use super::position::hide;
use super::stand::{Stand, anything, skip_dead};
use crate::commit::{Partitions, key_of};
use crate::events::PollRefused;
use crate::limit::{Cost, Rates, Subject};

/// A subscription that may be read now.
struct Ready {
    standing: SubscriptionStanding,
    purpose: PurposeCode,
}

/// What a wait came to.
enum Waited {
    There(Topic, Partitions),
    /// Nothing, where the reader stands then.
    Nothing(Stand),
}

impl Gate {
    /// Answers one read of a subscription; everything that can be refused is refused here, before the first byte.
    pub async fn deliver(self: &Arc<Self>, poll: Poll) -> Result<Delivery, Refusal> {
        self.poll(&poll).await.inspect_err(|refusal| {
            PollRefused { subscription: poll.subscription, refusal }.emit(&self.metrics);
        })
    }

    async fn poll(self: &Arc<Self>, poll: &Poll) -> Result<Delivery, Refusal> {
        let mut ready = self.ready(poll).await?;
        let levels = self.poll_levels(poll, &ready.standing);
        self.limiter.take(&levels, Cost { requests: 1, ..Cost::default() })?;
        self.limiter.check_only(&levels, Cost { requests: 0, records: 1, bytes: 1 })?;
        let until = Instant::now() + poll.wait.min(self.settings.wait_most);
        let mut changes = self.windows.changes();
        let mut topics = self.topics.watch();
        loop {
            let topic = self.topics.known(&ready.standing.resource);
            let stand = self.stand(&ready.standing, topic.as_ref(), poll.cursor.as_deref()).await?;
            match self.wait(&ready, stand.clone(), topic, until, &mut changes, &mut topics).await? {
                Some(Waited::There(topic, views)) => {
                    return self.answer(poll, &ready, stand, topic, &views, levels).await;
                }
                Some(Waited::Nothing(stand)) => return Ok(Delivery::empty(self, stand)),
                // Something was ended or made meanwhile: what was decided is decided again.
                None => ready = self.ready(poll).await?,
            }
        }
    }

    async fn ready(&self, poll: &Poll) -> Result<Ready, Refusal> {
        self.admit()?;
        let standing =
            self.directory.subscription(poll.subscription).await?.ok_or_else(refusals::no_subscription)?;
        let (grant, resource) = (&standing.grant, &standing.resource.resource);
        let now = self.clock.now();
        let decision = decide::deliver(&poll.caller, grant, resource, poll.purpose.as_deref(), now);
        let purpose = decision.check().map_err(hide)?.purpose.ok_or_else(refusals::fault)?;
        Ok(Ready { standing, purpose })
    }

    /// Waits until something can be delivered. `None`: decide again.
    async fn wait(
        &self,
        ready: &Ready,
        stand: Stand,
        topic: Option<Topic>,
        until: Instant,
        changes: &mut tokio::sync::watch::Receiver<u64>,
        topics: &mut tokio::sync::watch::Receiver<u64>,
    ) -> Result<Option<Waited>, Refusal> {
        let Some(topic) = topic else {
            let _waiting = Waiting::new(self);
            return Ok(tokio::select! {
                () = tokio::time::sleep_until(until) => Some(Waited::Nothing(stand)),
                _ = changes.changed() => None,
                _ = topics.changed() => None,
            });
        };
        self.committer.load(&topic).await?;
        let mut views = self.committer.views().watch(key_of(&topic)).ok_or_else(refusals::fault)?;
        loop {
            let now = views.borrow_and_update().clone();
            if anything(&now, &stand.next) {
                return Ok(Some(Waited::There(topic, now)));
            }
            let stand = Stand { next: skip_dead(&now, &stand.next), ..stand.clone() };
            if Instant::now() >= until {
                return Ok(Some(Waited::Nothing(stand)));
            }
            if ready.standing.grant.valid_until.is_some_and(|end| end <= self.clock.now()) {
                return Ok(None);
            }
            let _waiting = Waiting::new(self);
            tokio::select! {
                () = tokio::time::sleep_until(until) => {}
                changed = views.changed() => changed.map_err(|_| refusals::fault())?,
                _ = changes.changed() => return Ok(None),
            }
        }
    }

    /// Opens a window and reads the first pieces. Where reading took what was left of the window, nothing has left in
    /// it, and the same is read again in a new one: an empty answer would say that nothing is there.
    async fn answer(
        self: &Arc<Self>,
        poll: &Poll,
        ready: &Ready,
        stand: Stand,
        topic: Topic,
        views: &Partitions,
        levels: Vec<(Subject, Rates)>,
    ) -> Result<Delivery, Refusal> {
        let mut tries = 0;
        loop {
            let reading = (topic.clone(), views, levels.clone());
            let mut delivery = self.in_window(poll, ready, stand.clone(), reading).await?;
            tries += 1;
            match delivery.begin().await {
                Ok(()) if delivery.is_late() && tries < WINDOWS => drop(delivery),
                Ok(()) => return Ok(delivery),
                Err(refusal) if refusal.code == Code::PositionExpired => {
                    return Err(self.position_expired(delivery).await?);
                }
                Err(refusal) => return Err(refusal),
            }
        }
    }

    async fn in_window(
        self: &Arc<Self>,
        poll: &Poll,
        ready: &Ready,
        stand: Stand,
        (topic, views, levels): (Topic, &Partitions, Vec<(Subject, Rates)>),
    ) -> Result<Delivery, Refusal> {
        let (standing, settings) = (&ready.standing, &self.settings);
        let view = self.plans.view(&standing.resource, &standing.grant, &self.keys, topic.partitions)?;
        let held = self.budget.take(2 * READ as u64)?;
        let asked = Asked { caller: &poll.caller, standing, purpose: &ready.purpose };
        let window = self.window(&asked, &stand.next).await?;
        let next = skip_dead(views, &stand.next);
        let fetcher = Fetcher {
            topic,
            view,
            grant_version: standing.grant.version,
            deletes: standing.subscription.deletes,
            turn: stand.next.iter().fold(0, |turn, next| turn ^ next.unsigned_abs() as usize),
            next,
            ask: 0,
        };
        let share = Share {
            lines: poll.limit.unwrap_or(settings.answer_lines).clamp(1, settings.answer_lines_most),
            bytes: poll.max_bytes.unwrap_or(settings.answer_bytes).clamp(1, settings.answer_bytes_most),
            levels,
            _held: held,
        };
        Ok(Delivery::new(self, stand, window, fetcher, share))
    }

    async fn position_expired(&self, delivery: Delivery) -> Result<Refusal, Refusal> {
        let (stand, topic) = delivery.given_up();
        let topic = topic.ok_or_else(refusals::fault)?;
        let next = self.first_cursor(&stand, &topic, &stand.next).await?;
        Ok(refusals::expired(next))
    }

    fn poll_levels(&self, poll: &Poll, standing: &SubscriptionStanding) -> Vec<(Subject, Rates)> {
        let mut levels = self.caller_levels(&poll.caller).to_vec();
        levels.push(self.resource_level(standing.grant.resource));
        levels.push(grant_level(&standing.grant));
        levels
    }
}

/// Windows opened for one answer at most.
const WINDOWS: u32 = 4;

/// Counts a poll that waits.
struct Waiting<'a>(&'a Gate);

impl<'a> Waiting<'a> {
    fn new(gate: &'a Gate) -> Self {
        gate.metrics.waiting_polls.inc();
        Self(gate)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.metrics.waiting_polls.dec();
    }
}
