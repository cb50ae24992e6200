//! Whether a schema is registered under a subject, and as what. A subject without a context is looked for in the
//! others too.

use super::prepare::{How, found, prepare};
use crate::account::Caller;
use crate::registry::{Beside, Candidate, Config, Earlier, Registered, Subject, Wrong};
use crate::store::{Session, Store};

pub async fn look_up_schema(
    store: &Store,
    caller: &Caller,
    subject: &Subject,
    candidate: &Candidate,
    normalize: bool,
    with_deleted: bool,
) -> Result<Registered, Wrong> {
    candidate.check()?;
    let mut session = store.read().await?;
    let question = Question { caller, candidate, normalize, with_deleted };
    if let Some(registered) = question.under(&mut session, subject).await? {
        return Ok(registered);
    }
    for there in session.elsewhere(caller, subject).await? {
        match question.under(&mut session, &there).await {
            Ok(Some(registered)) => return Ok(registered),
            // What it refers to may be in another context.
            Ok(None) | Err(Wrong::InvalidSchema(_)) => {}
            Err(wrong) => return Err(wrong),
        }
    }
    session.seen_versions(caller, subject, with_deleted).await?;
    Err(Wrong::SchemaNotFound(None))
}

struct Question<'a> {
    caller: &'a Caller,
    candidate: &'a Candidate,
    normalize: bool,
    with_deleted: bool,
}

impl Question<'_> {
    async fn under(&self, session: &mut Session, subject: &Subject) -> Result<Option<Registered>, Wrong> {
        let mut versions = match session.seen_versions(self.caller, subject, true).await {
            Ok(versions) => versions,
            Err(Wrong::SubjectNotFound(_)) => return Ok(None),
            Err(wrong) => return Err(wrong),
        };
        versions.retain(|one| self.with_deleted || !one.deleted);
        let config = session.config_in_scope(subject).await?;
        let given = self.candidate.beside();
        if let Some(one) = self.find(session, subject, &given, &versions, &config).await? {
            return Ok(Some(session.registered(subject, one).await?));
        }
        // As it would be completed if it were registered.
        let Some(latest) = versions.iter().rfind(|one| !one.deleted).copied() else { return Ok(None) };
        let latest = session.registered(subject, latest).await?;
        let filled = config.filled(&given, Some(&latest.content.beside));
        if filled == given {
            return Ok(None);
        }
        match self.find(session, subject, &filled, &versions, &config).await? {
            Some(one) => Ok(Some(session.registered(subject, one).await?)),
            None => Ok(None),
        }
    }

    async fn find(
        &self,
        session: &mut Session,
        subject: &Subject,
        beside: &Beside,
        versions: &[Earlier],
        config: &Config,
    ) -> Result<Option<Earlier>, Wrong> {
        if !self.candidate.has_text() {
            return Ok(None);
        }
        let how = How::looking(config, self.normalize);
        let sent = prepare(session, self.caller, subject, (&self.candidate.schema, beside), how).await?;
        if let Some(id) = session.stored_id(&subject.context, &sent.content).await?
            && let Some(one) =
                versions.iter().filter(|one| one.id == id).max_by_key(|one| (!one.deleted, one.version))
        {
            return Ok(Some(*one));
        }
        found(session, subject, &sent, versions).await
    }
}
