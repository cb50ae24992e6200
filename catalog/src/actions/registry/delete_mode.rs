//! The mode of a subject or of a context is taken away; of a context, if asked, of everything in it too.

use super::{begin, named, setting};
use crate::actions::Act;
use crate::audit::{RegistryModeSet, What};
use crate::registry::{Mode, Subject, Wrong};
use crate::store::{Store, Tx};

/// Answers what was set; of the default context what counted there.
pub async fn delete_mode(
    store: &Store,
    act: &Act<'_>,
    subject: &Subject,
    recursive: bool,
) -> Result<Option<Mode>, Wrong> {
    let mut tx = begin(store, &subject.context).await?;
    setting::check(&mut tx, act, "WriteSubjectMode", subject).await?;
    let old = tx.set_of(subject).await?.mode;
    let counted = subject.is_context() && subject.context.is_default();
    if old.is_none() && !recursive && !counted {
        return Err(Wrong::SubjectNotFound(subject.to_string()));
    }
    let mut events = Vec::new();
    if old.is_some() {
        unset(&mut tx, subject, &mut events).await?;
    }
    if recursive && subject.is_context() {
        for within in tx.subjects_with_mode(&subject.context).await? {
            unset(&mut tx, &within, &mut events).await?;
        }
    }
    let answer = match old {
        None if counted => Some(Mode::default()),
        old => old,
    };
    act.finish(tx, 200, subject, events).await?;
    Ok(answer)
}

async fn unset(tx: &mut Tx, at: &Subject, events: &mut Vec<What>) -> Result<(), Wrong> {
    if at.is_context() {
        tx.set_context_mode(&at.context, None).await?;
    } else {
        tx.set_subject_mode(at, None).await?;
        setting::close(tx, at).await?;
    }
    events.push(RegistryModeSet { subject: named(at), mode: None }.into());
    Ok(())
}
