//! When keys were last used: noted in memory by every call, written by a job, so that a read costs no write.

use std::collections::BTreeMap;

use changtong_catalog::clock::Time;
use changtong_catalog::error::Refusal;
use changtong_catalog::ids::KeyId;
use changtong_catalog::store::Store;
use parking_lot::Mutex;

#[derive(Debug, Default)]
pub struct Uses(Mutex<BTreeMap<KeyId, Time>>);

impl Uses {
    pub fn note(&self, key: &KeyId, at: Time) {
        let mut uses = self.0.lock();
        match uses.get_mut(key) {
            Some(latest) => *latest = at.max(*latest),
            None => {
                uses.insert(key.clone(), at);
            }
        }
    }

    /// Writes what was noted; what fails is noted again.
    pub async fn write(&self, store: &Store) -> Result<(), Refusal> {
        let uses = std::mem::take(&mut *self.0.lock());
        if uses.is_empty() {
            return Ok(());
        }
        let written = async {
            let mut tx = store.begin().await?;
            for (key, at) in &uses {
                tx.key_used(key, *at).await?;
            }
            tx.finish().await
        };
        let result = written.await;
        if result.is_err() {
            for (key, at) in &uses {
                self.note(key, *at);
            }
        }
        result
    }
}
