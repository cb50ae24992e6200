//! The alarm before a live subscription loses records to retention (protocol.md 6): a position is never moved silently,
//! so somebody must hear of it while there is time.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use changtong_catalog::clock::Time;
use changtong_catalog::error::Refusal;
use changtong_catalog::grant::{Grant, Subscription};
use changtong_catalog::ids::SubscriptionId;
use changtong_catalog::ports::Topic;
use parking_lot::Mutex;

use super::deliver::Onward;
use super::{Gate, refusals};
use crate::commit::{Partitions, TopicKey, key_of};
use crate::events::{EdgeLeft, EdgeNear};

/// Subscriptions found near the edge, so that each is told of once.
#[derive(Default)]
pub(super) struct Edges(Mutex<BTreeSet<SubscriptionId>>);

impl Gate {
    /// Looks which live subscriptions have records ahead that go within `notice`, or within half of their resource's
    /// retention where that is shorter.
    pub async fn watch_edges(&self, notice: Duration) -> Result<(), Refusal> {
        self.alive.check()?;
        let (mut near, mut first_failure) = (BTreeSet::new(), Ok(()));
        for (topic, kept) in self.directory.forgetting().await? {
            let age = kept.saturating_sub(notice.min(kept / 2));
            let oldest = self.clock.now() - chrono::Duration::from_std(age).map_err(|_| refusals::fault())?;
            let mut edges = HashMap::new();
            for (subscription, grant) in self.directory.live_readers(topic.resource, self.clock.now()).await?
            {
                let known = self.edges.0.lock().contains(&subscription.id);
                let is_near = match self.is_near(&subscription, &grant, &topic, oldest, &mut edges).await {
                    Ok(is_near) => is_near,
                    // What cannot be told of one says nothing of the others; of itself it stays as it was.
                    Err(refusal) => {
                        first_failure = first_failure.and(Err(refusal));
                        known
                    }
                };
                if is_near {
                    near.insert(subscription.id);
                    if !known {
                        let grant = grant.id;
                        EdgeNear { subscription: subscription.id, grant, resource: topic.resource }.emit();
                    }
                }
            }
        }
        self.metrics.near_retention_edge.set(i64::try_from(near.len()).unwrap_or(i64::MAX));
        let before = std::mem::replace(&mut *self.edges.0.lock(), near.clone());
        before.difference(&near).for_each(|subscription| EdgeLeft { subscription: *subscription }.emit());
        first_failure
    }

    /// Whether a reader has records ahead that were appended before `oldest`; where those end is asked once per topic.
    async fn is_near(
        &self,
        subscription: &Subscription,
        grant: &Grant,
        topic: &Topic,
        oldest: Time,
        edges: &mut HashMap<TopicKey, Vec<i64>>,
    ) -> Result<bool, Refusal> {
        let (topic, next) = self.ahead(subscription, grant, topic).await?;
        let views = self.committer.load(&topic).await?;
        let edge = match edges.entry(key_of(&topic)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(asked) => asked.insert(self.log.offsets_at(&topic.name, oldest).await?),
        };
        Ok(anything_before(&views, &next, edge))
    }

    /// Where the subscription goes on: of a stream it may be in an earlier generation.
    async fn ahead(
        &self,
        subscription: &Subscription,
        grant: &Grant,
        topic: &Topic,
    ) -> Result<(Topic, Vec<i64>), Refusal> {
        let (number, current) = (topic.resource, topic.generation);
        let next = match subscription.position.clone() {
            next if next.is_empty() || subscription.generation == current => next,
            next => match self.onward(number, current, subscription.generation, next).await? {
                Onward::Within(over, next) => return Ok((over.topic.clone(), next)),
                Onward::Behind(next) => next,
                Onward::Gone => Vec::new(),
            },
        };
        if next.is_empty() {
            // Made before the first publish, or to begin anew: everything that its grant's history allows is ahead.
            return Ok((topic.clone(), self.floor(grant, topic, None).await?));
        }
        Ok((topic.clone(), next))
    }
}

/// Whether something that may be delivered lies from `next` on and before the edge.
fn anything_before(views: &Partitions, next: &[i64], edge: &[i64]) -> bool {
    let parts = views.iter().zip(next).zip(edge);
    parts.into_iter().any(|((view, next), edge)| view.visible(*next, *edge).next().is_some())
}
