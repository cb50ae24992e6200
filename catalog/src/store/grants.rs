//! Grants: what a consumer may read, in force from its row on.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sqlx::{FromRow, query, query_as, query_scalar};

use super::dispatch::{on, one, rows};
use super::document::{from_json, from_word, to_json, to_word};
use super::page::{decode, size};
use super::{Page, Session, Store, Tx};
use crate::clock::Time;
use crate::error::Refusal;
use crate::grant::Grant;
use crate::ids::{AgencyId, GrantId, GrantNumber, RequestId, ResourceNumber, SchemaId};
use crate::mask::Mask;
use crate::request::{GrantLimits, History, Purpose};

macro_rules! columns {
    () => {
        "g.id AS grant_id, g.number AS grant_number, g.resource, g.consumer, g.request, \
         g.version AS grant_version, g.state AS grant_state, g.terms, g.floor, g.schema_id, \
         g.created_at AS granted_at, g.valid_until, g.cause, g.suspended_by AS grant_suspended_by, \
         g.pseudonym_key"
    };
}
macro_rules! select {
    ($tail:literal) => {
        concat!("SELECT ", columns!(), " FROM share_grant g ", $tail)
    };
}
pub(super) use columns;

/// What was agreed, as one document.
#[derive(Serialize, Deserialize)]
struct Terms {
    purposes: Vec<Purpose>,
    items: Vec<String>,
    masks: BTreeMap<String, Mask>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    provider_filter: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    consumer_filter: Option<String>,
    history: History,
    delete_lines: bool,
    limits: GrantLimits,
    handle_key: String,
    #[serde(default = "first")]
    schema_version: i32,
}

/// Grants made before schemas could change hold the only version there was.
fn first() -> i32 {
    1
}

/// The part of the terms that names a key.
#[derive(Deserialize)]
struct NamedKey {
    handle_key: String,
}

#[derive(FromRow)]
pub(super) struct GrantRow {
    grant_id: GrantId,
    grant_number: GrantNumber,
    resource: ResourceNumber,
    consumer: AgencyId,
    request: RequestId,
    grant_version: i32,
    grant_state: String,
    terms: String,
    floor: Option<Time>,
    schema_id: SchemaId,
    granted_at: Time,
    valid_until: Option<Time>,
    cause: Option<String>,
    grant_suspended_by: Option<String>,
    pseudonym_key: String,
}

impl TryFrom<GrantRow> for Grant {
    type Error = Refusal;
    fn try_from(row: GrantRow) -> Result<Self, Refusal> {
        let terms: Terms = from_json(&row.terms)?;
        Ok(Self {
            id: row.grant_id,
            number: row.grant_number,
            resource: row.resource,
            consumer: row.consumer,
            request: row.request,
            version: row.grant_version,
            state: from_word(row.grant_state)?,
            purposes: terms.purposes,
            items: terms.items,
            masks: terms.masks,
            provider_filter: terms.provider_filter,
            consumer_filter: terms.consumer_filter,
            history: terms.history,
            floor: row.floor,
            delete_lines: terms.delete_lines,
            limits: terms.limits,
            schema: row.schema_id,
            schema_version: terms.schema_version,
            handle_key: terms.handle_key,
            pseudonym_key: row.pseudonym_key,
            created_at: row.granted_at,
            valid_until: row.valid_until,
            cause: row.cause.map(from_word).transpose()?,
            suspended_by: row.grant_suspended_by.map(from_word).transpose()?,
        })
    }
}

fn terms(grant: &Grant) -> Result<String, Refusal> {
    to_json(&Terms {
        purposes: grant.purposes.clone(),
        items: grant.items.clone(),
        masks: grant.masks.clone(),
        provider_filter: grant.provider_filter.clone(),
        consumer_filter: grant.consumer_filter.clone(),
        history: grant.history,
        delete_lines: grant.delete_lines,
        limits: grant.limits,
        handle_key: grant.handle_key.clone(),
        schema_version: grant.schema_version,
    })
}

