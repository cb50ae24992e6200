//! Managed connectors: their files, what was ordered and what they last reported.

use serde_json::Value;
use sqlx::{FromRow, query, query_as};

use super::dispatch::{on, one, rows};
use super::document::{checked, from_json, from_word, to_json, to_word};
use super::page::{decode, size};
use super::{Page, Session, Store, Tx};
use crate::clock::Time;
use crate::connector::Connector;
use crate::error::Refusal;
use crate::ids::{AccountId, AgencyId, ConnectorId};

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, agency, account, name, spec, desired, resets, confirmations, status, version, \
             created_at FROM connector ",
            $tail
        )
    };
}

#[derive(FromRow)]
struct ConnectorRow {
    id: ConnectorId,
    agency: AgencyId,
    account: AccountId,
    name: String,
    spec: String,
    desired: String,
    resets: i32,
    confirmations: i32,
    status: String,
    version: i32,
    created_at: Time,
}

impl TryFrom<ConnectorRow> for Connector {
    type Error = Refusal;
    fn try_from(row: ConnectorRow) -> Result<Self, Refusal> {
        Ok(Self {
            id: row.id,
            name: row.name,
            agency: row.agency,
            account: row.account,
            spec: from_json(&row.spec)?,
            desired: from_word(row.desired)?,
            resets: row.resets,
            confirmations: row.confirmations,
            status: from_json(&row.status)?,
            version: row.version,
            created_at: row.created_at,
        })
    }
}

impl Session {
    pub async fn connector(&mut self, id: ConnectorId) -> Result<Option<Connector>, Refusal> {
        let row: Option<ConnectorRow> =
            on!(self, |conn| query_as(select!("WHERE id = $1")).bind(id).fetch_optional(conn))?;
        row.map(Connector::try_from).transpose()
    }

    pub async fn connector_named(
        &mut self,
        agency: AgencyId,
        name: &str,
    ) -> Result<Option<Connector>, Refusal> {
        let name = checked(name)?;
        let row: Option<ConnectorRow> =
            on!(self, |conn| query_as(select!("WHERE agency = $1 AND name = $2"))
                .bind(agency)
                .bind(name)
                .fetch_optional(conn))?;
        row.map(Connector::try_from).transpose()
    }
}

impl Tx {
    pub async fn connector_to_change(
        &mut self,
        agency: AgencyId,
        name: &str,
    ) -> Result<Option<Connector>, Refusal> {
        let Some(found) = self.connector_named(agency, name).await? else { return Ok(None) };
        self.hold("SELECT 1 FROM connector WHERE id = $1 FOR UPDATE", found.id).await?;
        self.connector(found.id).await
    }

    /// Holds a connector while its runner's report is kept.
    pub async fn connector_to_report(&mut self, id: ConnectorId) -> Result<Option<Connector>, Refusal> {
        self.hold("SELECT 1 FROM connector WHERE id = $1 FOR UPDATE", id).await?;
        self.connector(id).await
    }

    pub async fn insert_connector(&mut self, connector: &Connector) -> Result<(), Refusal> {
        const INSERT: &str = "INSERT INTO connector (id, agency, account, name, spec, desired, resets, \
            confirmations, status, version, created_at) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
        let (name, spec) = (checked(&connector.name)?, to_json(&connector.spec)?);
        let (desired, status) = (to_word(&connector.desired)?, to_json(&connector.status)?);
        one(rows!(self, |conn| query(INSERT)
            .bind(connector.id)
            .bind(connector.agency)
            .bind(connector.account)
            .bind(name)
            .bind(spec.as_str())
            .bind(desired.as_str())
            .bind(connector.resets)
            .bind(connector.confirmations)
            .bind(status.as_str())
            .bind(connector.version)
            .bind(connector.created_at)
            .execute(conn))?)
    }

    /// Saves what a person changed of a connector read in this transaction; its `version` is one above what was
    /// read.
    pub async fn update_connector(&mut self, connector: &Connector) -> Result<(), Refusal> {
        const UPDATE: &str = "UPDATE connector SET version = $2, account = $3, spec = $4, desired = $5, \
            resets = $6, confirmations = $7 WHERE id = $1 AND version = $2 - 1";
        let (spec, desired) = (to_json(&connector.spec)?, to_word(&connector.desired)?);
        one(rows!(self, |conn| query(UPDATE)
            .bind(connector.id)
            .bind(connector.version)
            .bind(connector.account)
            .bind(spec.as_str())
            .bind(desired.as_str())
            .bind(connector.resets)
            .bind(connector.confirmations)
            .execute(conn))?)
    }

    /// Keeps what the runner reports; no person changed anything, so the version stays.
    pub async fn report_connector(&mut self, id: ConnectorId, status: &Value) -> Result<bool, Refusal> {
        const UPDATE: &str = "UPDATE connector SET status = $2 WHERE id = $1";
        let status = to_json(status)?;
        // No row: it was removed while it ran.
        Ok(rows!(self, |conn| query(UPDATE).bind(id).bind(status.as_str()).execute(conn))? == 1)
    }

    pub async fn delete_connector(&mut self, id: ConnectorId) -> Result<(), Refusal> {
        one(rows!(self, |conn| query("DELETE FROM connector WHERE id = $1").bind(id).execute(conn))?)
    }
}

impl Store {
    /// The connectors of an agency; of every agency with `None`.
    pub async fn connectors(
        &self,
        of: Option<AgencyId>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Connector>, Refusal> {
        const LIST: &str =
            select!("WHERE ($1 IS NULL OR agency = $1) AND ($2 IS NULL OR id > $2) ORDER BY id LIMIT $3");
        let after: Option<ConnectorId> = decode(after, |text| text.parse().ok())?;
        let mut session = self.read().await?;
        let (limit, most) = size(limit);
        let rows: Vec<ConnectorRow> =
            on!(session, |conn| query_as(LIST).bind(of).bind(after).bind(most).fetch_all(conn))?;
        let items = rows.into_iter().map(Connector::try_from).collect::<Result<_, Refusal>>()?;
        Ok(Page::of(items, limit, |connector: &Connector| connector.id.to_string()))
    }
}
