//! What the actions on settings share: who may set what, and the row that a setting is kept in.

use crate::actions::Act;
use crate::registry::{
    Owner, Subject, Wrong, by_revising, check_free, check_more_contexts, check_more_subjects, check_steward,
    check_writer,
};
use crate::store::Tx;

/// Whether the caller may set something of a subject or a context.
pub(super) async fn check(tx: &mut Tx, act: &Act<'_>, what: &'static str, at: &Subject) -> Result<(), Wrong> {
    at.check_setting()?;
    if at.is_context() {
        return check_steward(act.caller, what, at);
    }
    match tx.subject_row(at).await?.map(|row| row.owner) {
        Some(Owner::Resource(_)) => Err(by_revising(at)),
        Some(owner) => owner.check_write(act.caller, what, at),
        None => {
            check_free(&act.rules.topic_prefix, at)?;
            check_writer(act.caller, what, at)
        }
    }
}

/// Makes the row of a subject that has nothing yet, which is its agency's from now on, or of a context.
pub(super) async fn open(tx: &mut Tx, act: &Act<'_>, at: &Subject) -> Result<(), Wrong> {
    if at.is_context() {
        return Ok(tx.open_context(&at.context, act.caller.agency, act.now).await?);
    }
    if tx.subject_row(at).await?.is_some() {
        return Ok(());
    }
    open_subject(tx, act, at).await
}

/// A new subject, which is its agency's, in a context that is there or is opened with it.
pub(super) async fn open_subject(tx: &mut Tx, act: &Act<'_>, subject: &Subject) -> Result<(), Wrong> {
    check_more_subjects(tx.subjects_of(act.caller.agency).await?)?;
    let context = &subject.context;
    if !context.is_default() {
        let agency = act.caller.agency;
        if !tx.has_context(context).await? {
            check_more_contexts(act.caller, tx.contexts_of(agency).await?, subject)?;
        }
        tx.open_context(context, agency, act.now).await?;
    }
    Ok(tx.insert_subject(subject, act.caller.agency, act.now).await?)
}

/// Takes the row of a subject away that has nothing any more: its name is free again.
pub(super) async fn close(tx: &mut Tx, at: &Subject) -> Result<(), Wrong> {
    if at.is_context() {
        return Ok(());
    }
    let (row, set) = (tx.subject_row(at).await?, tx.set_of(at).await?);
    if row.is_some_and(|row| row.versions == 0) && set.config.is_none() && set.mode.is_none() {
        tx.remove_subject(at).await?;
    }
    Ok(())
}
