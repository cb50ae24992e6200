//! The alarm before a live subscription loses records to retention (protocol.md 6): a position is never moved silently,
//! so somebody must hear of it while there is time.

use std::collections::BTreeSet;
use std::time::Duration;

use changtong_catalog::cursor::view_digest;
use changtong_catalog::error::Refusal;
use changtong_catalog::grant::{Grant, Subscription};
use changtong_catalog::ids::SubscriptionId;
use changtong_catalog::ports::Topic;
use parking_lot::Mutex;

use super::{Gate, refusals};
use crate::commit::Partitions;
use crate::events::{EdgeLeft, EdgeNear};

/// Subscriptions found near the edge, so that each is told of once.
#[derive(Default)]
pub(super) struct Edges(Mutex<BTreeSet<SubscriptionId>>);

impl Gate {
    /// Looks which live subscriptions have records ahead that go within `notice`, or within half of their resource's
    /// retention where that is shorter.
    pub async fn watch_edges(&self, notice: Duration) -> Result<(), Refusal> {
        self.alive.check()?;
        let mut near = BTreeSet::new();
        for (topic, kept) in self.directory.forgetting().await? {
            let age = kept.saturating_sub(notice.min(kept / 2));
            let oldest = self.clock.now() - chrono::Duration::from_std(age).map_err(|_| refusals::fault())?;
            let edge = self.log.offsets_at(&topic.name, oldest).await?;
            let views = self.committer.load(&topic).await?;
            for (subscription, grant) in self.directory.live_readers(topic.resource, self.clock.now()).await?
            {
                let next = self.ahead(&subscription, &grant, &topic).await?;
                if next.is_some_and(|next| anything_before(&views, &next, &edge)) {
                    near.insert(subscription.id);
                    if !self.edges.0.lock().contains(&subscription.id) {
                        let grant = grant.id;
                        EdgeNear { subscription: subscription.id, grant, resource: topic.resource }.emit();
                    }
                }
            }
        }
        self.metrics.near_retention_edge.set(i64::try_from(near.len()).unwrap_or(i64::MAX));
        let before = std::mem::replace(&mut *self.edges.0.lock(), near.clone());
        before.difference(&near).for_each(|subscription| EdgeLeft { subscription: *subscription }.emit());
        Ok(())
    }

    /// Where the subscription goes on. `None`: in an earlier generation, whose topic is not this one.
    async fn ahead(
        &self,
        subscription: &Subscription,
        grant: &Grant,
        topic: &Topic,
    ) -> Result<Option<Vec<i64>>, Refusal> {
        if subscription.position.is_empty() {
            // Made before the first publish: everything that its grant's history allows is ahead.
            return self.floor(grant, topic, None).await.map(Some);
        }
        let in_force = subscription.view == view_digest(grant, topic.generation);
        Ok(in_force.then(|| subscription.position.clone()))
    }
}

/// Whether something that may be delivered lies from `next` on and before the edge.
fn anything_before(views: &Partitions, next: &[i64], edge: &[i64]) -> bool {
    let parts = views.iter().zip(next).zip(edge);
    parts.into_iter().any(|((view, next), edge)| view.visible(*next, *edge).next().is_some())
}
