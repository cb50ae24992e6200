//! Compiled plans and views, kept as long as what they were made from stands.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use changtong_catalog::error::Refusal;
use changtong_catalog::grant::Grant;
use changtong_catalog::handle::HandleKey;
use changtong_catalog::ids::{Generation, GrantId, ResourceNumber};
use changtong_catalog::mask::pseudonyms_of;
use changtong_catalog::ports::ResourceStanding;
use parking_lot::Mutex;

use super::keys::GateKeys;
use super::refusals;
use crate::avro::{GrantKeys, Plan, View};

/// Beyond this many the caches begin anew; a deployment has fewer.
const MOST: usize = 16_384;

#[derive(Default)]
pub(super) struct Plans {
    plans: Cache<(ResourceNumber, Generation, i32), PlanStamp, Plan>,
    views: Cache<GrantId, ViewStamp, View>,
}

/// What was made, with what it was made from.
type Cache<K, S, T> = Mutex<HashMap<K, (S, Arc<T>)>>;

/// Version of the entry, schema version in force and partitions: what a plan depends on.
type PlanStamp = (i32, i32, i32);
/// Version of the grant and what its plan depends on.
type ViewStamp = (i32, Generation, PlanStamp);

impl Plans {
    /// Of the version in force. `partitions` counts where the topic is not made yet.
    pub fn plan(&self, standing: &ResourceStanding, partitions: i32) -> Result<Arc<Plan>, Refusal> {
        self.plan_of(standing, in_force(standing), partitions)
    }

    /// Of a version that a grant, or an owner's reading, holds.
    pub fn plan_of(
        &self,
        standing: &ResourceStanding,
        version: i32,
        partitions: i32,
    ) -> Result<Arc<Plan>, Refusal> {
        let resource = &standing.resource;
        let stamp = stamp_of(standing, partitions);
        let make = || Plan::of_version(standing, version, partitions).map(Arc::new);
        cached(&self.plans, (resource.number, resource.generation, version), stamp, make)
    }

    pub fn view(
        &self,
        standing: &ResourceStanding,
        grant: &Grant,
        keys: &GateKeys,
        partitions: i32,
    ) -> Result<Arc<View>, Refusal> {
        let stamp = (grant.version, standing.resource.generation, stamp_of(standing, partitions));
        cached(&self.views, grant.id, stamp, || {
            let grant_keys = GrantKeys {
                handle: HandleKey::of_grant(keys.handle.get(&grant.handle_key)?, grant.id),
                pseudonyms: pseudonyms_of(keys.pseudonym.get(&grant.pseudonym_key)?, grant.consumer),
            };
            self.granted(standing, grant, grant_keys, partitions).map(Arc::new)
        })
    }

    /// What a grant shows, in the schema version that it holds.
    pub fn granted(
        &self,
        standing: &ResourceStanding,
        grant: &Grant,
        keys: GrantKeys,
        partitions: i32,
    ) -> Result<View, Refusal> {
        let plan = self.plan_of(standing, grant.schema_version, partitions)?;
        let held = standing.versions.iter().find(|known| known.version == grant.schema_version);
        View::compile(plan, &held.ok_or_else(refusals::fault)?.items, grant, keys)
    }
}

pub(super) fn in_force(standing: &ResourceStanding) -> i32 {
    standing.versions.last().map_or(0, |version| version.version)
}

fn stamp_of(standing: &ResourceStanding, partitions: i32) -> PlanStamp {
    let partitions = standing.topic.as_ref().map_or(partitions, |topic| topic.partitions);
    (standing.resource.version, in_force(standing), partitions)
}

fn cached<K: Hash + Eq + Copy, S: PartialEq, T>(
    cache: &Cache<K, S, T>,
    key: K,
    stamp: S,
    make: impl FnOnce() -> Result<Arc<T>, Refusal>,
) -> Result<Arc<T>, Refusal> {
    if let Some((made_from, found)) = cache.lock().get(&key)
        && *made_from == stamp
    {
        return Ok(found.clone());
    }
    let made = make()?;
    let mut cache = cache.lock();
    if cache.len() >= MOST {
        cache.clear();
    }
    cache.insert(key, (stamp, made.clone()));
    Ok(made)
}
