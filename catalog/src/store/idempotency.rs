//! Idempotency keys of publishes (protocol.md 5): a row is the hash, the batch that counts, how many records were set
//! aside, and the event; the receipt is made from these again.

use std::collections::BTreeMap;

use sqlx::{FromRow, PgConnection, QueryBuilder, query, query_as};
use uuid::Uuid;

use super::asking::Asked;
use super::dispatch::{Conn, all, rows, within};
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

// On PostgreSQL a group's keys are bound as one array a column: one statement for groups of every size, planned once,
// where a list of 256 rows would be read and planned anew each time. SQLite has no arrays and needs none. LIMIT: each key
// is looked up by itself, also in a table that was never analysed.
const SELECT_ARRAYS: &str = "SELECT i.account, i.action, i.object, i.claim_key, i.hash, i.batch, i.quarantined, i.event \
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS v(account, action, object, claim_key) \
    CROSS JOIN LATERAL (SELECT * FROM idempotency i WHERE i.account = v.account AND i.action = v.action \
    AND i.object = v.object AND i.claim_key = v.claim_key LIMIT 1) i";
const INSERT_ARRAYS: &str = "INSERT INTO idempotency \
    (at, account, action, object, claim_key, hash, batch, quarantined, event) \
    SELECT $1::timestamptz, * FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::uuid[], \
    $8::bigint[], $9::uuid[])";

async fn insert_arrays(
    conn: &mut PgConnection,
    claims: &[(&Claim, Stored)],
    now: Time,
) -> Result<u64, sqlx::Error> {
    let claimed = || claims.iter().map(|(claim, _)| claim);
    let stored = || claims.iter().map(|(_, stored)| stored);
    let done = query(INSERT_ARRAYS)
        .bind(now)
        .bind(claimed().map(|claim| claim.account.0).collect::<Vec<Uuid>>())
        .bind(claimed().map(|claim| claim.action.as_str()).collect::<Vec<_>>())
        .bind(claimed().map(|claim| claim.object.as_str()).collect::<Vec<_>>())
        .bind(claimed().map(|claim| claim.key.as_str()).collect::<Vec<_>>())
        .bind(stored().map(|stored| stored.hash.to_vec()).collect::<Vec<_>>())
        .bind(stored().map(|stored| stored.batch.0).collect::<Vec<Uuid>>())
        .bind(stored().map(|stored| stored.quarantined).collect::<Vec<_>>())
        .bind(stored().map(|stored| stored.event.0).collect::<Vec<Uuid>>())
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}

impl Asked for Scope {
    type Found = Stored;

    async fn look_up(session: &mut Session, scopes: &[Self]) -> Result<BTreeMap<Self, Stored>, Refusal> {
        session.claims(scopes).await
    }
}

impl Session {
    pub(super) async fn claims(&mut self, scopes: &[Scope]) -> Result<BTreeMap<Scope, Stored>, Refusal> {
        if scopes.is_empty() {
            return Ok(BTreeMap::new());
        }
        let rows: Vec<Row> = match self.conn() {
            Conn::Sqlite(conn) => {
                let mut select = QueryBuilder::new(
                    "SELECT account, action, object, claim_key, hash, batch, quarantined, event \
                     FROM idempotency WHERE (account, action, object, claim_key) IN (",
                );
                // Few lengths of the list are few statements to prepare; the last key is asked for again instead.
                let last = scopes.len() - 1;
                let padded = (0..scopes.len().next_power_of_two()).map(|at| &scopes[at.min(last)]);
                select.push_values(padded, |mut row, (account, action, object, key)| {
                    row.push_bind(account).push_bind(action.as_str());
                    row.push_bind(object.as_str()).push_bind(key.as_str());
                });
                within(select.push(")").build_query_as().fetch_all(conn)).await?
            }
            Conn::Postgres(conn) => {
                let accounts: Vec<Uuid> = scopes.iter().map(|scope| scope.0.0).collect();
                let actions: Vec<&str> = scopes.iter().map(|scope| scope.1.as_str()).collect();
                let objects: Vec<&str> = scopes.iter().map(|scope| scope.2.as_str()).collect();
                let keys: Vec<&str> = scopes.iter().map(|scope| scope.3.as_str()).collect();
                let select = query_as(SELECT_ARRAYS).bind(accounts).bind(actions).bind(objects).bind(keys);
                within(select.fetch_all(conn)).await?
            }
        };
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
        let written = match self.conn() {
            Conn::Sqlite(conn) => {
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
                within(insert.build().execute(conn)).await?.rows_affected()
            }
            Conn::Postgres(conn) => within(insert_arrays(conn, claims, now)).await?,
        };
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

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, query_scalar, raw_sql};

    use super::super::testing::on_postgres;
    use super::*;

    async fn run(session: &mut Session, sql: String) {
        let Conn::Postgres(conn) = session.conn() else { panic!("not PostgreSQL") };
        raw_sql(AssertSqlSafe(sql)).execute(conn).await.unwrap();
    }

    async fn fill(session: &mut Session, keys: std::ops::Range<u32>) {
        let (first, last) = (keys.start, keys.end - 1);
        let insert = format!(
            "INSERT INTO idempotency SELECT gen_random_uuid(), 'publish', '1', n::text, '\\x00', now(), \
             gen_random_uuid(), 0, gen_random_uuid() FROM generate_series({first}, {last}) n"
        );
        run(session, insert).await;
    }

    /// What a server does that runs on: nothing it learned of the table while it was small makes it read all of it later.
    async fn after(mut session: Session, begin: &str) {
        run(&mut session, "TRUNCATE idempotency".to_owned()).await;
        fill(&mut session, 0..20).await;
        for statement in begin.split("; ") {
            run(&mut session, statement.to_owned()).await;
        }
        let asked =
            |key: u32| (AccountId(Uuid::nil()), "publish".to_owned(), "1".to_owned(), key.to_string());
        for key in 0..10 {
            assert!(session.claims(&[asked(key)]).await.unwrap().is_empty());
        }
        fill(&mut session, 20..20_000).await;
        // Within one transaction nothing of it is put away.
        run(&mut session, "BEGIN".to_owned()).await;
        let before = read_in_a_row(&mut session).await;
        session.claims(&[asked(1), asked(2)]).await.unwrap();
        let rows = read_in_a_row(&mut session).await - before;
        assert_eq!(rows, 0, "rows read one after the other, after: {begin}");
        run(&mut session, "ROLLBACK".to_owned()).await;
    }

    /// Rows that this connection has read without an index, as far as the server has not put them with all others'.
    async fn read_in_a_row(session: &mut Session) -> i64 {
        let Conn::Postgres(conn) = session.conn() else { panic!("not PostgreSQL") };
        let read = "SELECT pg_stat_get_xact_tuples_returned('idempotency'::regclass)";
        query_scalar(read).fetch_one(conn).await.unwrap()
    }

    #[tokio::test]
    async fn keys_are_looked_up_by_the_index_whatever_the_table_was_when_it_was_asked_first() {
        for begin in
            ["SELECT 1", "ANALYZE idempotency", "DELETE FROM idempotency; VACUUM ANALYZE idempotency"]
        {
            on_postgres(async |store| {
                after(store.read_for_all().await.unwrap(), begin).await;
                after(store.committing().read().await.unwrap(), begin).await;
            })
            .await;
        }
    }
}
