//! Delivery windows (protocol.md 6, 7): a row while a window is open; when it closes, how far it let out is kept with
//! its subscription and key.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use sqlx::{FromRow, QueryBuilder, query_as};

use super::dispatch::{all, on, rows};
use super::document::{from_json, to_json};
use super::{Session, Tx};
use crate::clock::Time;
use crate::error::Refusal;
use crate::ids::{AccountId, AgencyId, Generation, GrantId, KeyId, ResourceNumber, SubscriptionId, WindowId};
use crate::ports::{Ended, LeftOpen};

/// An open window, as far as its closing needs it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(super) struct OpenWindow {
    pub id: WindowId,
    pub subscription: SubscriptionId,
    pub grant_id: GrantId,
    pub resource: ResourceNumber,
    pub generation: Generation,
    pub agency: AgencyId,
    pub account: AccountId,
    pub key_id: KeyId,
    pub most: i64,
    pub day: NaiveDate,
}

/// A window to be written: the row and where it starts.
pub(super) struct NewWindow<'g> {
    pub row: OpenWindow,
    pub from: &'g [i64],
}

/// How far the windows of one key let out of one subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LetOut {
    pub account: AccountId,
    pub agency: AgencyId,
    pub grant: GrantId,
    pub resource: ResourceNumber,
    pub generation: Generation,
    pub offsets: Vec<i64>,
}

pub(super) type LetOutKey = (SubscriptionId, KeyId);

#[derive(FromRow)]
struct LetOutRow {
    subscription: SubscriptionId,
    key_id: KeyId,
    account: AccountId,
    agency: AgencyId,
    grant_id: GrantId,
    resource: ResourceNumber,
    generation: Generation,
    offsets: String,
}

impl LetOutRow {
    fn read(self) -> Result<(LetOutKey, LetOut), Refusal> {
        let let_out = LetOut {
            account: self.account,
            agency: self.agency,
            grant: self.grant_id,
            resource: self.resource,
            generation: self.generation,
            offsets: from_json(&self.offsets)?,
        };
        Ok(((self.subscription, self.key_id), let_out))
    }
}

impl LetOut {
    /// The farther of both, per partition; a later generation replaces an earlier one.
    pub(super) fn reach(&mut self, generation: Generation, offsets: &[i64]) {
        if generation < self.generation {
            return;
        }
        if generation > self.generation {
            (self.generation, self.offsets) = (generation, offsets.to_vec());
            return;
        }
        farther(&mut self.offsets, offsets);
    }
}

/// The larger of both per partition.
pub(super) fn farther(mine: &mut Vec<i64>, other: &[i64]) {
    mine.resize(mine.len().max(other.len()), 0);
    mine.iter_mut().zip(other).for_each(|(mine, other)| *mine = (*mine).max(*other));
}

impl Session {
    pub(super) async fn open_windows(&mut self, ids: &[WindowId]) -> Result<Vec<OpenWindow>, Refusal> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        on!(self, |conn| async {
            let mut select = QueryBuilder::new(
                "SELECT id, subscription, grant_id, resource, generation, agency, account, key_id, most, day \
                 FROM delivery_window WHERE id IN (",
            );
            ids.iter().fold(&mut select.separated(", "), |list, id| list.push_bind(id));
            select.push(")").build_query_as().fetch_all(conn).await
        })
    }

    pub(super) async fn let_out(
        &mut self,
        keys: &[LetOutKey],
    ) -> Result<BTreeMap<LetOutKey, LetOut>, Refusal> {
        if keys.is_empty() {
            return Ok(BTreeMap::new());
        }
        let rows: Vec<LetOutRow> = on!(self, |conn| async {
            let mut select = QueryBuilder::new(
                "SELECT subscription, key_id, account, agency, grant_id, resource, generation, offsets \
                 FROM let_out WHERE (subscription, key_id) IN (",
            );
            select.push_values(keys, |mut row, (subscription, key)| {
                row.push_bind(subscription).push_bind(key.0.as_str());
            });
            select.push(")").build_query_as().fetch_all(conn).await
        })?;
        rows.into_iter().map(LetOutRow::read).collect()
    }

    /// What the windows let out that an ending concerns.
    pub(super) async fn let_out_of(&mut self, ended: &Ended) -> Result<Vec<(LetOutKey, LetOut)>, Refusal> {
        let rows: Vec<LetOutRow> = on!(self, |conn| async {
            let mut select = QueryBuilder::new(
                "SELECT subscription, key_id, account, agency, grant_id, resource, generation, offsets \
                 FROM let_out WHERE ",
            );
            match ended {
                Ended::Grant(id) => select.push("grant_id = ").push_bind(*id),
                Ended::Resource(number) => select.push("resource = ").push_bind(*number),
                Ended::Agency(id) => {
                    select.push("agency = ").push_bind(*id);
                    select
                        .push(" OR resource IN (SELECT number FROM resource WHERE provider = ")
                        .push_bind(*id);
                    select.push(")")
                }
                Ended::Account(id) => select.push("account = ").push_bind(*id),
                Ended::Key(id) => select.push("key_id = ").push_bind(id.0.as_str()),
            };
            select.build_query_as().fetch_all(conn).await
        })?;
        rows.into_iter().map(LetOutRow::read).collect()
    }

    /// Windows of earlier epochs.
    pub(super) async fn windows_before(&mut self, epoch: i64) -> Result<Vec<LeftOpen>, Refusal> {
        const SELECT: &str = "SELECT id, grant_id, resource, generation, start_offsets, most \
            FROM delivery_window WHERE epoch < $1 ORDER BY id";
        let rows: Vec<(WindowId, GrantId, ResourceNumber, Generation, String, i64)> =
            on!(self, |conn| query_as(SELECT).bind(epoch).fetch_all(conn))?;
        rows.into_iter()
            .map(|(window, grant, resource, generation, from, most)| {
                Ok(LeftOpen { window, grant, resource, generation, from: from_json(&from)?, most })
            })
            .collect()
    }
}

