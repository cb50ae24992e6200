//! What readers rest on that lets nobody read any more: asked every second for those who wait, as what ends by its time
//! wakes nobody, and a command on the same database tells this server nothing.

use std::collections::BTreeSet;

use sqlx::QueryBuilder;

use super::dispatch::on;
use super::{Session, Store};
use crate::clock::Time;
use crate::error::Refusal;
use crate::ids::{GrantId, KeyId};
use crate::ports::Ended;

/// Names of one statement: far below the parameters that either engine takes.
const NAMES: usize = 1000;

impl Store {
    pub(super) async fn fallen_of(
        &self,
        keys: &[KeyId],
        grants: &[GrantId],
        now: Time,
    ) -> Result<Vec<Ended>, Refusal> {
        let mut session = self.read().await?;
        let mut fallen = Vec::new();
        for chunk in keys.chunks(NAMES) {
            let standing = session.standing_keys(&Vec::from_iter(chunk), now).await?;
            fallen.extend(chunk.iter().filter(|key| !standing.contains(key)).cloned().map(Ended::Key));
        }
        for chunk in grants.chunks(NAMES) {
            let reading = session.read_under(chunk, now).await?;
            fallen.extend(chunk.iter().filter(|grant| !reading.contains(grant)).copied().map(Ended::Grant));
        }
        Ok(fallen)
    }
}

impl Session {
    /// Of these grants those under which may be read then.
    async fn read_under(&mut self, grants: &[GrantId], now: Time) -> Result<BTreeSet<GrantId>, Refusal> {
        let rows: Vec<(GrantId,)> = on!(self, |conn| async {
            let mut select = QueryBuilder::new(
                "SELECT g.id FROM share_grant g JOIN resource r ON r.number = g.resource \
                 JOIN agency p ON p.id = r.provider \
                 WHERE g.state = 'active' AND r.state = 'published' AND r.log_rolled_back = ",
            );
            select.push_bind(false).push(" AND p.suspended = ").push_bind(false);
            select
                .push(" AND (g.valid_until IS NULL OR g.valid_until > ")
                .push_bind(now)
                .push(") AND g.id IN (");
            grants.iter().fold(&mut select.separated(", "), |list, grant| list.push_bind(grant));
            select.push(")").build_query_as().fetch_all(conn).await
        })?;
        Ok(rows.into_iter().map(|(grant,)| grant).collect())
    }
}
