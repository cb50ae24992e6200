//! Catalog entries, their versions and the numbers they get.

use sqlx::{FromRow, query, query_as};

use super::dispatch::{on, one, rows};
use super::document::{checked, from_json, from_word, to_json, to_word};
use super::page::{decode, size};
use super::{Page, Session, Store, Tx};
use crate::clock::Time;
use crate::error::Refusal;
use crate::ids::{AccountId, AgencyId, ClassCode, Generation, ResourceCode, ResourceNumber, SchemaId};
use crate::resource::{Resource, ResourceFile, ResourceState, ShareType};

/// The head's standing consent to automatic grants, given by publishing an unconditional entry.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct StandingConsent {
    #[sqlx(rename = "consented_by")]
    pub by: AccountId,
    #[sqlx(rename = "consented_at")]
    pub at: Time,
}

/// Who changed an entry by which action: what its version is kept with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResourceChange {
    pub action: &'static str,
    pub by: AccountId,
    pub at: Time,
}

/// What a reviewer last sent back.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Rejection {
    pub by: AccountId,
    pub at: Time,
    pub reason: Option<String>,
}

/// What a list of entries is narrowed to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResourceQuery {
    /// In title, abstract, code and item titles.
    pub q: Option<String>,
    /// Class code or its beginning.
    pub class: Option<String>,
    pub provider: Option<AgencyId>,
    pub share_type: Option<ShareType>,
}

macro_rules! columns {
    () => {
        "r.number, r.class, r.sequence, r.provider, r.state, r.version, r.generation, r.file, r.written_by, \
         r.submitted_by, r.approved_by, r.value_schema, r.key_schema, r.published_at, r.log_rolled_back, \
         r.suspended_by, r.proposal, \
         (SELECT p.suspended FROM agency p WHERE p.id = r.provider) AS provider_suspended"
    };
}
macro_rules! select {
    ($tail:literal) => {
        concat!("SELECT ", columns!(), " FROM resource r ", $tail)
    };
}
pub(super) use columns;

#[derive(FromRow)]
pub(super) struct ResourceRow {
    number: ResourceNumber,
    class: String,
    sequence: i64,
    provider: AgencyId,
    state: String,
    version: i32,
    generation: Generation,
    file: String,
    written_by: AccountId,
    submitted_by: Option<AccountId>,
    approved_by: Option<AccountId>,
    value_schema: Option<SchemaId>,
    key_schema: Option<SchemaId>,
    published_at: Option<Time>,
    log_rolled_back: bool,
    suspended_by: Option<String>,
    proposal: Option<String>,
    provider_suspended: bool,
}

impl ResourceRow {
    pub(super) fn place(&self) -> (ResourceNumber, Generation, i32) {
        (self.number, self.generation, self.version)
    }
}

impl TryFrom<ResourceRow> for Resource {
    type Error = Refusal;
    fn try_from(row: ResourceRow) -> Result<Self, Refusal> {
        Ok(Self {
            number: row.number,
            code: ResourceCode::new(row.class.parse()?, row.sequence),
            provider: row.provider,
            state: from_word(row.state)?,
            version: row.version,
            generation: row.generation,
            file: from_json(&row.file)?,
            written_by: row.written_by,
            submitted_by: row.submitted_by,
            approved_by: row.approved_by,
            schema: row.value_schema,
            key_schema: row.key_schema,
            published_at: row.published_at,
            log_rolled_back: row.log_rolled_back,
            suspended_by: row.suspended_by.map(from_word).transpose()?,
            provider_suspended: row.provider_suspended,
            proposal: row.proposal.as_deref().map(from_json).transpose()?,
        })
    }
}

impl Session {
    pub async fn resource(&mut self, number: ResourceNumber) -> Result<Option<Resource>, Refusal> {
        let row: Option<ResourceRow> =
            on!(self, |conn| query_as(select!("WHERE r.number = $1")).bind(number).fetch_optional(conn))?;
        row.map(Resource::try_from).transpose()
    }

    /// The number behind a code.
    pub async fn resource_number(&mut self, code: &ResourceCode) -> Result<Option<ResourceNumber>, Refusal> {
        const NUMBER: &str = "SELECT number FROM resource WHERE class = $1 AND sequence = $2";
        let row: Option<(ResourceNumber,)> = on!(self, |conn| query_as(NUMBER)
            .bind(code.class().as_str())
            .bind(code.sequence())
            .fetch_optional(conn))?;
        Ok(row.map(|(number,)| number))
    }

