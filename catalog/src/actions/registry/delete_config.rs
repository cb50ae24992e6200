//! Settings of a subject or of a context are taken away; what stands above counts again.

use super::{begin, named, setting};
use crate::actions::Act;
use crate::audit::RegistryConfigured;
use crate::registry::{Config, Subject, Wrong};
use crate::store::Store;

/// Answers what was set; of the default context what counted there.
pub async fn delete_config(store: &Store, act: &Act<'_>, subject: &Subject) -> Result<Config, Wrong> {
    let mut tx = begin(store, &subject.context).await?;
    setting::check(&mut tx, act, "WriteSubjectConfig", subject).await?;
    tx.mode_in_scope(subject).await?.check_writable(subject)?;
    let Some(old) = tx.set_of(subject).await?.config else {
        if subject.is_context() && subject.context.is_default() {
            return Ok(tx.config_in_scope(subject).await?);
        }
        return Err(Wrong::SubjectNotFound(subject.to_string()));
    };
    if subject.is_context() {
        tx.set_context_config(&subject.context, None).await?;
    } else {
        tx.set_subject_config(subject, None).await?;
        setting::close(&mut tx, subject).await?;
    }
    let event = RegistryConfigured { subject: named(subject), file: None };
    act.finish(tx, 200, subject, vec![event.into()]).await?;
    Ok(old)
}
