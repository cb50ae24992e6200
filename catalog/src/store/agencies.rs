//! Agencies and what they were called from when until when.

use sqlx::{FromRow, query, query_as};

use super::dispatch::{on, one, rows};
use super::document::checked;
use super::page::{decode, size};
use super::{Page, Session, Store, Tx};
use crate::agency::{Agency, AgencyNames};
use crate::clock::Time;
use crate::error::Refusal;
use crate::ids::AgencyId;

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT a.id, n.code, n.name, n.alias, a.suspended, a.version, a.created_at \
             FROM agency a JOIN agency_name n ON n.agency = a.id AND n.valid_until IS NULL ",
            $tail
        )
    };
}

#[derive(FromRow)]
struct AgencyRow {
    id: AgencyId,
    code: Option<String>,
    name: String,
    alias: Option<String>,
    suspended: bool,
    version: i32,
    created_at: Time,
}

impl TryFrom<AgencyRow> for Agency {
    type Error = Refusal;
    fn try_from(row: AgencyRow) -> Result<Self, Refusal> {
        let alias = row.alias.map(|alias| alias.parse()).transpose()?;
        Ok(Self {
            id: row.id,
            names: AgencyNames { code: row.code, name: row.name, alias },
            suspended: row.suspended,
            version: row.version,
            created_at: row.created_at,
        })
    }
}

impl Session {
    pub async fn agency(&mut self, id: AgencyId) -> Result<Option<Agency>, Refusal> {
        let row: Option<AgencyRow> =
            on!(self, |conn| query_as(select!("WHERE a.id = $1")).bind(id).fetch_optional(conn))?;
        row.map(Agency::try_from).transpose()
    }

    /// By the credit code or alias in force.
    pub async fn agency_named(&mut self, name: &str) -> Result<Option<Agency>, Refusal> {
        let name = checked(name)?;
        let row: Option<AgencyRow> =
            on!(self, |conn| query_as(select!("WHERE n.code = $1 OR n.alias = $1"))
                .bind(name)
                .fetch_optional(conn))?;
        row.map(Agency::try_from).transpose()
    }

    /// Whether no agency exists yet.
    pub async fn is_empty(&mut self) -> Result<bool, Refusal> {
        let first: Option<(AgencyId,)> =
            on!(self, |conn| query_as("SELECT id FROM agency LIMIT 1").fetch_optional(conn))?;
        Ok(first.is_none())
    }
}

impl Tx {
    pub async fn agency_to_change(&mut self, id: AgencyId) -> Result<Option<Agency>, Refusal> {
        self.hold("SELECT 1 FROM agency WHERE id = $1 FOR UPDATE", id).await?;
        self.agency(id).await
    }

    pub async fn insert_agency(&mut self, agency: &Agency) -> Result<(), Refusal> {
        const INSERT: &str =
            "INSERT INTO agency (id, suspended, version, created_at) VALUES ($1, $2, $3, $4)";
        let written = rows!(self, |conn| query(INSERT)
            .bind(agency.id)
            .bind(agency.suspended)
            .bind(agency.version)
            .bind(agency.created_at)
            .execute(conn))?;
        one(written)?;
        self.insert_agency_names(agency, agency.created_at).await
    }

    /// Saves the state of an agency read in this transaction; its `version` is one above what was read.
    pub async fn update_agency(&mut self, agency: &Agency) -> Result<(), Refusal> {
        const UPDATE: &str =
            "UPDATE agency SET suspended = $2, version = $3 WHERE id = $1 AND version = $3 - 1";
        let written = rows!(self, |conn| query(UPDATE)
            .bind(agency.id)
            .bind(agency.suspended)
            .bind(agency.version)
            .execute(conn))?;
        one(written)
    }

    /// Names the agency anew from `at` on; what it was called before is kept.
    pub async fn rename_agency(&mut self, agency: &Agency, at: Time) -> Result<(), Refusal> {
        const END: &str = "UPDATE agency_name SET valid_until = $2 WHERE agency = $1 AND valid_until IS NULL";
        one(rows!(self, |conn| query(END).bind(agency.id).bind(at).execute(conn))?)?;
        self.insert_agency_names(agency, at).await
    }

    async fn insert_agency_names(&mut self, agency: &Agency, from: Time) -> Result<(), Refusal> {
        const INSERT: &str =
            "INSERT INTO agency_name (agency, valid_from, code, name, alias) VALUES ($1, $2, $3, $4, $5)";
        let names = &agency.names;
        let (code, name) = (names.code.as_deref().map(checked).transpose()?, checked(&names.name)?);
        one(rows!(self, |conn| query(INSERT)
            .bind(agency.id)
            .bind(from)
            .bind(code)
            .bind(name)
            .bind(names.alias.as_ref().map(|alias| alias.as_str()))
            .execute(conn))?)
    }
}

impl Store {
    /// Every agency, in the order they joined.
    pub async fn agencies(&self, after: Option<&str>, limit: usize) -> Result<Page<Agency>, Refusal> {
        const LIST: &str = select!("WHERE $1 IS NULL OR a.id > $1 ORDER BY a.id LIMIT $2");
        let mut session = self.read().await?;
        let after: Option<AgencyId> = decode(after, |text| text.parse().ok())?;
        let (limit, most) = size(limit);
        let rows: Vec<AgencyRow> =
            on!(session, |conn| query_as(LIST).bind(after).bind(most).fetch_all(conn))?;
        let items = rows.into_iter().map(Agency::try_from).collect::<Result<_, Refusal>>()?;
        Ok(Page::of(items, limit, |agency: &Agency| agency.id.to_string()))
    }
}
