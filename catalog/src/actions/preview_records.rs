//! A sample of records is about to be shown: its event comes first.

use super::act::{Act, Begun};
use crate::audit::PreviewShown;
use crate::error::Refusal;
use crate::store::Store;

pub async fn preview_records(store: &Store, act: &Act<'_>, shown: PreviewShown) -> Result<(), Refusal> {
    match act.begin(store).await? {
        Begun::Fresh(tx) => act.finish(tx, 200, shown.resource, vec![shown.into()]).await,
        // Only under an idempotency key, and previews take none.
        Begun::Before(..) => Ok(()),
    }
}
