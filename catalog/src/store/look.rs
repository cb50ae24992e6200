//! A look at a database without changing it, for `changtong doctor`.

use super::{Store, StoreConfig};
use crate::clock::Time;
use crate::error::Refusal;

/// What a look found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// `sqlite` or `postgres`.
    pub engine: &'static str,
    /// The store's time.
    pub now: Time,
}

impl Store {
    /// Opens the database, asks it the time, closes it. A file that is not there is made by the first server, so look
    /// only at one that is.
    pub async fn look(config: &StoreConfig) -> Result<Look, Refusal> {
        let store = Self::connect(config).await?;
        let now = store.now().await;
        let look = now.map(|now| Look { engine: store.engine(), now });
        store.close().await;
        look
    }
}
