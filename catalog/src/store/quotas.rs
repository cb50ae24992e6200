//! What grants have used of a day's quota (DESIGN.md 6): counted in the group commit, visible to both sides.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use sqlx::{QueryBuilder, query_as};

use super::dispatch::{all, on, rows};
use super::{Session, Store, Tx};
use crate::error::Refusal;
use crate::ids::GrantId;
use crate::request::GrantLimits;

/// What a grant has used of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, sqlx::FromRow)]
pub struct QuotaUse {
    pub calls: i64,
    /// Lines let out, redelivered ones included.
    pub records: i64,
    /// What open windows may still let out.
    pub reserved: i64,
}

impl QuotaUse {
    /// Calls and records left under these limits; `None` where there is no limit.
    #[must_use]
    pub fn left(&self, limits: &GrantLimits) -> (Option<i64>, Option<i64>) {
        let calls = limits.calls_per_day.map(|most| (most - self.calls).max(0));
        let records = limits.records_per_day.map(|most| (most - self.records - self.reserved).max(0));
        (calls, records)
    }
}

pub(super) type QuotaKey = (GrantId, NaiveDate);

impl Session {
    pub(super) async fn quotas(
        &mut self,
        keys: &[QuotaKey],
    ) -> Result<BTreeMap<QuotaKey, QuotaUse>, Refusal> {
        if keys.is_empty() {
            return Ok(BTreeMap::new());
        }
        let rows: Vec<(GrantId, NaiveDate, i64, i64, i64)> = on!(self, |conn| async {
            let mut select = QueryBuilder::new(
                "SELECT grant_id, day, calls, records, reserved FROM quota_use WHERE (grant_id, day) IN (",
            );
            select.push_values(keys, |mut row, (grant, day)| {
                row.push_bind(grant).push_bind(day);
            });
            select.push(")").build_query_as().fetch_all(conn).await
        })?;
        Ok(rows
            .into_iter()
            .map(|(grant, day, calls, records, reserved)| {
                ((grant, day), QuotaUse { calls, records, reserved })
            })
            .collect())
    }
}

impl Tx {
    /// Under the locks of the quotas, which were read after them.
    pub(super) async fn set_quotas(&mut self, used: &BTreeMap<QuotaKey, QuotaUse>) -> Result<(), Refusal> {
        if used.is_empty() {
            return Ok(());
        }
        let written = rows!(self, |conn| async {
            let mut upsert =
                QueryBuilder::new("INSERT INTO quota_use (grant_id, day, calls, records, reserved) ");
            upsert.push_values(used, |mut row, ((grant, day), used)| {
                row.push_bind(grant).push_bind(day).push_bind(used.calls);
                row.push_bind(used.records).push_bind(used.reserved);
            });
            upsert.push(
                " ON CONFLICT (grant_id, day) DO UPDATE SET calls = excluded.calls, \
                 records = excluded.records, reserved = excluded.reserved",
            );
            upsert.build().execute(conn).await
        })?;
        all(written, used.len())
    }
}

impl Store {
    /// What a grant has used of a day.
    pub async fn quota_use(&self, grant: GrantId, day: NaiveDate) -> Result<QuotaUse, Refusal> {
        const SELECT: &str =
            "SELECT calls, records, reserved FROM quota_use WHERE grant_id = $1 AND day = $2";
        let mut session = self.read().await?;
        let used: Option<QuotaUse> =
            on!(session, |conn| query_as(SELECT).bind(grant).bind(day).fetch_optional(conn))?;
        Ok(used.unwrap_or_default())
    }
}
