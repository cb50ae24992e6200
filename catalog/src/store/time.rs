//! Store time (protocol.md 10): asked at start and every 10 seconds, never by rules.

use sqlx::query_scalar;

use super::Store;
use super::dispatch::{Conn, within};
use crate::clock::{Time, to_micros};
use crate::error::Refusal;

impl Store {
    /// The time of the store, by one query: of the database server, or of this machine where the store is a file.
    pub async fn now(&self) -> Result<Time, Refusal> {
        let mut session = self.read().await?;
        let now: Time = match session.conn() {
            Conn::Sqlite(conn) => {
                within(query_scalar("SELECT strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')").fetch_one(conn))
                    .await?
            }
            Conn::Postgres(conn) => within(query_scalar("SELECT clock_timestamp()").fetch_one(conn)).await?,
        };
        Ok(to_micros(now))
    }
}
