//! What a group is judged by: read in a few statements, after the locks of protocol.md 3.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::QueryBuilder;

use super::super::dispatch::on;
use super::super::grants::{self, GrantRow};
use super::super::idempotency::{Scope, Stored, scope};
use super::super::positions::Position;
use super::super::quotas::{QuotaKey, QuotaUse};
use super::super::resources::{self, ResourceRow};
use super::super::sources::{SourceKey, SourceState};
use super::super::visibility::{TopicKey, Views};
use super::super::windows::{LetOut, LetOutKey, OpenWindow};
use super::super::{Session, Tx};
use super::locks::callers;
use crate::clock::Time;
use crate::error::Refusal;
use crate::grant::Grant;
use crate::ids::{
    AccountId, AgencyId, GrantId, KeyId, QuarantineId, ResourceNumber, SubscriptionId, WindowId,
};
use crate::ports::Group;
use crate::resource::Resource;

/// Everything that judging asks for.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Keys of the group's callers that stand: neither they nor their account or agency ended.
    pub standing: BTreeSet<KeyId>,
    pub resources: BTreeMap<ResourceNumber, Resource>,
    pub views: Views,
    pub claims: BTreeMap<Scope, Stored>,
    pub sources: BTreeMap<SourceKey, SourceState>,
    pub grants: BTreeMap<GrantId, Grant>,
    pub positions: BTreeMap<SubscriptionId, Position>,
    pub windows: BTreeMap<WindowId, OpenWindow>,
    pub let_out: BTreeMap<LetOutKey, LetOut>,
    pub quotas: BTreeMap<QuotaKey, QuotaUse>,
    /// Records set aside that wait, of those the group replays; held until its end.
    pub waiting: BTreeSet<(QuarantineId, ResourceNumber)>,
}

impl Facts {
    pub(super) async fn read(tx: &mut Tx, group: &Group, now: Time) -> Result<Self, Refusal> {
        let keys: BTreeSet<&KeyId> = callers(group).map(|caller| &caller.key).collect();
        let standing = tx.standing_keys(&Vec::from_iter(keys), now).await?;
        let mut facts = Self { standing, ..Self::default() };
        facts.read_delivering(tx, group).await?;
        facts.read_publishing(tx, group).await?;
        Ok(facts)
    }

    async fn read_publishing(&mut self, tx: &mut Tx, group: &Group) -> Result<(), Refusal> {
        let resources: BTreeSet<ResourceNumber> = (group.attempts.iter().map(|attempt| attempt.resource))
            .chain(group.openings.iter().map(|opening| opening.resource))
            .chain(self.positions.values().map(|position| position.resource))
            .collect();
        self.resources = tx.resources_of(&Vec::from_iter(resources)).await?;
        let topics: BTreeSet<_> =
            (group.attempts.iter().map(|attempt| (attempt.resource, attempt.generation)))
                .chain(group.dead.iter().map(|dead| (dead.resource, dead.generation)))
                .collect();
        self.views = tx.views_from(&Vec::from_iter(topics), &lowest(group)).await?;
        let scopes: BTreeSet<Scope> =
            group.attempts.iter().filter_map(|attempt| attempt.claim.as_ref()).map(scope).collect();
        self.claims = tx.claims(&Vec::from_iter(scopes)).await?;
        let sources: BTreeSet<SourceKey> =
            group.attempts.iter().filter_map(super::publishing::source_key).collect();
        self.sources = tx.source_states(&Vec::from_iter(sources)).await?;
        let replayed: BTreeSet<QuarantineId> =
            group.attempts.iter().filter_map(|attempt| attempt.replays).collect();
        for id in replayed {
            let held = tx.quarantined_to_decide(id).await?;
            self.waiting.extend(held.map(|entry| (entry.id, entry.resource)));
        }
        Ok(())
    }

