//! All versions of a subject are hidden, or once hidden taken away for good, its settings with them.

use super::delete_version::{check_deletable, holds, take_away};
use super::{begin, named};
use crate::actions::Act;
use crate::audit::{SchemaDeleted, What};
use crate::registry::{Earlier, Owner, Subject, Wrong};
use crate::store::{Store, Tx};

/// Versions in one event: they fit into a body.
const MOST_IN_EVENT: usize = 500;

pub async fn delete_subject(
    store: &Store,
    act: &Act<'_>,
    subject: &Subject,
    permanent: bool,
) -> Result<Vec<i32>, Wrong> {
    let mut tx = begin(store, &subject.context).await?;
    let mut versions = tx.seen_versions(act.caller, subject, true).await?;
    if !permanent {
        versions.retain(|one| !one.deleted);
        if versions.is_empty() {
            return Err(Wrong::SubjectSoftDeleted(subject.to_string()));
        }
    }
    let owner = check_deletable(&mut tx, act, subject, permanent).await?;
    check_unreferenced(&mut tx, (subject, owner.as_ref()), &versions, permanent).await?;
    if permanent && versions.iter().any(|one| !one.deleted) {
        return Err(Wrong::SubjectNotSoftDeleted(subject.to_string()));
    }
    if permanent {
        take_away(&mut tx, subject, &versions).await?;
        tx.remove_subject(subject).await?;
    } else {
        for one in &versions {
            tx.hide_version(subject, one.version).await?;
        }
    }
    let numbers: Vec<i32> = versions.iter().map(|one| one.version).collect();
    let event = |versions: &[i32]| -> What {
        SchemaDeleted { subject: named(subject), versions: versions.to_vec(), permanent }.into()
    };
    let events = numbers.chunks(MOST_IN_EVENT).map(event).collect();
    act.finish(tx, 200, subject, events).await?;
    Ok(numbers)
}

/// Versions of the subject itself may refer to it: they go too.
pub(super) async fn check_unreferenced(
    tx: &mut Tx,
    (subject, owner): (&Subject, Option<&Owner>),
    versions: &[Earlier],
    permanent: bool,
) -> Result<(), Wrong> {
    for one in versions {
        for referrer in tx.referrers(subject, one.version).await? {
            let counts = referrer.subject != *subject && (permanent || !referrer.deleted);
            if counts && holds(tx, owner, &referrer.subject).await? {
                return Err(Wrong::Referenced(subject.to_string(), one.version));
            }
        }
    }
    Ok(())
}
