//! An owner is about to be given a page of its own records: its event comes first.

use super::act::Act;
use crate::audit::StewardRead;
use crate::error::Refusal;
use crate::store::Store;

pub async fn read_records(store: &Store, act: &Act<'_>, read: StewardRead) -> Result<(), Refusal> {
    let tx = store.begin_moving().await?;
    act.finish(tx, 200, read.resource, vec![read.into()]).await
}
