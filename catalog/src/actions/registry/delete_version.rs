//! A version is hidden, or once hidden taken away for good; its id is not given again.

use super::{begin, named};
use crate::actions::Act;
use crate::audit::SchemaDeleted;
use crate::error::Refusal;
use crate::registry::{Earlier, Owner, Subject, VersionId, Wrong};
use crate::store::{Store, Tx};

pub async fn delete_version(
    store: &Store,
    act: &Act<'_>,
    subject: &Subject,
    version: VersionId,
    permanent: bool,
) -> Result<i32, Wrong> {
    let mut tx = begin(store, &subject.context).await?;
    let versions = tx.seen_versions(act.caller, subject, true).await?;
    let owner = check_deletable(&mut tx, act, subject, permanent).await?;
    let found = match version {
        VersionId::Latest => versions.iter().rfind(|one| !one.deleted),
        VersionId::Number(number) => versions.iter().find(|one| one.version == number),
    };
    let found = *found.ok_or(Wrong::VersionNotFound(version.number()))?;
    match (permanent, found.deleted) {
        (false, true) => return Err(Wrong::VersionSoftDeleted(subject.to_string(), found.version)),
        (true, false) => return Err(Wrong::VersionNotSoftDeleted(subject.to_string(), found.version)),
        _ => {}
    }
    for referrer in tx.referrers(subject, found.version).await? {
        if (permanent || !referrer.deleted) && holds(&mut tx, owner.as_ref(), &referrer.subject).await? {
            return Err(Wrong::Referenced(subject.to_string(), found.version));
        }
    }
    if permanent {
        take_away(&mut tx, subject, &[found]).await?;
        if versions.len() == 1 {
            tx.remove_subject(subject).await?;
        }
    } else {
        tx.hide_version(subject, found.version).await?;
    }
    let event = SchemaDeleted { subject: named(subject), versions: vec![found.version], permanent };
    act.finish(tx, 200, found.version, vec![event.into()]).await?;
    Ok(found.version)
}

/// Whether the caller may delete of a subject it sees, and the subject lets itself be changed.
pub(super) async fn check_deletable(
    tx: &mut Tx,
    act: &Act<'_>,
    subject: &Subject,
    permanent: bool,
) -> Result<Option<Owner>, Wrong> {
    let owner = tx.subject_row(subject).await?.map(|row| row.owner);
    if let Some(owner) = &owner {
        owner.check_write(act.caller, "Delete", subject)?;
        owner.check_forgotten(subject, permanent)?;
    }
    tx.mode_in_scope(subject).await?.check_writable(subject)?;
    Ok(owner)
}

/// Whether a subject that refers to another keeps that one from being deleted. Of a resource only its own agency's do: it
/// is seen by all, and never goes for good, so whoever refers to it can still be read.
pub(super) async fn holds(tx: &mut Tx, owner: Option<&Owner>, referrer: &Subject) -> Result<bool, Refusal> {
    let Some(of) = owner.and_then(Owner::resource) else { return Ok(true) };
    let other = tx.subject_row(referrer).await?.map(|row| row.owner);
    Ok(other == Some(Owner::Agency(of.provider)))
}

/// Versions that were hidden, and the schemas that nothing has any more.
pub(super) async fn take_away(tx: &mut Tx, subject: &Subject, versions: &[Earlier]) -> Result<(), Wrong> {
    for one in versions {
        tx.remove_version(subject, one.version).await?;
    }
    for one in versions {
        tx.forget_schema(&subject.context, one.id).await?;
    }
    Ok(())
}
