//! What the gate asks before it decides, of the store in memory.

use std::time::Duration;

use async_trait::async_trait;
use changtong_catalog::clock::Time;
use changtong_catalog::cursor::view_digest;
use changtong_catalog::error::Refusal;
use changtong_catalog::grant::{Grant, GrantState, Subscription};
use changtong_catalog::ids::{
    Generation, GrantId, KeyId, ResourceCode, ResourceNumber, SchemaId, SubscriptionId,
};
use changtong_catalog::ports::*;
use changtong_catalog::resource::retention::Retention;
use changtong_catalog::schema;
use changtong_catalog::visibility::Run;

use super::state::State;
use super::store::MemoryStore;
use super::world::consumer;

/// The schema that the grant holds.
fn derived(grant: &Grant, standing: &ResourceStanding) -> SchemaText {
    let held = standing.versions.iter().find(|known| known.version == grant.schema_version);
    let items = &held.unwrap().items;
    let text = schema::derived_schema(grant.number, items, &grant.items, &grant.masks).unwrap();
    SchemaText { id: grant.schema, text, fingerprint: String::new() }
}

#[async_trait]
impl Directory for MemoryStore {
    async fn key(&self, id: &KeyId) -> Result<Option<KeyRecord>, Refusal> {
        let ended = self.state.lock().ended_keys.get(id).copied();
        Ok(Some(KeyRecord {
            id: id.clone(),
            mac: Vec::new(),
            pepper: String::new(),
            account: consumer().account,
            agency: consumer().agency,
            roles: consumer().roles,
            expires_at: Time::MAX_UTC,
            ended,
        }))
    }

    async fn resource(&self, code: &ResourceCode) -> Result<Option<ResourceStanding>, Refusal> {
        Ok(self.state.lock().resource.clone().filter(|standing| standing.resource.code == *code))
    }

    async fn resource_by_number(&self, number: ResourceNumber) -> Result<Option<ResourceStanding>, Refusal> {
        Ok(self.state.lock().resource.clone().filter(|standing| standing.resource.number == number))
    }

    async fn subscription(&self, id: SubscriptionId) -> Result<Option<SubscriptionStanding>, Refusal> {
        let state = self.state.lock();
        let (Some(resource), Some(grant)) = (state.resource.clone(), state.grant.clone()) else {
            return Ok(None);
        };
        Ok(state.subscriptions.get(&id).map(|subscription| SubscriptionStanding {
            subscription: subscription.clone(),
            floor: state.floors.get(&(grant.id, resource.resource.generation)).cloned(),
            derived_schema: derived(&grant, &resource),
            grant,
            resource,
        }))
    }

    async fn grant(&self, id: GrantId) -> Result<Option<Grant>, Refusal> {
        Ok(self.state.lock().grant.clone().filter(|grant| grant.id == id))
    }

    async fn generations(&self, _: ResourceNumber) -> Result<Vec<TopicEdges>, Refusal> {
        let state = self.state.lock();
        let mut all = state.edges.clone();
        let in_force = state.resource.as_ref().and_then(|standing| standing.topic.as_ref());
        if let Some(topic) = in_force
            && all.iter().all(|known| known.topic.generation != topic.generation)
        {
            all.push(edges(topic, Vec::new()));
        }
        all.sort_unstable_by_key(|known| known.topic.generation);
        Ok(all)
    }

    async fn floors(&self, _: ResourceNumber, of: Generation) -> Result<Vec<GrantFloor>, Refusal> {
        let state = self.state.lock();
        let floor = |grant: &Grant| GrantFloor {
            grant: grant.id,
            time: grant.floor,
            offsets: state.floors.get(&(grant.id, of)).cloned(),
        };
        Ok(state.grant.iter().map(floor).collect())
    }

    async fn published(&self, number: ResourceNumber, of: Generation) -> Result<Vec<(Run, Time)>, Refusal> {
        let state = self.state.lock();
        let views = state.views.get(&(number, of)).cloned().unwrap_or_default();
        let counting = (0..).zip(&views).flat_map(|(partition, view)| {
            let ranges = view.counting(0, i64::MAX).into_iter();
            ranges.map(move |range| Run { partition, first: range.start, last: range.end - 1 })
        });
        let now = self.clock.now();
        Ok(counting.map(|run| (run, now)).collect())
    }

    async fn schema(&self, id: SchemaId) -> Result<Option<SchemaText>, Refusal> {
        let state = self.state.lock();
        let standing = state.resource.as_ref().unwrap();
        let mut known = [standing.value_schema(), standing.key_schema.as_ref()].into_iter().flatten();
        Ok(known.find(|schema| schema.id == id).cloned())
    }

    async fn topics(&self) -> Result<Vec<Topic>, Refusal> {
        let state = self.state.lock();
        Ok(state.resource.as_ref().unwrap().topic.clone().filter(|topic| topic.made).into_iter().collect())
    }

    async fn forgetting(&self) -> Result<Vec<(Topic, Duration)>, Refusal> {
        let retention = self.state.lock().resource.as_ref().unwrap().resource.file.retention.parse()?;
        let Retention::For(kept) = retention else { return Ok(Vec::new()) };
        Ok(self.topics().await?.into_iter().map(|topic| (topic, kept)).collect())
    }

    async fn fallen(&self, keys: &[KeyId], grants: &[GrantId], now: Time) -> Result<Vec<Ended>, Refusal> {
        let state = self.state.lock();
        let keys = keys.iter().filter(|key| state.ended_keys.contains_key(key)).cloned().map(Ended::Key);
        let reads = |grant: &Grant| grant.state_at(now) == GrantState::Active;
        let ended = state.grant.iter().filter(|grant| grants.contains(&grant.id) && !reads(grant));
        Ok(keys.chain(ended.map(|grant| Ended::Grant(grant.id))).collect())
    }

    async fn live_readers(
        &self,
        _: ResourceNumber,
        now: Time,
    ) -> Result<Vec<(Subscription, Grant)>, Refusal> {
        let state = self.state.lock();
        let grant = state.grant.clone().filter(|grant| grant.state_at(now) == GrantState::Active);
        let readers = grant.iter().flat_map(|grant| {
            state.subscriptions.values().map(|subscription| (subscription.clone(), grant.clone()))
        });
        Ok(readers.collect())
    }
}

/// Of a generation that is not over.
pub fn edges(topic: &Topic, begins: Vec<i64>) -> TopicEdges {
    TopicEdges { topic: topic.clone(), begins, ends: None, ended_at: None, lost: Vec::new() }
}

/// The view of the grant as the store has it.
pub fn view(state: &State) -> i64 {
    view_digest(state.grant.as_ref().unwrap(), Generation(1))
}
