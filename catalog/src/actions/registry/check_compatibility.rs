//! Whether a schema could follow what a subject has, without registering it.

use super::prepare::{How, broken, prepare};
use crate::account::Caller;
use crate::compat::Policy;
use crate::registry::{Candidate, Subject, VersionId, Wrong};
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
    caller: &Caller,
    subject: &Subject,
    candidate: &Candidate,
    against: Against,
    normalize: bool,
) -> Result<Vec<String>, Wrong> {
    candidate.check()?;
    let mut session = store.read().await?;
    let row = session.subject_row(subject).await?.filter(|row| row.owner.is_seen_by(caller));
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
    let config = session.config_in_scope(subject).await?;
    let sent = (candidate.schema.as_str(), &candidate.beside());
    let how = How::new(&config, false, normalize);
    let sent = prepare(&mut session, caller, subject, sent, how).await?;
    let of_resource = row.is_some_and(|row| row.owner.resource().is_some());
    let policy = if of_resource { Policy::House } else { config.policy() };
    broken(&mut session, subject, &sent, &versions, (&config, policy)).await
}
