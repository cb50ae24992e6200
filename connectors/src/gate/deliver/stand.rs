//! Where a reader stands: its cursor or position held against the view in force and the grant's floor
//! (protocol.md 6).

use changtong_catalog::cursor::{Cursor, not_beyond, view_digest};
use changtong_catalog::error::Refusal;
use changtong_catalog::grant::Grant;
use changtong_catalog::ids::SubscriptionId;
use changtong_catalog::ports::{SubscriptionStanding, Topic};
use changtong_catalog::resource::Kind;
use changtong_catalog::visibility::PartitionView;

use super::super::{Gate, refusals};

/// A place from which a subscription may be read.
#[derive(Debug, Clone)]
pub(super) struct Stand {
    pub subscription: SubscriptionId,
    pub view: i64,
    pub seek_count: i32,
    /// Next offset per partition; empty while there is no topic.
    pub next: Vec<i64>,
}

impl Stand {
    pub fn cursor(&self, next: &[i64]) -> Cursor {
        Cursor {
            subscription: self.subscription,
            view: self.view,
            seek_count: self.seek_count,
            next: next.to_vec(),
        }
    }
}

impl Gate {
    pub(in crate::gate) fn encode(&self, cursor: &Cursor) -> Result<String, Refusal> {
        Ok(cursor.encode(self.keys.cursor.get(self.keys.cursor.current())?))
    }

    pub(in crate::gate) fn decode(&self, text: &str) -> Result<Cursor, Refusal> {
        Cursor::decode(text, self.keys.cursor.all())
    }

    /// A cursor of this very subscription that no seek has replaced.
    pub(super) fn own_cursor(&self, standing: &SubscriptionStanding, text: &str) -> Result<Cursor, Refusal> {
        let cursor = self.decode(text)?;
        let subscription = &standing.subscription;
        if cursor.subscription != subscription.id || cursor.seek_count > subscription.seek_count {
            return Err(refusals::cursor_foreign());
        }
        if cursor.seek_count < subscription.seek_count {
            return Err(refusals::superseded());
        }
        Ok(cursor)
    }

    /// Where the read begins: at the cursor, or else at the position.
    pub(super) async fn stand(
        &self,
        standing: &SubscriptionStanding,
        topic: Option<&Topic>,
        cursor: Option<&str>,
    ) -> Result<Stand, Refusal> {
        let subscription = &standing.subscription;
        let (view, next) = match cursor {
            Some(text) => {
                let cursor = self.own_cursor(standing, text)?;
                (cursor.view, cursor.next)
            }
            None => (subscription.view, subscription.position.clone()),
        };
        let in_force = self.view_in_force(standing);
        let mut stand = Stand {
            subscription: subscription.id,
            view: in_force,
            seek_count: subscription.seek_count,
            next,
        };
        let Some(topic) = topic else { return Ok(stand) };
        let floor = self.floor(&standing.grant, topic, standing.floor.as_ref()).await?;
        if stand.next.is_empty() {
            stand.next = floor.clone();
        }
        // A stream's reader goes on; a table's copy begins anew.
        let changed = view != in_force && standing.resource.resource.file.kind == Kind::Table;
        if changed || stand.next.len() != floor.len() {
            return Err(refusals::view_changed(self.first_cursor(&stand, topic, &floor).await?));
        }
        if !not_beyond(&floor, &stand.next) {
            return Err(refusals::before_history());
        }
        Ok(stand)
    }

    pub(super) fn view_in_force(&self, standing: &SubscriptionStanding) -> i64 {
        view_digest(&standing.grant, standing.resource.resource.generation)
    }

    /// The grant's floor in offsets: resolved once per generation, then as stored.
    pub(in crate::gate) async fn floor(
        &self,
        grant: &Grant,
        topic: &Topic,
        stored: Option<&Vec<i64>>,
    ) -> Result<Vec<i64>, Refusal> {
        if let Some(floor) = stored {
            return Ok(floor.clone());
        }
        let offsets = match grant.floor {
            Some(time) => self.log.offsets_at(&topic.name, time).await?,
            None => vec![0; usize::try_from(topic.partitions).unwrap_or(0)],
        };
        self.ledger.resolve_floor(grant.id, topic.generation, &offsets).await
    }

    /// The first cursor of the view: the floor, or the first record still kept.
    pub(super) async fn first_cursor(
        &self,
        stand: &Stand,
        topic: &Topic,
        floor: &[i64],
    ) -> Result<String, Refusal> {
        let first = self.first_kept(topic, floor).await?;
        self.encode(&stand.cursor(&first))
    }

    /// The floor, or the first record still kept where that is farther.
    pub(in crate::gate) async fn first_kept(
        &self,
        topic: &Topic,
        floor: &[i64],
    ) -> Result<Vec<i64>, Refusal> {
        let extents = self.log.extents(std::slice::from_ref(&topic.name)).await?;
        let first = extents.get(&topic.name).map(|extents| extents.iter().map(|extent| extent.first));
        Ok(match first {
            Some(first) => first.zip(floor).map(|(first, floor)| first.max(*floor)).collect(),
            None => floor.to_vec(),
        })
    }
}

/// Past what is dead: the first offset from `next` on that may be delivered, or the stable end.
pub(in crate::gate) fn skip_dead(views: &[PartitionView], next: &[i64]) -> Vec<i64> {
    let skip = |(view, next): (&PartitionView, &i64)| {
        view.visible(*next, i64::MAX).next().map_or(view.stable_end().max(*next), |range| range.start)
    };
    views.iter().zip(next).map(skip).collect()
}

/// Whether anything from `next` on may be delivered.
pub(super) fn anything(views: &[PartitionView], next: &[i64]) -> bool {
    views.iter().zip(next).any(|(view, next)| view.visible(*next, i64::MAX).next().is_some())
}
