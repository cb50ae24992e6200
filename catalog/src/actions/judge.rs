//! Changed items judged before anything is locked, as that takes the longer the more grants and versions there are; what
//! was found counts under the lock if nothing changed that it rests on.

use super::act::Act;
use crate::error::Refusal;
use crate::ids::ResourceCode;
use crate::resource::lifecycle::{self, Act as Step};
use crate::resource::{Item, Resource, ResourceFile, check};
use crate::store::{Judged, Store, Tx};

/// Judges the file that the step would put in the place of the entry's, or propose. `None` where there is nothing to
/// judge or what is wrong is the step's to say.
pub(super) async fn foresee(
    store: &Store,
    act: &Act<'_>,
    code: &ResourceCode,
    step: Step,
    file: impl FnOnce(&Resource) -> Option<ResourceFile>,
) -> Result<Option<Judged>, Refusal> {
    let mut session = store.read().await?;
    let Some(number) = session.resource_number(code).await? else { return Ok(None) };
    let Some(entry) = session.resource(number).await? else { return Ok(None) };
    let may = lifecycle::may(act.caller, &entry, step, act.rules.four_eyes);
    if may.is_err() || entry.schema.is_none() {
        return Ok(None);
    }
    let Some(file) = file(&entry).filter(|file| file.items != entry.file.items) else { return Ok(None) };
    if check::check_revision(&entry, &file).is_err() {
        return Ok(None);
    }
    session.judge(&entry, &file.items, act.now).await.map(Some)
}

/// What was foreseen of these items, or judged anew where something changed since.
pub(super) async fn judge(
    tx: &mut Tx,
    act: &Act<'_>,
    entry: &Resource,
    items: &[Item],
    foreseen: Option<Judged>,
) -> Result<Judged, Refusal> {
    let footing = tx.footing(entry.number).await?;
    match foreseen.filter(|judged| judged.footing == footing) {
        Some(judged) => Ok(judged),
        None => tx.judge(entry, items, act.now).await,
    }
}
