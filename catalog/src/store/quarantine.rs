//! The index of records set aside (protocol.md 2): written in the commit of their attempt; the bytes are in the log.

use sqlx::{FromRow, QueryBuilder, query};

use super::dispatch::{all, on, one, rows};
use super::document::{from_word, to_word};
use super::ledger::not_waiting;
use super::{Session, Store, Tx};
use crate::account::Caller;
use crate::audit::{Event, QuarantineDiscarded, QuarantineShown};
use crate::clock::{Ids, Time};
use crate::error::Refusal;
use crate::ids::{AccountId, AgencyId, BatchId, EventId, Generation, QuarantineId, ResourceNumber};
use crate::ports::{Attempt, QuarantinedRecord};

/// What became of a record set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuarantineState {
    Waiting,
    Replayed,
    Discarded,
}

/// A row of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineEntry {
    pub id: QuarantineId,
    pub resource: ResourceNumber,
    pub generation: Generation,
    /// Who published it.
    pub agency: AgencyId,
    pub account: AccountId,
    pub batch: BatchId,
    pub partition: i32,
    pub offset: i64,
    /// A word of the closed list of error codes.
    pub code: String,
    pub path: String,
    pub reason_zh: String,
    pub reason_en: String,
    pub at: Time,
    pub state: QuarantineState,
    pub replayed_as: Option<BatchId>,
    /// Its record in the log bears its id; those of earlier versions do not.
    pub marked: bool,
}

#[derive(FromRow)]
struct Row {
    id: QuarantineId,
    resource: ResourceNumber,
    generation: Generation,
    agency: AgencyId,
    account: AccountId,
    batch: BatchId,
    part: i32,
    log_offset: i64,
    code: String,
    path: String,
    reason_zh: String,
    reason_en: String,
    at: Time,
    state: String,
    replayed_as: Option<BatchId>,
    marked: bool,
}

impl TryFrom<Row> for QuarantineEntry {
    type Error = Refusal;
    fn try_from(row: Row) -> Result<Self, Refusal> {
        Ok(Self {
            id: row.id,
            resource: row.resource,
            generation: row.generation,
            agency: row.agency,
            account: row.account,
            batch: row.batch,
            partition: row.part,
            offset: row.log_offset,
            code: row.code,
            path: row.path,
            reason_zh: row.reason_zh,
            reason_en: row.reason_en,
            at: row.at,
            state: from_word(row.state)?,
            replayed_as: row.replayed_as,
            marked: row.marked,
        })
    }
}

const SELECT: &str = "SELECT id, resource, generation, agency, account, batch, part, log_offset, code, path, \
    reason_zh, reason_en, at, state, replayed_as, marked FROM quarantine WHERE ";

/// Rows of one INSERT: far below the parameters that either engine takes.
const ROWS: usize = 500;

impl Session {
    pub async fn quarantined(&mut self, id: QuarantineId) -> Result<Option<QuarantineEntry>, Refusal> {
        let row: Option<Row> = on!(self, |conn| async {
            let mut select = QueryBuilder::new(SELECT);
            select.push("id = ").push_bind(id).build_query_as().fetch_optional(conn).await
        })?;
        row.map(QuarantineEntry::try_from).transpose()
    }
}

impl Tx {
    pub(super) async fn insert_quarantined(
        &mut self,
        records: &[(&Attempt, &QuarantinedRecord)],
        now: Time,
    ) -> Result<(), Refusal> {
        let waiting = to_word(&QuarantineState::Waiting)?;
        for chunk in records.chunks(ROWS) {
            let written = rows!(self, |conn| async {
                let mut insert = QueryBuilder::new(
                    "INSERT INTO quarantine (id, resource, generation, agency, account, batch, part, \
                     log_offset, code, path, reason_zh, reason_en, at, state, marked) ",
                );
                insert.push_values(chunk, |mut row, (attempt, record)| {
                    row.push_bind(record.id).push_bind(attempt.resource).push_bind(attempt.generation);
                    row.push_bind(attempt.caller.agency).push_bind(attempt.caller.account);
                    row.push_bind(attempt.batch).push_bind(record.partition).push_bind(record.offset);
                    row.push_bind(record.code.as_str()).push_bind(storable(&record.path));
                    row.push_bind(storable(&record.reason_zh)).push_bind(storable(&record.reason_en));
                    row.push_bind(now).push_bind(waiting.as_str()).push_bind(true);
                });
                insert.build().execute(conn).await
            })?;
            all(written, chunk.len())?;
        }
        Ok(())
    }

