//! What an action answered under an idempotency key (protocol.md 5): its status and object, never the answer itself.

use sqlx::{FromRow, query, query_as};

use super::dispatch::{on, one, rows};
use super::error::internal;
use super::{LockClass, Store, Tx};
use crate::clock::Time;
use crate::error::{Code, Refusal};
use crate::ports::Claim;

/// What the first request with this key did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredResult {
    pub status: u16,
    /// Id, number or code of the object, from which the answer is made again.
    pub object: String,
}

#[derive(FromRow)]
struct ResultRow {
    hash: Vec<u8>,
    status: i32,
    object: String,
}

impl Tx {
    /// Holds the key until the transaction ends, and answers what an earlier request with it did.
    pub async fn claim(&mut self, claim: &Claim) -> Result<Option<StoredResult>, Refusal> {
        let scope = format!("{} {} {} {}", claim.account, claim.action, claim.object, claim.key);
        self.lock_exclusive(LockClass::Idempotency, scope).await.map_err(still_running)?;
        const SELECT: &str = "SELECT hash, status, object FROM action_result \
            WHERE account = $1 AND action = $2 AND scope = $3 AND key = $4";
        let row: Option<ResultRow> = on!(self, |conn| query_as(SELECT)
            .bind(claim.account)
            .bind(claim.action.as_str())
            .bind(claim.object.as_str())
            .bind(claim.key.as_str())
            .fetch_optional(conn))?;
        let Some(row) = row else { return Ok(None) };
        if row.hash != claim.hash {
            return Err(Refusal::new(
                Code::IdempotencyKeyReused,
                "这个 Idempotency-Key 已用于另一个请求;请换一个新的",
                "this Idempotency-Key was used with another request; choose a new one",
            ));
        }
        let status = u16::try_from(row.status).map_err(|_| internal())?;
        Ok(Some(StoredResult { status, object: row.object }))
    }

    /// Keeps what was done under a claimed key.
    pub async fn keep_result(
        &mut self,
        claim: &Claim,
        result: &StoredResult,
        at: Time,
    ) -> Result<(), Refusal> {
        const INSERT: &str = "INSERT INTO action_result \
            (account, action, scope, key, hash, status, object, created_at) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        one(rows!(self, |conn| query(INSERT)
            .bind(claim.account)
            .bind(claim.action.as_str())
            .bind(claim.object.as_str())
            .bind(claim.key.as_str())
            .bind(&claim.hash[..])
            .bind(i32::from(result.status))
            .bind(result.object.as_str())
            .bind(at)
            .execute(conn))?)
    }
}

impl Store {
    /// Forgets results older than the time a key is kept; answers how many.
    pub async fn drop_results(&self, before: Time) -> Result<u64, Refusal> {
        let mut tx = self.begin().await?;
        const DROP: &str = "DELETE FROM action_result WHERE created_at < $1";
        let dropped = rows!(tx, |conn| query(DROP).bind(before).execute(conn))?;
        tx.finish().await?;
        Ok(dropped)
    }
}

/// The only wait for a key is for the request that runs under it.
fn still_running(refusal: Refusal) -> Refusal {
    if refusal.code != Code::StoreUnavailable {
        return refusal;
    }
    Refusal::new(
        Code::IdempotencyInProgress,
        "同一 Idempotency-Key 的请求仍在处理;请稍后以同样的请求重试",
        "a request with this Idempotency-Key is still running; send the same request again in a moment",
    )
    .retry_after(std::time::Duration::from_secs(1))
}
