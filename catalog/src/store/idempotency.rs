//! Idempotency keys of publishes (protocol.md 5): a row is the hash, the batch that counts, how many records were set
//! aside, and the event; the receipt is made from these again.

use std::collections::BTreeMap;

use sqlx::{FromRow, QueryBuilder, query};

use super::dispatch::{all, on, rows};
use super::{Session, Store, Tx};
use crate::clock::Time;
use crate::error::{Code, Refusal};
use crate::ids::{AccountId, BatchId, EventId};
use crate::ports::Claim;

/// Account, action, object, key.
pub(super) type Scope = (AccountId, String, String, String);

pub(super) fn scope(claim: &Claim) -> Scope {
    (claim.account, claim.action.clone(), claim.object.clone(), claim.key.clone())
}

/// The text that the lock of a key is taken on.
pub(super) fn lock_text(claim: &Claim) -> String {
    format!("{} {} {} {}", claim.account, claim.action, claim.object, claim.key)
}

/// What counts under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    pub hash: [u8; 16],
    pub batch: BatchId,
    pub quarantined: i64,
    pub event: EventId,
}

#[derive(FromRow)]
struct Row {
    account: AccountId,
    action: String,
    object: String,
    claim_key: String,
    hash: Vec<u8>,
    batch: BatchId,
    quarantined: i64,
    event: EventId,
}

impl Session {
    pub(super) async fn claims(&mut self, scopes: &[Scope]) -> Result<BTreeMap<Scope, Stored>, Refusal> {
        if scopes.is_empty() {
            return Ok(BTreeMap::new());
        }
        let rows: Vec<Row> = on!(self, |conn| async {
            let mut select = QueryBuilder::new(
                "SELECT account, action, object, claim_key, hash, batch, quarantined, event FROM idempotency \
                 WHERE (account, action, object, claim_key) IN (",
            );
            select.push_values(scopes, |mut row, (account, action, object, key)| {
                row.push_bind(account).push_bind(action.as_str());
                row.push_bind(object.as_str()).push_bind(key.as_str());
            });
            select.push(")").build_query_as().fetch_all(conn).await
        })?;
        rows.into_iter()
            .map(|row| {
                let hash = <[u8; 16]>::try_from(row.hash).map_err(|_| super::error::internal())?;
                let stored =
                    Stored { hash, batch: row.batch, quarantined: row.quarantined, event: row.event };
                Ok(((row.account, row.action, row.object, row.claim_key), stored))
            })
            .collect()
    }
}

impl Tx {
    /// Under the locks of the keys, which were found free after them.
    pub(super) async fn keep_claims(
        &mut self,
        claims: &[(&Claim, Stored)],
        now: Time,
    ) -> Result<(), Refusal> {
        if claims.is_empty() {
            return Ok(());
        }
        let written = rows!(self, |conn| async {
            let mut insert = QueryBuilder::new(
                "INSERT INTO idempotency \
                 (account, action, object, claim_key, hash, at, batch, quarantined, event) ",
            );
            insert.push_values(claims, |mut row, (claim, stored)| {
                row.push_bind(claim.account).push_bind(claim.action.as_str());
                row.push_bind(claim.object.as_str()).push_bind(claim.key.as_str());
                row.push_bind(stored.hash.as_slice()).push_bind(now).push_bind(stored.batch);
                row.push_bind(stored.quarantined).push_bind(stored.event);
            });
            insert.build().execute(conn).await
        })?;
        all(written, claims.len())
    }
}

impl Store {
    /// Forgets the keys of publishes before `before`; answers how many.
    pub async fn forget_claims(&self, before: Time) -> Result<u64, Refusal> {
        let mut tx = self.begin().await?;
        const DELETE: &str = "DELETE FROM idempotency WHERE at < $1";
        let gone = rows!(tx, |conn| query(DELETE).bind(before).execute(conn))?;
        tx.finish().await?;
        Ok(gone)
    }
}

pub(super) fn reused() -> Refusal {
    Refusal::new(
        Code::IdempotencyKeyReused,
        "这个 Idempotency-Key 已用于另一批内容;请换一个新的",
        "this Idempotency-Key was used with another body; choose a new one",
    )
}
