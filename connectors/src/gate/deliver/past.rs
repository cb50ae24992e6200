//! Earlier generations of a stream (protocol.md 6): a reader goes on in the one it stands in to its end, then in the
//! next behind what was copied there.

use std::collections::HashMap;
use std::sync::Arc;

use changtong_catalog::cursor::not_beyond;
use changtong_catalog::error::Refusal;
use changtong_catalog::ids::{Generation, ResourceNumber};
use changtong_catalog::ports::{Topic, TopicEdges};
use changtong_catalog::visibility::PartitionView;
use parking_lot::Mutex;

use super::super::{Gate, refusals};
use super::stand::skip_dead;
use crate::commit::{TopicKey, key_of};

/// What is known of generations that are over; it never changes.
#[derive(Default)]
pub struct Past(Mutex<HashMap<TopicKey, Arc<Over>>>);

impl Past {
    /// Whether the views in memory are those of a generation that is over.
    pub(in crate::gate) fn is_over(&self, topic: TopicKey) -> bool {
        self.0.lock().contains_key(&topic)
    }
}

/// A generation that is over.
struct Over {
    topic: Topic,
    ends: Vec<i64>,
    views: Vec<PartitionView>,
    /// The next generation, and where a reader goes on in it.
    next: (Generation, Vec<i64>),
}

/// Where a reader of an earlier generation stands.
pub(super) enum Onward {
    /// There is more of that generation.
    Within(Topic, Vec<i64>),
    /// It has read all earlier ones: these are offsets of the generation in force.
    Behind(Vec<i64>),
    /// There was more, and its topic is no longer there: what was left when the next generation began lies there.
    Gone,
}

impl Gate {
    /// From a place in an earlier generation to where there is something left to read.
    pub(super) async fn onward(
        &self,
        resource: ResourceNumber,
        current: Generation,
        mut generation: Generation,
        mut next: Vec<i64>,
    ) -> Result<Onward, Refusal> {
        while generation < current {
            let over = self.over(resource, generation).await?;
            // From before its first record: everything that is still there lies in the next too.
            if next.is_empty() {
                (generation, _) = over.next.clone();
                continue;
            }
            if next.len() != over.ends.len() {
                return Err(refusals::cursor_foreign());
            }
            let there = skip_dead(&over.views, &next);
            if !not_beyond(&over.ends, &there) {
                if !self.log.has_topic(&over.topic.name).await? {
                    return Ok(Onward::Gone);
                }
                // Whoever waits or reads by the views of the topic finds the closed ones.
                self.committer.close_topic(&over.topic, over.views.clone());
                return Ok(Onward::Within(over.topic.clone(), next));
            }
            (generation, next) = over.next.clone();
        }
        Ok(Onward::Behind(next))
    }

    async fn over(&self, resource: ResourceNumber, generation: Generation) -> Result<Arc<Over>, Refusal> {
        if let Some(known) = self.past.0.lock().get(&(resource, generation)) {
            return Ok(known.clone());
        }
        let generations = self.directory.generations(resource).await?;
        let mut from = generations.into_iter().skip_while(|edges| edges.topic.generation != generation);
        let Some(TopicEdges { topic, ends: Some(ends), .. }) = from.next() else {
            return Err(refusals::fault());
        };
        // Those in between were copied into and never in force.
        let next = from.find(|edges| !edges.begins.is_empty()).ok_or_else(refusals::fault)?;
        let mut views = self.ledger.views(resource, generation).await?;
        views.resize_with(ends.len(), PartitionView::default);
        let closed = views.iter().zip(&ends).map(|(view, end)| {
            let counting = view.counting(0, *end);
            PartitionView::closed(&counting, *end)
        });
        let over = Arc::new(Over {
            views: closed.collect(),
            next: (next.topic.generation, next.begins),
            topic,
            ends,
        });
        self.past.0.lock().insert(key_of(&over.topic), over.clone());
        Ok(over)
    }
}
