//! A resource's records into the topic of a new generation (protocol.md 2): what is visible and still there, merged by
//! append time, as batches of the bus. Nothing of it counts before the cut-over.

mod source;
mod target;

pub(super) use self::target::schema_of;

use std::collections::BTreeMap;

use changtong_catalog::error::Refusal;
use changtong_catalog::generation::{self, Copied, Lost, Merge, Witness};
use changtong_catalog::ids::{Generation, GrantId, ResourceNumber, TopicName};
use changtong_catalog::ports::{Ended, ResourceStanding, Topic};
use changtong_catalog::visibility::{PartitionView, Run};

use self::source::Sources;
use self::target::Target;
use super::doubt::ends_below;
use super::moving::Moving;
use super::{Gate, refusals};
use crate::commit::key_of;
use crate::events::GenerationCopied;
use crate::log::{Extent, TopicSpec};

impl Gate {
    /// Pauses publishing of a resource until what is answered is dropped.
    pub async fn begin_move(&self, resource: ResourceNumber) -> Result<Moving, Refusal> {
        self.admit()?;
        self.pauses.begin(resource).await
    }

    /// Copies into the next generation, of the same partitions if none are asked for. May be done again whenever it did
    /// not come to its cut-over: what an earlier copy left in the topic never counts.
    pub async fn copy(
        &self,
        _: &Moving,
        standing: &ResourceStanding,
        partitions: Option<i32>,
    ) -> Result<Copied, Refusal> {
        self.admit()?;
        let began = self.clock.now();
        let from = self.topics.known(standing).ok_or_else(refusals::nothing_published)?;
        let mut views = self.ledger.views(from.resource, from.generation).await?;
        views.resize_with(usize::try_from(from.partitions).unwrap_or(0), PartitionView::default);
        let extents = self.what_is_there(&from, &views).await?;
        let edges = |of: fn(&Extent) -> i64| extents.iter().map(of).collect::<Vec<i64>>();
        let (first_kept, log_ends) = (edges(|extent| extent.first), edges(|extent| extent.end));
        // A reader never passes the stable end; what the log has lost of it is not there for anybody.
        let seen: Vec<_> =
            views.iter().zip(&first_kept).map(|(view, first)| view.counting(*first, i64::MAX)).collect();
        let ends: Vec<i64> =
            views.iter().zip(&log_ends).map(|(view, end)| view.known_end().min(*end)).collect();

        let old_floors = self.old_floors(&from, &extents).await?;
        let floors: Vec<Vec<i64>> = old_floors.values().cloned().collect();
        let mut merge = Merge::new(views.len(), &distinct(floors));
        let to = self.copy_topic(standing, &from, partitions).await?;
        let published = self.directory.published(from.resource, from.generation).await?;
        let witness = Witness::new(views.len(), published);
        let mut sources = Sources::new(self, &from, &seen, &ends);
        let mut target = Target::new(self, standing, &to);
        let (mut strange, mut lost) = (0, Lost::default());
        while let Some(record) = sources.next(&mut merge).await? {
            let partition = usize::try_from(record.partition).map_err(|_| refusals::fault())?;
            if witness.knows(partition, record.offset, record.appended_ms) {
                target.put(record, &mut merge).await?;
            } else {
                strange += 1;
                let (partition, at) = (record.partition, record.offset);
                lost.add(Run { partition, first: at, last: at });
            }
        }
        sources.damaged().iter().for_each(|run| lost.add(*run));
        let lost = lost.runs();
        let (batches, begins, records) = target.finish(&mut merge).await?;
        let floors = old_floors.into_iter().map(|(grant, floor)| (grant, merge.floor(&floor, begins.len())));
        let floors = floors.collect();
        GenerationCopied { resource: from.resource, generation: to.generation, records, strange }
            .emit(&self.metrics);
        Ok(Copied {
            from,
            to,
            began,
            first_kept,
            seen,
            ends,
            begins,
            batches,
            floors,
            records,
            strange,
            lost,
        })
    }

    /// After the cut-over: nothing of the old generation is watched, its windows end, and whoever waits looks again.
    pub async fn moved(&self, copied: &Copied) -> Result<(), Refusal> {
        self.topics.forget(&copied.from);
        self.settler.lock().await.forget(key_of(&copied.from));
        self.replaced.forget(key_of(&copied.from));
        self.topics.touch(&copied.to, self.clock.monotonic());
        self.end(&Ended::Resource(copied.from.resource)).await.map(drop)
    }

    /// What the log still has of the topic; what one broker lacks of it the others are asked for, as what is not copied is
    /// lost.
    async fn what_is_there(&self, topic: &Topic, views: &[PartitionView]) -> Result<Vec<Extent>, Refusal> {
        let found = self.log.extents(std::slice::from_ref(&topic.name)).await?.remove(&topic.name);
        let mut extents = match found {
            Some(extents) if !ends_below(&extents, views) => extents,
            _ => self.log.widest(&topic.name).await?,
        };
        // Of a topic that is gone, nothing.
        extents.resize(views.len(), Extent { first: 0, end: 0 });
        Ok(extents)
    }

    /// The floor of every grant in the old generation, resolved where it was not yet.
    async fn old_floors(
        &self,
        from: &Topic,
        extents: &[Extent],
    ) -> Result<BTreeMap<GrantId, Vec<i64>>, Refusal> {
        let gone = extents.iter().all(|extent| extent.end == 0);
        let mut floors = BTreeMap::new();
        for floor in self.directory.floors(from.resource, from.generation).await? {
            let offsets = match (floor.offsets, floor.time) {
                (Some(offsets), _) => offsets,
                (None, Some(time)) if !gone => {
                    let offsets = self.floor_at(from, time).await?;
                    self.ledger.resolve_floor(floor.grant, from.generation, &offsets).await?
                }
                (None, _) => vec![0; extents.len()],
            };
            floors.insert(floor.grant, offsets);
        }
        Ok(floors)
    }

    /// The topic of the next generation, wanted and made.
    async fn copy_topic(
        &self,
        standing: &ResourceStanding,
        from: &Topic,
        partitions: Option<i32>,
    ) -> Result<Topic, Refusal> {
        let known = self.directory.generations(from.resource).await?;
        let partitions = partitions.unwrap_or(from.partitions);
        generation::check_partitions(partitions)?;
        let generation: Generation = generation::into(&known, from.generation, partitions);
        let name = TopicName::records(&self.settings.topic_prefix, from.resource, generation);
        let wanted = Topic { name, resource: from.resource, generation, partitions, made: false };
        let wanted_before = known.iter().any(|known| known.topic.generation == generation);
        let stored = self.ledger.want_topic(&wanted).await?;
        let spec = TopicSpec {
            name: stored.name.clone(),
            partitions: stored.partitions,
            retention: super::topics::kept_for(standing)?,
        };
        // One that an earlier call made may hold what it copied; one that is gone since is made again.
        if !stored.made || self.log.widest(&stored.name).await?.is_empty() {
            self.log.make_topic(&spec, wanted_before).await?;
            self.ledger.topic_made(&stored).await?;
        }
        Ok(Topic { made: true, ..stored })
    }
}

fn distinct(mut floors: Vec<Vec<i64>>) -> Vec<Vec<i64>> {
    floors.sort_unstable();
    floors.dedup();
    floors
}