    pub async fn standing_consent(
        &mut self,
        number: ResourceNumber,
    ) -> Result<Option<StandingConsent>, Refusal> {
        const SELECT: &str = "SELECT consented_by, consented_at FROM resource \
            WHERE number = $1 AND consented_by IS NOT NULL AND consented_at IS NOT NULL";
        on!(self, |conn| query_as(SELECT).bind(number).fetch_optional(conn))
    }

    /// The file an entry had at a version, with its state then.
    pub async fn resource_version(
        &mut self,
        number: ResourceNumber,
        version: i32,
    ) -> Result<Option<(ResourceState, ResourceFile)>, Refusal> {
        const SELECT: &str = "SELECT state, file FROM resource_version WHERE resource = $1 AND version = $2";
        let row: Option<(String, String)> =
            on!(self, |conn| query_as(SELECT).bind(number).bind(version).fetch_optional(conn))?;
        row.map(|(state, file)| Ok((from_word(state)?, from_json(&file)?))).transpose()
    }

    /// The rejection of what was written last, while nothing was written since.
    pub async fn rejection(&mut self, number: ResourceNumber) -> Result<Option<Rejection>, Refusal> {
        const LAST: &str = "SELECT l.changed_by AS by, l.changed_at AS at, \
                (SELECT n.text FROM note n WHERE n.kind = 'resource' AND n.object = $2 AND n.action = 'reject' \
                    AND n.written_at = l.changed_at ORDER BY n.id DESC LIMIT 1) AS reason \
            FROM (SELECT v.action, v.changed_by, v.changed_at FROM resource_version v \
                WHERE v.resource = $1 AND v.action IN ('change', 'submit', 'revise', 'reject') \
                ORDER BY v.version DESC LIMIT 1) l \
            WHERE l.action = 'reject'";
        let object = number.to_string();
        on!(self, |conn| query_as(LAST).bind(number).bind(object.as_str()).fetch_optional(conn))
    }
}

impl Tx {
    /// The next resource number and the next sequence of a class.
    pub async fn number_resource(
        &mut self,
        class: &ClassCode,
    ) -> Result<(ResourceNumber, ResourceCode), Refusal> {
        let number = ResourceNumber(self.next_number("resource").await?);
        let sequence = self.next_number(&format!("class:{}", class.as_str())).await?;
        Ok((number, ResourceCode::new(class.clone(), sequence)))
    }

    pub async fn resource_to_change(&mut self, number: ResourceNumber) -> Result<Option<Resource>, Refusal> {
        self.hold("SELECT 1 FROM resource WHERE number = $1 FOR UPDATE", number).await?;
        self.resource(number).await
    }

    pub async fn insert_resource(
        &mut self,
        resource: &Resource,
        change: ResourceChange,
    ) -> Result<(), Refusal> {
        const INSERT: &str = "INSERT INTO resource (number, class, sequence, provider, state, version, \
            generation, share_type, search, file, written_by, log_rolled_back, created_at) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
        let (state, share_type) = (to_word(&resource.state)?, to_word(&resource.file.share_type)?);
        let (search, file) = (search_text(resource)?, to_json(&resource.file)?);
        one(rows!(self, |conn| query(INSERT)
            .bind(resource.number)
            .bind(resource.code.class().as_str())
            .bind(resource.code.sequence())
            .bind(resource.provider)
            .bind(state.as_str())
            .bind(resource.version)
            .bind(resource.generation)
            .bind(share_type.as_str())
            .bind(search.as_str())
            .bind(file.as_str())
            .bind(resource.written_by)
            .bind(resource.log_rolled_back)
            .bind(change.at)
            .execute(conn))?)?;
        self.keep_version(resource, change).await
    }

    /// Saves an entry read in this transaction; its `version` is one above what was read.
    pub async fn update_resource(
        &mut self,
        resource: &Resource,
        change: ResourceChange,
    ) -> Result<(), Refusal> {
        const UPDATE: &str = "UPDATE resource SET state = $3, generation = $4, share_type = $5, search = $6, \
            file = $7, written_by = $8, submitted_by = $9, approved_by = $10, value_schema = $11, \
            key_schema = $12, published_at = $13, log_rolled_back = $14, suspended_by = $15, \
            proposal = $16, version = $2 \
            WHERE number = $1 AND version = $2 - 1";
        let (state, share_type) = (to_word(&resource.state)?, to_word(&resource.file.share_type)?);
        let (search, file) = (search_text(resource)?, to_json(&resource.file)?);
        let suspended_by = resource.suspended_by.as_ref().map(to_word).transpose()?;
        let proposal = resource.proposal.as_ref().map(to_json).transpose()?;
        one(rows!(self, |conn| query(UPDATE)
            .bind(resource.number)
            .bind(resource.version)
            .bind(state.as_str())
            .bind(resource.generation)
            .bind(share_type.as_str())
            .bind(search.as_str())
            .bind(file.as_str())
            .bind(resource.written_by)
            .bind(resource.submitted_by)
            .bind(resource.approved_by)
            .bind(resource.schema)
            .bind(resource.key_schema)
            .bind(resource.published_at)
            .bind(resource.log_rolled_back)
            .bind(&suspended_by)
            .bind(&proposal)
            .execute(conn))?)?;
        self.keep_version(resource, change).await
    }

