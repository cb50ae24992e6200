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
        #[cfg(feature = "testing")]
        let now =
            now + chrono::TimeDelta::milliseconds(self.shifted.load(std::sync::atomic::Ordering::Relaxed));
        Ok(to_micros(now))
    }

    /// From here on its clock is so far from its engine's: a test's way to move the clock of a database.
    #[cfg(feature = "testing")]
    pub fn shift_time(&self, by: chrono::TimeDelta) {
        self.shifted.store(by.num_milliseconds(), std::sync::atomic::Ordering::Relaxed);
    }
}