    async fn read_delivering(&mut self, tx: &mut Tx, group: &Group) -> Result<(), Refusal> {
        let subscriptions: BTreeSet<SubscriptionId> = (group.openings.iter().map(|it| it.subscription))
            .chain(group.acks.iter().map(|ack| ack.cursor.subscription))
            .chain(group.seeks.iter().map(|seek| seek.subscription))
            .collect();
        self.positions = tx.positions(&Vec::from_iter(subscriptions)).await?;
        let closing: BTreeSet<WindowId> = group.closings.iter().map(|closing| closing.window).collect();
        let windows = tx.open_windows(&Vec::from_iter(closing)).await?;
        self.windows = windows.into_iter().map(|window| (window.id, window)).collect();

        let grants: BTreeSet<GrantId> = group.openings.iter().map(|opening| opening.grant).collect();
        self.grants = tx.grants_of(&Vec::from_iter(grants)).await?;
        let quotas: BTreeSet<QuotaKey> = (group.openings.iter().map(|opening| (opening.grant, opening.day)))
            .chain(self.windows.values().map(|window| (window.grant_id, window.day)))
            .collect();
        self.quotas = tx.quotas(&Vec::from_iter(quotas)).await?;
        let let_out: BTreeSet<LetOutKey> =
            self.windows.values().map(|window| (window.subscription, window.key_id.clone())).collect();
        self.let_out = tx.let_out(&Vec::from_iter(let_out)).await?;
        Ok(())
    }
}

/// Where the group's runs begin, the lowest of each partition.
fn lowest(group: &Group) -> BTreeMap<(TopicKey, i32), i64> {
    let attempts =
        group.attempts.iter().map(|attempt| ((attempt.resource, attempt.generation), &attempt.runs));
    let dead = group.dead.iter().map(|dead| ((dead.resource, dead.generation), &dead.runs));
    let mut lowest = BTreeMap::new();
    for (topic, runs) in attempts.chain(dead) {
        for run in runs {
            let first = lowest.entry((topic, run.partition)).or_insert(run.first);
            *first = run.first.min(*first);
        }
    }
    lowest
}

/// A key with what can end it: itself, its account, its agency.
type KeyRow = (KeyId, Time, Option<Time>, AccountId, bool, AgencyId, bool);

impl Session {
    pub(in crate::store) async fn standing_keys(
        &mut self,
        keys: &[&KeyId],
        now: Time,
    ) -> Result<BTreeSet<KeyId>, Refusal> {
        if keys.is_empty() {
            return Ok(BTreeSet::new());
        }
        let rows: Vec<KeyRow> = on!(self, |conn| async {
            let mut select = QueryBuilder::new(
                "SELECT k.id, k.expires_at, k.revoked_at, a.id, a.suspended, g.id, g.suspended FROM api_key k \
                 JOIN account a ON a.id = k.account JOIN agency g ON g.id = a.agency WHERE k.id IN (",
            );
            keys.iter().fold(&mut select.separated(", "), |list, key| list.push_bind(key.0.as_str()));
            select.push(")").build_query_as().fetch_all(conn).await
        })?;
        let stands = |(_, expires_at, revoked_at, _, account_ended, _, agency_ended): &KeyRow| {
            now < *expires_at && revoked_at.is_none() && !account_ended && !agency_ended
        };
        Ok(rows.into_iter().filter(stands).map(|row| row.0).collect())
    }

    async fn resources_of(
        &mut self,
        numbers: &[ResourceNumber],
    ) -> Result<BTreeMap<ResourceNumber, Resource>, Refusal> {
        if numbers.is_empty() {
            return Ok(BTreeMap::new());
        }
        let rows: Vec<ResourceRow> = on!(self, |conn| async {
            let mut select = QueryBuilder::new(concat!(
                "SELECT ",
                resources::columns!(),
                " FROM resource r WHERE r.number IN ("
            ));
            numbers.iter().fold(&mut select.separated(", "), |list, number| list.push_bind(number));
            select.push(")").build_query_as().fetch_all(conn).await
        })?;
        rows.into_iter().map(|row| Resource::try_from(row).map(|it| (it.number, it))).collect()
    }

    async fn grants_of(&mut self, ids: &[GrantId]) -> Result<BTreeMap<GrantId, Grant>, Refusal> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let rows: Vec<GrantRow> = on!(self, |conn| async {
            let mut select = QueryBuilder::new(concat!(
                "SELECT ",
                grants::columns!(),
                " FROM share_grant g WHERE g.id IN ("
            ));
            ids.iter().fold(&mut select.separated(", "), |list, id| list.push_bind(id));
            select.push(")").build_query_as().fetch_all(conn).await
        })?;
        rows.into_iter().map(|row| Grant::try_from(row).map(|it| (it.id, it))).collect()
    }
}
