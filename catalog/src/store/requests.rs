//! Requests for data.

use sqlx::{FromRow, query, query_as};

use super::dispatch::{on, one, rows};
use super::document::{checked, from_json, from_word, to_json, to_word};
use super::page::{decode, size};
use super::{Page, Session, Store, Tx};
use crate::clock::Time;
use crate::error::Refusal;
use crate::ids::{AccountId, AgencyId, GrantId, RequestId, ResourceNumber};
use crate::request::Request;

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT q.id, q.resource, q.consumer, q.state, q.version, q.file, q.written_by, q.submitted_by, \
             q.submitted_at, q.answered_by, q.answered_at, q.answer, q.grant_id FROM request q ",
            $tail
        )
    };
}

#[derive(FromRow)]
struct RequestRow {
    id: RequestId,
    resource: ResourceNumber,
    consumer: AgencyId,
    state: String,
    version: i32,
    file: String,
    written_by: AccountId,
    submitted_by: Option<AccountId>,
    submitted_at: Option<Time>,
    answered_by: Option<AccountId>,
    answered_at: Option<Time>,
    answer: Option<String>,
    grant_id: Option<GrantId>,
}

impl TryFrom<RequestRow> for Request {
    type Error = Refusal;
    fn try_from(row: RequestRow) -> Result<Self, Refusal> {
        Ok(Self {
            id: row.id,
            resource: row.resource,
            consumer: row.consumer,
            state: from_word(row.state)?,
            version: row.version,
            file: from_json(&row.file)?,
            written_by: row.written_by,
            submitted_by: row.submitted_by,
            submitted_at: row.submitted_at,
            answered_by: row.answered_by,
            answered_at: row.answered_at,
            answer: row.answer,
            grant: row.grant_id,
        })
    }
}

impl Session {
    pub async fn request(&mut self, id: RequestId) -> Result<Option<Request>, Refusal> {
        let row: Option<RequestRow> =
            on!(self, |conn| query_as(select!("WHERE q.id = $1")).bind(id).fetch_optional(conn))?;
        row.map(Request::try_from).transpose()
    }
}

impl Tx {
    pub async fn request_to_change(&mut self, id: RequestId) -> Result<Option<Request>, Refusal> {
        self.hold("SELECT 1 FROM request WHERE id = $1 FOR UPDATE", id).await?;
        self.request(id).await
    }

    pub async fn insert_request(&mut self, request: &Request, at: Time) -> Result<(), Refusal> {
        const INSERT: &str = "INSERT INTO request \
            (id, resource, consumer, state, version, file, written_by, created_at) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let (state, file) = (to_word(&request.state)?, to_json(&request.file)?);
        one(rows!(self, |conn| query(INSERT)
            .bind(request.id)
            .bind(request.resource)
            .bind(request.consumer)
            .bind(state.as_str())
            .bind(request.version)
            .bind(file.as_str())
            .bind(request.written_by)
            .bind(at)
            .execute(conn))?)
    }

    /// Saves a request read in this transaction; its `version` is one above what was read.
    pub async fn update_request(&mut self, request: &Request) -> Result<(), Refusal> {
        const UPDATE: &str = "UPDATE request SET version = $2, state = $3, file = $4, written_by = $5, \
            submitted_by = $6, submitted_at = $7, answered_by = $8, answered_at = $9, answer = $10, \
            grant_id = $11 WHERE id = $1 AND version = $2 - 1";
        let (state, file) = (to_word(&request.state)?, to_json(&request.file)?);
        let answer = request.answer.as_deref().map(checked).transpose()?;
        one(rows!(self, |conn| query(UPDATE)
            .bind(request.id)
            .bind(request.version)
            .bind(state.as_str())
            .bind(file.as_str())
            .bind(request.written_by)
            .bind(request.submitted_by)
            .bind(request.submitted_at)
            .bind(request.answered_by)
            .bind(request.answered_at)
            .bind(answer)
            .bind(request.grant)
            .execute(conn))?)
    }
}

impl Store {
    /// The requests an agency wrote or is asked by; of every agency with `None`.
    pub async fn requests(
        &self,
        of: Option<AgencyId>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Request>, Refusal> {
        const LIST: &str = select!(
            "JOIN resource r ON r.number = q.resource \
             WHERE ($1 IS NULL OR q.consumer = $1 OR (r.provider = $1 AND q.submitted_at IS NOT NULL)) \
             AND ($2 IS NULL OR q.id > $2) ORDER BY q.id LIMIT $3"
        );
        let after: Option<RequestId> = decode(after, |text| text.parse().ok())?;
        let mut session = self.read().await?;
        let (limit, most) = size(limit);
        let rows: Vec<RequestRow> =
            on!(session, |conn| query_as(LIST).bind(of).bind(after).bind(most).fetch_all(conn))?;
        let items = rows.into_iter().map(Request::try_from).collect::<Result<_, Refusal>>()?;
        Ok(Page::of(items, limit, |request: &Request| request.id.to_string()))
    }
}
