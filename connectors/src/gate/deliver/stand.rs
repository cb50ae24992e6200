//! Where a reader stands: its cursor or position held against the view in force and the grant's floor
//! (protocol.md 6).

use std::sync::Arc;

use changtong_catalog::cursor::{Cursor, not_beyond, view_digest};
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::grant::{Grant, Subscription};
use changtong_catalog::ids::{Generation, SubscriptionId};
use changtong_catalog::ports::{SubscriptionStanding, Topic};
use changtong_catalog::resource::Kind;
use changtong_catalog::visibility::PartitionView;
use serde_json::Value;

use super::super::doubt::Age;
use super::super::{Gate, refusals};
use super::past::{Onward, Over};
use crate::log::Extent;

/// A place from which a subscription may be read.
#[derive(Debug, Clone)]
pub(super) struct Stand {
    pub subscription: SubscriptionId,
    pub view: i64,
    /// Whose offsets `next` holds.
    pub generation: Generation,
    pub seek_count: i32,
    /// Next offset per partition; empty while there is no topic.
    pub next: Vec<i64>,
    /// The earlier generation, while a stream's reader is in it.
    pub past: Option<Arc<Over>>,
}

impl Stand {
    /// Where it reads: in an earlier generation, or in the one in force, if that has a topic yet.
    pub fn topic(&self, in_force: Option<Topic>) -> Option<Topic> {
        self.past.as_ref().map(|over| over.topic.clone()).or(in_force)
    }

    pub fn cursor(&self, next: &[i64]) -> Cursor {
        Cursor {
            subscription: self.subscription,
            view: self.view,
            generation: self.generation,
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
        if cursor.subscription != subscription.id {
            return Err(refusals::cursor_foreign());
        }
        // One that is ahead was given before the store went back, and is as void as one from before a seek.
        if cursor.seek_count != subscription.seek_count {
            return Err(refusals::superseded());
        }
        Ok(cursor)
    }

    /// Where whoever is told of an end goes on.
    pub(super) fn goes_on(
        &self,
        end: &mut Refusal,
        stand: &Stand,
        subscription: &Subscription,
    ) -> Result<String, Refusal> {
        match end.extra.remove("next") {
            // Where the view changed or the position has expired, the refusal says where to begin.
            Some(Value::String(next)) => Ok(next),
            // A seek has voided every cursor of before.
            _ if end.code == Code::CursorSuperseded => self.encode(&Cursor {
                subscription: subscription.id,
                view: subscription.view,
                generation: subscription.generation,
                seek_count: subscription.seek_count,
                next: subscription.position.clone(),
            }),
            _ => self.encode(&stand.cursor(&stand.next)),
        }
    }

    /// Where the read begins: at the cursor, or else at the position.
    pub(super) async fn stand(
        &self,
        standing: &SubscriptionStanding,
        topic: Option<&Topic>,
        cursor: Option<&str>,
    ) -> Result<Stand, Refusal> {
        let subscription = &standing.subscription;
        let (view, generation, next) = match cursor {
            Some(text) => {
                let cursor = self.own_cursor(standing, text)?;
                (cursor.view, cursor.generation, cursor.next)
            }
            None => (subscription.view, subscription.generation, subscription.position.clone()),
        };
        let resource = &standing.resource.resource;
        let in_force = self.view_in_force(standing);
        let mut stand = Stand {
            subscription: subscription.id,
            view: in_force,
            generation: resource.generation,
            seek_count: subscription.seek_count,
            next,
            past: None,
        };
        let Some(topic) = topic else { return Ok(stand) };
        // A stream's reader goes on; a table's copy begins anew.
        let stream = resource.file.kind == Kind::Stream;
        if stream && generation < resource.generation {
            match self.onward(resource.number, resource.generation, generation, stand.next).await? {
                Onward::Within(past, next) => {
                    return self.stand_in(standing, stand.seek_count, past, next).await;
                }
                Onward::Behind(next) => stand.next = next,
                Onward::Gone => {
                    stand.next = Vec::new();
                    let floor = self.floor(&standing.grant, topic, standing.floor.as_ref()).await?;
                    return Err(refusals::expired(self.first_cursor(&stand, topic, &floor).await?));
                }
            }
        }
        let floor = self.floor(&standing.grant, topic, standing.floor.as_ref()).await?;
        if stand.next.is_empty() {
            stand.next = floor.clone();
        }
        let changed = view != in_force && !stream;
        if changed || stand.next.len() != floor.len() {
            return Err(refusals::view_changed(self.first_cursor(&stand, topic, &floor).await?));
        }
        if !not_beyond(&floor, &stand.next) {
            return Err(refusals::before_history());
        }
        Ok(stand)
    }

    /// In an earlier generation of a stream.
    async fn stand_in(
        &self,
        standing: &SubscriptionStanding,
        seek_count: i32,
        past: Arc<Over>,
        next: Vec<i64>,
    ) -> Result<Stand, Refusal> {
        let grant = &standing.grant;
        let floor = self.floor(grant, &past.topic, None).await?;
        if !not_beyond(&floor, &next) {
            return Err(refusals::before_history());
        }
        let (subscription, generation) = (standing.subscription.id, past.topic.generation);
        let view = view_digest(grant, generation);
        Ok(Stand { subscription, view, generation, seek_count, next, past: Some(past) })
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
        if let Some(floor) = self.ledger.floor(grant.id, topic.generation).await? {
            return Ok(floor);
        }
        let offsets = match grant.floor {
            Some(time) => self.floor_at(topic, time).await?,
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

    /// The floor, or the first record that any broker still keeps where that is farther.
    pub(in crate::gate) async fn first_kept(
        &self,
        topic: &Topic,
        floor: &[i64],
    ) -> Result<Vec<i64>, Refusal> {
        let behind = |extents: &[Extent]| -> Vec<i64> {
            extents.iter().zip(floor).map(|(extent, floor)| extent.first.max(*floor)).collect()
        };
        let mut extents = self.log.extents(std::slice::from_ref(&topic.name)).await?;
        let Some(told) = extents.remove(&topic.name) else { return Ok(floor.to_vec()) };
        if behind(&told) == floor {
            return Ok(floor.to_vec());
        }
        let widest = self.widest(&topic.name, Age::Recent).await?;
        if widest.len() < floor.len() {
            return Err(refusals::log_silent(&topic.name));
        }
        Ok(behind(&widest))
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