    /// Records, or with `None` withdraws, the head's standing consent.
    pub async fn set_standing_consent(
        &mut self,
        number: ResourceNumber,
        consent: Option<&StandingConsent>,
    ) -> Result<(), Refusal> {
        const SET: &str = "UPDATE resource SET consented_by = $2, consented_at = $3 WHERE number = $1";
        one(rows!(self, |conn| query(SET)
            .bind(number)
            .bind(consent.map(|consent| consent.by))
            .bind(consent.map(|consent| consent.at))
            .execute(conn))?)
    }

    async fn keep_version(&mut self, resource: &Resource, change: ResourceChange) -> Result<(), Refusal> {
        const INSERT: &str = "INSERT INTO resource_version \
            (resource, version, action, state, file, changed_by, changed_at, proposal) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let (state, file) = (to_word(&resource.state)?, to_json(&resource.file)?);
        let proposal = resource.proposal.as_ref().map(to_json).transpose()?;
        one(rows!(self, |conn| query(INSERT)
            .bind(resource.number)
            .bind(resource.version)
            .bind(change.action)
            .bind(state.as_str())
            .bind(file.as_str())
            .bind(change.by)
            .bind(change.at)
            .bind(&proposal)
            .execute(conn))?)
    }
}

impl Store {
    /// The entries that fit a query and may be shown, by number.
    pub async fn resources(
        &self,
        query: &ResourceQuery,
        shown: impl Fn(&Resource) -> bool,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Resource>, Refusal> {
        const LIST: &str = select!(
            "WHERE r.number > $1 AND ($2 IS NULL OR r.class LIKE $2 ESCAPE '!') \
             AND ($3 IS NULL OR r.provider = $3) AND ($4 IS NULL OR r.share_type = $4) \
             AND ($5 IS NULL OR r.search LIKE $5 ESCAPE '!') ORDER BY r.number LIMIT $6"
        );
        let after = decode(after, |text| text.parse().ok().map(ResourceNumber))?;
        let class =
            query.class.as_deref().map(checked).transpose()?.map(|class| format!("{}%", escape(class)));
        let words = query.q.as_deref().map(checked).transpose()?;
        let words = words.map(|words| format!("%{}%", escape(&words.to_lowercase())));
        let share_type = query.share_type.as_ref().map(to_word).transpose()?;
        let mut session = self.read().await?;
        let (limit, most) = size(limit);
        let (mut place, mut items) = (after.unwrap_or(ResourceNumber(0)), Vec::new());
        loop {
            let rows: Vec<ResourceRow> = on!(session, |conn| query_as(LIST)
                .bind(place)
                .bind(&class)
                .bind(query.provider)
                .bind(&share_type)
                .bind(&words)
                .bind(most)
                .fetch_all(conn))?;
            let Some(last) = rows.last() else { break };
            place = last.number;
            for row in rows {
                items.extend(Some(Resource::try_from(row)?).filter(&shown));
            }
            if items.len() > limit {
                break;
            }
        }
        Ok(Page::of(items, limit, |resource: &Resource| resource.number.to_string()))
    }
}

/// What a search looks in. Lower case is made here, so that both engines agree on it. Items of a withheld entry are not
/// looked in: who may not see them would learn them from what is found.
fn search_text(resource: &Resource) -> Result<String, Refusal> {
    let file = &resource.file;
    let mut text = format!("{}\n{}\n{}\n{}", resource.code, resource.code.dashed(), file.title, file.summary);
    let seen = if file.share_type == ShareType::Withheld { &[][..] } else { &file.items[..] };
    for item in seen {
        text.push('\n');
        text.push_str(&item.title);
    }
    checked(&text).map(str::to_lowercase)
}

/// A text to be found as it stands, within a LIKE pattern.
fn escape(text: &str) -> String {
    text.replace('!', "!!").replace('%', "!%").replace('_', "!_")
}