    /// A record that waits, held until the transaction ends.
    pub(super) async fn quarantined_to_decide(
        &mut self,
        id: QuarantineId,
    ) -> Result<Option<QuarantineEntry>, Refusal> {
        self.hold("SELECT 1 FROM quarantine WHERE id = $1 FOR UPDATE", id).await?;
        let entry = self.quarantined(id).await?;
        Ok(entry.filter(|entry| entry.state == QuarantineState::Waiting))
    }

    pub(super) async fn decide_quarantined(
        &mut self,
        id: QuarantineId,
        state: QuarantineState,
        replayed_as: Option<BatchId>,
    ) -> Result<(), Refusal> {
        const UPDATE: &str =
            "UPDATE quarantine SET state = $1, replayed_as = $2 WHERE id = $3 AND state = $4";
        let (state, waiting) = (to_word(&state)?, to_word(&QuarantineState::Waiting)?);
        let met = rows!(self, |conn| query(UPDATE)
            .bind(state.as_str())
            .bind(replayed_as)
            .bind(id)
            .bind(waiting.as_str())
            .execute(conn))?;
        if met == 0 {
            return Err(not_waiting());
        }
        one(met)
    }
}

/// A path may quote a name from the sender's record; U+0000 cannot be kept in a text.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

impl Store {
    /// The records of a resource that were set aside, oldest first; of every state with `None`.
    pub async fn quarantine(
        &self,
        resource: ResourceNumber,
        state: Option<QuarantineState>,
        after: Option<QuarantineId>,
        limit: i64,
    ) -> Result<Vec<QuarantineEntry>, Refusal> {
        let state = state.as_ref().map(to_word).transpose()?;
        let mut session = self.read().await?;
        let rows: Vec<Row> = on!(session, |conn| async {
            let mut select = QueryBuilder::new(SELECT);
            select.push("resource = ").push_bind(resource);
            if let Some(after) = after {
                select.push(" AND id > ").push_bind(after);
            }
            if let Some(state) = &state {
                select.push(" AND state = ").push_bind(state.as_str());
            }
            select.push(" ORDER BY id LIMIT ").push_bind(limit).build_query_as().fetch_all(conn).await
        })?;
        rows.into_iter().map(QuarantineEntry::try_from).collect()
    }

    /// Records that its bytes were shown to a steward.
    pub async fn show_quarantined(
        &self,
        caller: &Caller,
        entry: &QuarantineEntry,
        now: Time,
        ids: &dyn Ids,
    ) -> Result<(), Refusal> {
        let what = QuarantineShown { quarantine: entry.id, resource: entry.resource };
        let mut tx = self.begin().await?;
        tx.record(&Event::new(EventId(ids.uuid(now)), now, caller, what)).await?;
        tx.finish().await
    }

    pub async fn discard_quarantined(
        &self,
        caller: &Caller,
        entry: &QuarantineEntry,
        now: Time,
        ids: &dyn Ids,
    ) -> Result<(), Refusal> {
        let mut tx = self.begin().await?;
        tx.decide_quarantined(entry.id, QuarantineState::Discarded, None).await?;
        let what = QuarantineDiscarded { quarantine: entry.id, resource: entry.resource };
        tx.record(&Event::new(EventId(ids.uuid(now)), now, caller, what)).await?;
        tx.finish().await
    }
}
