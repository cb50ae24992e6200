//! Whether a schema could follow what a subject has, without registering it.

use super::prepare::{How, Sent, broken};
use super::resource_schema;
use crate::actions::Act;
use crate::compat::Work;
use crate::registry::{Candidate, Owner, Subject, VersionId, Wrong};
use crate::store::Store;

/// What a schema is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// What the level says.
    All,
    Version(VersionId),
}

/// Why it could not; nothing if it could.
pub async fn check_compatibility(
    store: &Store,
    act: &Act<'_>,
    subject: &Subject,
    candidate: &Candidate,
    against: Against,
    normalize: bool,
) -> Result<Vec<String>, Wrong> {
    candidate.check()?;
    let mut session = store.read().await?;
    let row = session.subject_row(subject).await?.filter(|row| row.owner.is_seen_by(act.caller));
    let mut versions = match &row {
        Some(_) => session.versions_of(subject).await?,
        None => Vec::new(),
    };
    versions.retain(|one| !one.deleted);
    match against {
        Against::All => {}
        Against::Version(VersionId::Latest) => versions = versions.pop().into_iter().collect(),
        Against::Version(VersionId::Number(number)) => {
            versions.retain(|one| one.version == number);
            if versions.is_empty() {
                return Err(Wrong::VersionNotFound(number));
            }
        }
    }
    if !candidate.has_text() {
        return Err(Wrong::InvalidSchema("Empty schema".to_owned()));
    }
    if let Some(Owner::Resource(of)) = row.map(|row| row.owner) {
        drop(session);
        let only = if let Against::Version(version) = against { Some(version) } else { None };
        return resource_schema::check_compatible(store, act, (subject, of), (candidate, normalize), only)
            .await;
    }
    let config = session.config_in_scope(subject).await?;
    let sent = (candidate.schema.as_str(), &candidate.beside());
    let how = How::new(&config, false, normalize);
    let sent = Sent::fetch(&mut session, act.caller, subject, sent, how).await?;
    drop(session);
    let sent = sent.prepare(act.caller).await?;
    broken(store, (act.caller, subject), &sent, &versions, &config, &mut Work::default()).await
}