impl Session {
    pub async fn grant(&mut self, id: GrantId) -> Result<Option<Grant>, Refusal> {
        let row: Option<GrantRow> =
            on!(self, |conn| query_as(select!("WHERE g.id = $1")).bind(id).fetch_optional(conn))?;
        row.map(Grant::try_from).transpose()
    }

    /// Every handle key that a grant which may deliver at some time from `now` on needs.
    pub async fn handle_keys(&mut self, now: Time) -> Result<BTreeSet<String>, Refusal> {
        const PAGE: i64 = 5000;
        const LIST: &str = "SELECT number, terms FROM share_grant WHERE number > $1 \
            AND state IN ('active', 'suspended') AND (valid_until IS NULL OR valid_until > $2) \
            ORDER BY number LIMIT $3";
        let (mut keys, mut after) = (BTreeSet::new(), GrantNumber(0));
        loop {
            let rows: Vec<(GrantNumber, String)> =
                on!(self, |conn| query_as(LIST).bind(after).bind(now).bind(PAGE).fetch_all(conn))?;
            let Some((last, _)) = rows.last() else { return Ok(keys) };
            after = *last;
            for (_, terms) in &rows {
                keys.insert(from_json::<NamedKey>(terms)?.handle_key);
            }
        }
    }

    /// Every pseudonym key that such a grant needs. One made before its key was kept gets it as soon as a server has the
    /// database.
    pub async fn pseudonym_keys(&mut self, now: Time) -> Result<Vec<String>, Refusal> {
        const KEYS: &str = "SELECT DISTINCT pseudonym_key FROM share_grant WHERE pseudonym_key <> '' \
            AND state IN ('active', 'suspended') AND (valid_until IS NULL OR valid_until > $1)";
        on!(self, |conn| query_scalar(KEYS).bind(now).fetch_all(conn))
    }

    /// The grants of a resource that have not ended, in the order of their ids (the order of locks).
    pub async fn standing_grants(&mut self, resource: ResourceNumber) -> Result<Vec<GrantId>, Refusal> {
        const LIST: &str = "SELECT id FROM share_grant \
            WHERE resource = $1 AND state IN ('active', 'suspended') ORDER BY id";
        let rows: Vec<(GrantId,)> = on!(self, |conn| query_as(LIST).bind(resource).fetch_all(conn))?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    /// The grants on a resource that have not ended by then, in the order they were made.
    pub async fn grants_on(&mut self, resource: ResourceNumber, now: Time) -> Result<Vec<Grant>, Refusal> {
        const LIST: &str = select!(
            "WHERE g.resource = $1 AND g.state IN ('active', 'suspended') \
             AND (g.valid_until IS NULL OR g.valid_until > $2) ORDER BY g.number"
        );
        let rows: Vec<GrantRow> = on!(self, |conn| query_as(LIST).bind(resource).bind(now).fetch_all(conn))?;
        rows.into_iter().map(Grant::try_from).collect()
    }

    /// Grants whose time has run out and that nobody has marked expired, at most `limit`.
    pub async fn overdue_grants(&mut self, now: Time, limit: i64) -> Result<Vec<GrantId>, Refusal> {
        const LIST: &str = "SELECT id FROM share_grant \
            WHERE state IN ('active', 'suspended') AND valid_until <= $1 ORDER BY id LIMIT $2";
        let rows: Vec<(GrantId,)> = on!(self, |conn| query_as(LIST).bind(now).bind(limit).fetch_all(conn))?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }
}

impl Tx {
    pub async fn number_grant(&mut self) -> Result<GrantNumber, Refusal> {
        self.next_number("grant").await.map(GrantNumber)
    }

    pub async fn grant_to_change(&mut self, id: GrantId) -> Result<Option<Grant>, Refusal> {
        self.hold("SELECT 1 FROM share_grant WHERE id = $1 FOR UPDATE", id).await?;
        self.grant(id).await
    }

