//! Source positions (protocol.md 5): the one checkpoint a source connector has, moved by the commit of its batch.

use std::collections::BTreeMap;

use sqlx::{QueryBuilder, query_scalar};

use super::dispatch::{on, rows};
use super::{Session, Tx};
use crate::clock::Time;
use crate::error::Refusal;
use crate::ids::{AccountId, ResourceNumber};

/// Stands before the first position.
pub(super) const START: &str = "-";

/// Whose position it is and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SourceState {
    pub account: AccountId,
    pub position: String,
}

/// Resource and connector.
pub(super) type SourceKey = (ResourceNumber, String);

impl Session {
    pub(super) async fn source_position(
        &mut self,
        resource: ResourceNumber,
        connector: &str,
    ) -> Result<Option<String>, Refusal> {
        const SELECT: &str = "SELECT position FROM source_position WHERE resource = $1 AND connector = $2";
        on!(self, |conn| query_scalar(SELECT).bind(resource).bind(connector).fetch_optional(conn))
    }

    pub(super) async fn source_states(
        &mut self,
        keys: &[SourceKey],
    ) -> Result<BTreeMap<SourceKey, SourceState>, Refusal> {
        if keys.is_empty() {
            return Ok(BTreeMap::new());
        }
        let rows: Vec<(ResourceNumber, String, AccountId, String)> = on!(self, |conn| async {
            let mut select = QueryBuilder::new(
                "SELECT resource, connector, account, position FROM source_position WHERE (resource, connector) IN (",
            );
            select.push_values(keys, |mut row, (resource, connector)| {
                row.push_bind(resource).push_bind(connector.as_str());
            });
            select.push(")").build_query_as().fetch_all(conn).await
        })?;
        Ok(rows
            .into_iter()
            .map(|(resource, connector, account, position)| {
                ((resource, connector), SourceState { account, position })
            })
            .collect())
    }
}

impl Tx {
    /// Under the locks of the sources, whose states were read after them.
    pub(super) async fn move_sources(
        &mut self,
        states: &BTreeMap<SourceKey, SourceState>,
        now: Time,
    ) -> Result<(), Refusal> {
        if states.is_empty() {
            return Ok(());
        }
        let written = rows!(self, |conn| async {
            let mut insert = QueryBuilder::new(
                "INSERT INTO source_position (resource, connector, account, position, at) ",
            );
            insert.push_values(states, |mut row, ((resource, connector), state)| {
                row.push_bind(resource).push_bind(connector.as_str()).push_bind(state.account);
                row.push_bind(state.position.as_str()).push_bind(now);
            });
            insert.push(
                " ON CONFLICT (resource, connector) DO UPDATE SET position = excluded.position, at = excluded.at",
            );
            insert.build().execute(conn).await
        })?;
        super::dispatch::all(written, states.len())
    }
}
