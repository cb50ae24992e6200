//! Numbers given in the creating transaction: one counter each for resources, grants and schema ids, one per class.

use sqlx::query_scalar;

use super::Tx;
use super::dispatch::on;
use crate::error::Refusal;

const NEXT: &str = "INSERT INTO counter (name, value) VALUES ($1, 1) \
    ON CONFLICT (name) DO UPDATE SET value = counter.value + 1 RETURNING value";

impl Tx {
    /// The next number, from 1. A second transaction that wants one of the same counter waits for this one.
    pub(crate) async fn next_number(&mut self, counter: &str) -> Result<i64, Refusal> {
        on!(self, |conn| query_scalar(NEXT).bind(counter).fetch_one(conn))
    }
}
