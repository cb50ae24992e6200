//! Settings of a subject or of a context change: what a request names is set, or taken away by `null`.

use serde_json::{Map, Value};

use super::{begin_opening, named, setting};
use crate::actions::Act;
use crate::audit::{Digest, RegistryConfigured};
use crate::registry::{Config, Subject, Wrong};
use crate::store::Store;

pub async fn set_config(
    store: &Store,
    act: &Act<'_>,
    subject: &Subject,
    request: &Map<String, Value>,
) -> Result<Config, Wrong> {
    let mut tx = begin_opening(store, &subject.context, act.caller.agency).await?;
    setting::check(&mut tx, act, "WriteSubjectConfig", subject).await?;
    tx.mode_in_scope(subject).await?.check_writable(subject)?;
    let config = tx.set_of(subject).await?.config.unwrap_or_default().updated(request)?;
    setting::open(&mut tx, act, subject).await?;
    if subject.is_context() {
        tx.set_context_config(&subject.context, Some(&config)).await?;
    } else {
        tx.set_subject_config(subject, Some(&config)).await?;
    }
    let event = RegistryConfigured { subject: named(subject), file: Some(Digest::of_file(&config)?) };
    act.finish(tx, 200, subject, vec![event.into()]).await?;
    Ok(config)
}