impl Tx {
    pub(super) async fn insert_windows(
        &mut self,
        windows: &[NewWindow<'_>],
        epoch: i64,
        now: Time,
    ) -> Result<(), Refusal> {
        if windows.is_empty() {
            return Ok(());
        }
        let starts = windows.iter().map(|window| to_json(&window.from)).collect::<Result<Vec<_>, _>>()?;
        let written = rows!(self, |conn| async {
            let mut insert = QueryBuilder::new(
                "INSERT INTO delivery_window (id, subscription, grant_id, resource, generation, agency, \
                 account, key_id, most, day, start_offsets, epoch, opened_at) ",
            );
            insert.push_values(
                windows.iter().zip(&starts),
                |mut row, (NewWindow { row: window, .. }, start)| {
                    row.push_bind(window.id).push_bind(window.subscription).push_bind(window.grant_id);
                    row.push_bind(window.resource).push_bind(window.generation).push_bind(window.agency);
                    row.push_bind(window.account).push_bind(window.key_id.0.as_str()).push_bind(window.most);
                    row.push_bind(window.day).push_bind(start.as_str()).push_bind(epoch).push_bind(now);
                },
            );
            insert.build().execute(conn).await
        })?;
        all(written, windows.len())
    }

    pub(super) async fn delete_windows(&mut self, ids: &[WindowId]) -> Result<(), Refusal> {
        if ids.is_empty() {
            return Ok(());
        }
        let gone = rows!(self, |conn| async {
            let mut delete = QueryBuilder::new("DELETE FROM delivery_window WHERE id IN (");
            ids.iter().fold(&mut delete.separated(", "), |list, id| list.push_bind(id));
            delete.push(")").build().execute(conn).await
        })?;
        all(gone, ids.len())
    }

    /// Under the locks of the quotas of their grants.
    pub(super) async fn set_let_out(&mut self, let_out: &BTreeMap<LetOutKey, LetOut>) -> Result<(), Refusal> {
        if let_out.is_empty() {
            return Ok(());
        }
        let offsets =
            let_out.values().map(|let_out| to_json(&let_out.offsets)).collect::<Result<Vec<_>, _>>()?;
        let written = rows!(self, |conn| async {
            let mut upsert = QueryBuilder::new(
                "INSERT INTO let_out \
                 (subscription, key_id, account, agency, grant_id, resource, generation, offsets) ",
            );
            upsert.push_values(
                let_out.iter().zip(&offsets),
                |mut row, (((subscription, key), it), offsets)| {
                    row.push_bind(subscription).push_bind(key.0.as_str()).push_bind(it.account);
                    row.push_bind(it.agency).push_bind(it.grant).push_bind(it.resource);
                    row.push_bind(it.generation).push_bind(offsets.as_str());
                },
            );
            upsert.push(
                " ON CONFLICT (subscription, key_id) DO UPDATE \
                 SET generation = excluded.generation, offsets = excluded.offsets",
            );
            upsert.build().execute(conn).await
        })?;
        all(written, let_out.len())
    }
}