    pub async fn insert_grant(&mut self, grant: &Grant) -> Result<(), Refusal> {
        const INSERT: &str = "INSERT INTO share_grant (id, number, resource, consumer, request, version, \
            state, terms, floor, schema_id, created_at, valid_until, pseudonym_key) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
        let (state, terms) = (to_word(&grant.state)?, terms(grant)?);
        one(rows!(self, |conn| query(INSERT)
            .bind(grant.id)
            .bind(grant.number)
            .bind(grant.resource)
            .bind(grant.consumer)
            .bind(grant.request)
            .bind(grant.version)
            .bind(state.as_str())
            .bind(terms.as_str())
            .bind(grant.floor)
            .bind(grant.schema)
            .bind(grant.created_at)
            .bind(grant.valid_until)
            .bind(grant.pseudonym_key.as_str())
            .execute(conn))?)?;
        self.note_schema(grant).await
    }

    /// Whatever a grant holds later, whoever read under it has the id that it held.
    async fn note_schema(&mut self, grant: &Grant) -> Result<(), Refusal> {
        const NOTE: &str = "INSERT INTO grant_schema (grant_id, schema_id) VALUES ($1, $2) \
            ON CONFLICT (schema_id, grant_id) DO NOTHING";
        rows!(self, |conn| query(NOTE).bind(grant.id).bind(grant.schema).execute(conn)).map(drop)
    }

    /// Saves a grant read in this transaction; its `version` is one above what was read.
    pub async fn update_grant(&mut self, grant: &Grant) -> Result<(), Refusal> {
        const UPDATE: &str = "UPDATE share_grant SET version = $2, state = $3, terms = $4, floor = $5, \
            schema_id = $6, valid_until = $7, cause = $8, suspended_by = $9 WHERE id = $1 AND version = $2 - 1";
        let (state, terms) = (to_word(&grant.state)?, terms(grant)?);
        let cause = grant.cause.as_ref().map(to_word).transpose()?;
        let suspended_by = grant.suspended_by.as_ref().map(to_word).transpose()?;
        one(rows!(self, |conn| query(UPDATE)
            .bind(grant.id)
            .bind(grant.version)
            .bind(state.as_str())
            .bind(terms.as_str())
            .bind(grant.floor)
            .bind(grant.schema)
            .bind(grant.valid_until)
            .bind(&cause)
            .bind(&suspended_by)
            .execute(conn))?)?;
        self.note_schema(grant).await
    }
}

impl Store {
    /// Gives the pseudonym key in force to the grants made before they kept the id of theirs: it was the one they used.
    pub async fn keep_pseudonym_key(&self, in_force: &str) -> Result<u64, Refusal> {
        const KEEP: &str = "UPDATE share_grant SET pseudonym_key = $1 WHERE pseudonym_key = ''";
        let mut tx = self.begin().await?;
        let kept = rows!(tx, |conn| query(KEEP).bind(in_force).execute(conn))?;
        tx.finish().await?;
        Ok(kept)
    }

    /// The grants an agency holds or gave; of every agency with `None`. By number.
    pub async fn grants(
        &self,
        of: Option<AgencyId>,
        resource: Option<ResourceNumber>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Grant>, Refusal> {
        const LIST: &str = select!(
            "JOIN resource r ON r.number = g.resource \
             WHERE ($1 IS NULL OR g.consumer = $1 OR r.provider = $1) AND ($2 IS NULL OR g.resource = $2) \
             AND g.number > $3 ORDER BY g.number LIMIT $4"
        );
        let after = decode(after, |text| text.parse().ok().map(GrantNumber))?;
        let mut session = self.read().await?;
        let (limit, most) = size(limit);
        let rows: Vec<GrantRow> = on!(session, |conn| query_as(LIST)
            .bind(of)
            .bind(resource)
            .bind(after.unwrap_or(GrantNumber(0)))
            .bind(most)
            .fetch_all(conn))?;
        let items = rows.into_iter().map(Grant::try_from).collect::<Result<_, Refusal>>()?;
        Ok(Page::of(items, limit, |grant: &Grant| grant.number.to_string()))
    }
}
