//! Refusals of known callers (protocol.md 9): counted while their minute runs, one event each when it is over.

use std::collections::BTreeMap;

use sqlx::{FromRow, QueryBuilder, query, query_as};

use super::dispatch::{all, on, rows};
use super::{Session, Store, Tx};
use crate::account::{Caller, Roles};
use crate::audit::{Event, Refused};
use crate::clock::{Ids, Time};
use crate::error::{Code, Refusal};
use crate::grant::decide::POLICY;
use crate::ids::{AccountId, AgencyId, EventId, GrantId, KeyId, ResourceNumber};

/// So many refusals of one caller with one code in one minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalCount {
    pub caller: Caller,
    pub code: Code,
    /// The beginning of the minute.
    pub minute: Time,
    pub count: i64,
    /// What the first of them was about.
    pub resource: Option<ResourceNumber>,
    pub grant: Option<GrantId>,
}

#[derive(FromRow)]
struct Row {
    agency: AgencyId,
    account: AccountId,
    key_id: KeyId,
    code: String,
    minute: Time,
    refused: i64,
    resource: Option<ResourceNumber>,
    grant_id: Option<GrantId>,
}

impl Store {
    /// Adds counts, and writes the events of minutes that were over at `now`. The service calls it every few seconds,
    /// with nothing to add too.
    pub async fn record_refusals(
        &self,
        counts: &[RefusalCount],
        now: Time,
        ids: &dyn Ids,
    ) -> Result<(), Refusal> {
        let mut tx = self.begin().await?;
        tx.count_refusals(&merge(counts)).await?;
        let over = tx.take_refusals(now - std::time::Duration::from_secs(60)).await?;
        let events: Vec<Event> = over.into_iter().filter_map(|row| event(row, now, ids)).collect();
        tx.record_all(&events).await?;
        tx.finish().await
    }
}

type Same<'c> = (AccountId, &'c KeyId, Code, Time);

/// One row of a statement for each key: an upsert may not meet a row twice.
fn merge(counts: &[RefusalCount]) -> Vec<RefusalCount> {
    let mut merged: BTreeMap<Same<'_>, RefusalCount> = BTreeMap::new();
    for count in counts {
        let same = (count.caller.account, &count.caller.key, count.code, count.minute);
        merged.entry(same).and_modify(|stored| stored.count += count.count).or_insert_with(|| count.clone());
    }
    merged.into_values().collect()
}

fn event(row: Row, now: Time, ids: &dyn Ids) -> Option<Event> {
    // A word that an older binary knew and this one does not can't be said again.
    let code = Code::ALL.iter().find(|code| code.as_str() == row.code)?;
    let caller =
        Caller { agency: row.agency, account: row.account, key: row.key_id, roles: Roles::default() };
    let what = Refused {
        refusal: *code,
        minute: row.minute,
        count: row.refused,
        resource: row.resource,
        grant: row.grant_id,
        policy: POLICY,
    };
    Some(Event::new(EventId(ids.uuid(now)), now, &caller, what))
}

impl Tx {
    async fn count_refusals(&mut self, counts: &[RefusalCount]) -> Result<(), Refusal> {
        for chunk in counts.chunks(500) {
            let written = rows!(self, |conn| async {
                let mut upsert = QueryBuilder::new(
                    "INSERT INTO refusal_count \
                     (agency, account, key_id, code, minute, refused, resource, grant_id) ",
                );
                upsert.push_values(chunk, |mut row, count| {
                    row.push_bind(count.caller.agency).push_bind(count.caller.account);
                    row.push_bind(count.caller.key.0.as_str()).push_bind(count.code.as_str());
                    row.push_bind(count.minute).push_bind(count.count);
                    row.push_bind(count.resource).push_bind(count.grant);
                });
                upsert.push(
                    " ON CONFLICT (account, key_id, code, minute) \
                     DO UPDATE SET refused = refusal_count.refused + excluded.refused",
                );
                upsert.build().execute(conn).await
            })?;
            all(written, chunk.len())?;
        }
        Ok(())
    }

    /// Removes and answers the counts of minutes that began at or before `last`.
    async fn take_refusals(&mut self, last: Time) -> Result<Vec<Row>, Refusal> {
        let over = self.refusals_until(last).await?;
        if !over.is_empty() {
            const DELETE: &str = "DELETE FROM refusal_count WHERE minute <= $1";
            let gone = rows!(self, |conn| query(DELETE).bind(last).execute(conn))?;
            all(gone, over.len())?;
        }
        Ok(over)
    }
}

impl Session {
    async fn refusals_until(&mut self, last: Time) -> Result<Vec<Row>, Refusal> {
        const SELECT: &str = "SELECT agency, account, key_id, code, minute, refused, resource, grant_id \
            FROM refusal_count WHERE minute <= $1 ORDER BY minute, account, key_id, code";
        on!(self, |conn| query_as(SELECT).bind(last).fetch_all(conn))
    }
}
