//! Topics, floors, and how far ended windows let out.

use std::collections::BTreeMap;

use super::super::LockClass;
use super::super::windows::farther;
use super::StoreLedger;
use crate::audit::{Actor, Event, TopicWanted};
use crate::cursor::Cursor;
use crate::error::Refusal;
use crate::ids::{EventId, Generation, GrantId, SubscriptionId};
use crate::ports::{Ended, Topic};

impl StoreLedger {
    /// Commits the wish with its event and marks; whoever comes second gets the first one's topic.
    pub(super) async fn want(&self, topic: &Topic) -> Result<Topic, Refusal> {
        let mut tx = self.store.begin().await?;
        tx.lock_exclusive(LockClass::Topic, topic.resource).await?;
        if let Some(stored) = tx.topic(topic.resource, topic.generation).await? {
            return Ok(stored);
        }
        let wanted = Topic { made: false, ..topic.clone() };
        tx.insert_topic(&wanted).await?;
        tx.first_marks((topic.resource, topic.generation), topic.partitions).await?;
        let now = self.clock.now();
        let what = TopicWanted {
            resource: topic.resource,
            generation: topic.generation,
            topic: topic.name.clone(),
            partitions: topic.partitions,
        };
        tx.record(&Event::new(EventId(self.ids.uuid(now)), now, Actor::Server, what)).await?;
        tx.finish().await?;
        Ok(wanted)
    }

    pub(super) async fn made(&self, topic: &Topic) -> Result<(), Refusal> {
        let mut tx = self.store.begin().await?;
        tx.set_topic_made(topic).await?;
        tx.finish().await
    }

    pub(super) async fn resolve_floor(
        &self,
        grant: GrantId,
        generation: Generation,
        offsets: &[i64],
    ) -> Result<Vec<i64>, Refusal> {
        let mut tx = self.store.begin().await?;
        if tx.insert_floor(grant, generation, offsets).await? {
            tx.finish().await?;
            return Ok(offsets.to_vec());
        }
        let stored = tx.floor(grant, generation).await?;
        stored.ok_or_else(super::super::error::internal)
    }

    /// Per subscription, over the windows that the ending concerns. A subscription that nothing was let out of stands
    /// at the beginning: not one of its records arrives.
    pub(super) async fn farthest(&self, ended: &Ended) -> Result<BTreeMap<SubscriptionId, Cursor>, Refusal> {
        let mut session = self.store.read().await?;
        let let_out = session.let_out_of(ended).await?;
        let mut positions = session.positions_of(ended).await?;
        let windowed: Vec<SubscriptionId> =
            let_out.iter().map(|((subscription, _), _)| *subscription).collect();
        positions.extend(session.positions(&windowed).await?);

        let mut farthest: BTreeMap<SubscriptionId, (Generation, Vec<i64>)> = BTreeMap::new();
        for ((subscription, _), it) in let_out {
            let (generation, next) = farthest.entry(subscription).or_insert((it.generation, Vec::new()));
            if it.generation > *generation {
                (*generation, *next) = (it.generation, it.offsets);
            } else if it.generation == *generation {
                farther(next, &it.offsets);
            }
        }
        let cursor = |(subscription, position): (SubscriptionId, super::super::positions::Position)| {
            let nothing = (position.generation, vec![0; position.next.len()]);
            let (generation, next) = farthest.remove(&subscription).unwrap_or(nothing);
            let (view, seek_count) = (position.view, position.seek_count);
            (subscription, Cursor { subscription, view, generation, seek_count, next })
        };
        Ok(positions.into_iter().map(cursor).collect())
    }
}
