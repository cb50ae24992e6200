//! The mode of a subject or of a context changes. Importing begins with nothing there, unless forced.

use super::delete_subject::check_unreferenced;
use super::delete_version::take_away;
use super::{begin_opening, named, setting};
use crate::actions::Act;
use crate::audit::{RegistryModeSet, SchemaDeleted, What};
use crate::registry::{Mode, Prefix, Subject, Wrong, check_steward};
use crate::store::{Store, Tx};

const WHAT: &str = "WriteSubjectMode";

/// `None` takes the mode away.
pub async fn set_mode(
    store: &Store,
    act: &Act<'_>,
    subject: &Subject,
    mode: Option<Mode>,
    force: bool,
) -> Result<(), Wrong> {
    let mut tx = begin_opening(store, &subject.context, act.caller.agency).await?;
    setting::check(&mut tx, act, WHAT, subject).await?;
    if let Some(mode) = mode {
        mode.check_place(subject)?;
    }
    let mut events = Vec::new();
    if mode.is_some_and(Mode::imports) {
        // Ids that come from elsewhere are taken from everybody's.
        check_steward(act.caller, WHAT, subject)?;
        if mode == Some(Mode::Import) && tx.mode_in_scope(subject).await? != Mode::Import && !force {
            clear(&mut tx, subject, &mut events).await?;
        }
    }
    setting::open(&mut tx, act, subject).await?;
    if subject.is_context() {
        tx.set_context_mode(&subject.context, mode).await?;
    } else {
        tx.set_subject_mode(subject, mode).await?;
        setting::close(&mut tx, subject).await?;
    }
    events.push(RegistryModeSet { subject: named(subject), mode }.into());
    act.finish(tx, 200, subject, events).await?;
    Ok(())
}

/// Takes away what was hidden; refuses if anything is not.
async fn clear(tx: &mut Tx, at: &Subject, events: &mut Vec<What>) -> Result<(), Wrong> {
    let prefix = Prefix { context: Some(at.context.clone()), name: at.name.clone() };
    let rows = tx.subject_rows(&prefix).await?;
    let within = rows.into_iter().filter(|row| at.is_context() || row.subject == *at);
    let within: Vec<_> = within.filter(|row| row.versions > 0).collect();
    if within.iter().any(|row| row.standing > 0) {
        return Err(Wrong::NotPermitted("Cannot import since found existing subjects".to_owned()));
    }
    for row in within.into_iter().filter(|row| row.owner.check_forgotten(&row.subject, true).is_ok()) {
        let versions = tx.versions_of(&row.subject).await?;
        check_unreferenced(tx, (&row.subject, Some(&row.owner)), &versions, true).await?;
        take_away(tx, &row.subject, &versions).await?;
        for some in versions.chunks(500) {
            let versions = some.iter().map(|one| one.version).collect();
            events.push(SchemaDeleted { subject: named(&row.subject), versions, permanent: true }.into());
        }
        if row.subject != *at {
            setting::close(tx, &row.subject).await?;
        }
    }
    Ok(())
}
