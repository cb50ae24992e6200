//! Numbers given in the creating transaction: one counter each for resources, grants and schema ids, one per class.

use sqlx::{query, query_scalar};

use super::dispatch::{on, one, rows};
use super::{Session, Tx};
use crate::error::Refusal;

const NEXT: &str = "INSERT INTO counter (name, value) VALUES ($1, 1) \
    ON CONFLICT (name) DO UPDATE SET value = counter.value + 1 RETURNING value";

/// Where a context without ids begins: 0, or what contexts that an older store lacks may have given out.
const FLOOR: &str = "schema_floor";
const NEXT_ID: &str = "INSERT INTO counter (name, value) \
    VALUES ($1, COALESCE((SELECT value FROM counter WHERE name = $2), 0) + 1) \
    ON CONFLICT (name) DO UPDATE SET value = counter.value + 1 RETURNING value";

/// How far the ids of every context are raised where the store was put back: what was given out since the backup and lies
/// in no topic of the bus is known to nobody here.
pub const IDS_AHEAD: i64 = 10_000;

impl Tx {
    /// The next number, from 1. A second transaction that wants one of the same counter waits for this one.
    pub(crate) async fn next_number(&mut self, counter: &str) -> Result<i64, Refusal> {
        on!(self, |conn| query_scalar(NEXT).bind(counter).fetch_one(conn))
    }

    /// The next schema id of a context, by the name of its counter.
    pub(crate) async fn next_schema_id(&mut self, counter: &str) -> Result<i64, Refusal> {
        on!(self, |conn| query_scalar(NEXT_ID).bind(counter).bind(FLOOR).fetch_one(conn))
    }

    /// At least so much, and where the context begins.
    pub(crate) async fn raise_schema_id(&mut self, counter: &str, least: i64) -> Result<(), Refusal> {
        let floor = self.number_given(FLOOR).await?;
        self.raise_number(counter, least.max(floor)).await
    }

    pub(crate) async fn raise_number(&mut self, counter: &str, least: i64) -> Result<(), Refusal> {
        const RAISE: &str = "INSERT INTO counter (name, value) VALUES ($1, $2) \
            ON CONFLICT (name) DO UPDATE SET value = CASE WHEN counter.value < excluded.value \
            THEN excluded.value ELSE counter.value END";
        one(rows!(self, |conn| query(RAISE).bind(counter).bind(least).execute(conn))?)
    }

    /// Of every context, those that come later included.
    pub(super) async fn raise_all_schema_ids(&mut self) -> Result<(), Refusal> {
        const RAISE: &str =
            "UPDATE counter SET value = value + $1 WHERE name = 'schema' OR name LIKE 'schema:%'";
        rows!(self, |conn| query(RAISE).bind(IDS_AHEAD).execute(conn))?;
        let floor = self.number_given(FLOOR).await?;
        self.raise_number(FLOOR, floor + IDS_AHEAD).await
    }
}

impl Session {
    /// The largest number given of a kind.
    pub(crate) async fn number_given(&mut self, counter: &str) -> Result<i64, Refusal> {
        const SELECT: &str = "SELECT value FROM counter WHERE name = $1";
        let found: Option<i64> = on!(self, |conn| query_scalar(SELECT).bind(counter).fetch_optional(conn))?;
        Ok(found.unwrap_or(0))
    }
}
