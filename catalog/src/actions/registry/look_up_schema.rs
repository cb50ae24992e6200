//! Whether a schema is registered under a subject, and as what. A subject without a context is looked for in the
//! others too.

use super::prepare::{How, Sent, found};
use crate::account::Caller;
use crate::compat::Work;
use crate::registry::{Beside, Candidate, Config, Earlier, Registered, Subject, Wrong, not_looked_through};
use crate::store::Store;

pub async fn look_up_schema(
    store: &Store,
    caller: &Caller,
    subject: &Subject,
    candidate: &Candidate,
    normalize: bool,
    with_deleted: bool,
) -> Result<Registered, Wrong> {
    candidate.check()?;
    let question = Question { store, caller, candidate, normalize, with_deleted, numbered: false };
    question.anywhere(subject, &mut Work::default()).await
}

pub(super) struct Question<'a> {
    pub store: &'a Store,
    pub caller: &'a Caller,
    pub candidate: &'a Candidate,
    pub normalize: bool,
    pub with_deleted: bool,
    /// Only what has the numbers that the candidate comes with.
    pub numbered: bool,
}

impl Question<'_> {
    pub async fn anywhere(&self, subject: &Subject, work: &mut Work) -> Result<Registered, Wrong> {
        if let Some(registered) = self.under(subject, work).await? {
            return Ok(registered);
        }
        let elsewhere = self.store.read().await?.elsewhere(self.caller, subject).await?;
        for there in elsewhere {
            match self.under(&there, work).await {
                Ok(Some(registered)) => return Ok(registered),
                // What it refers to may be in another context.
                Ok(None) | Err(Wrong::InvalidSchema(_)) => {}
                Err(wrong) => return Err(wrong),
            }
        }
        self.store.read().await?.seen_versions(self.caller, subject, self.with_deleted).await?;
        Err(Wrong::SchemaNotFound(None))
    }

    pub async fn under(&self, subject: &Subject, work: &mut Work) -> Result<Option<Registered>, Wrong> {
        let mut session = self.store.read().await?;
        let mut versions = match session.seen_versions(self.caller, subject, true).await {
            Ok(versions) => versions,
            Err(Wrong::SubjectNotFound(_)) => return Ok(None),
            Err(wrong) => return Err(wrong),
        };
        versions.retain(|one| self.with_deleted || !one.deleted);
        let config = session.config_in_scope(subject).await?;
        // As it would be completed if it were registered.
        let latest = match versions.iter().rfind(|one| !one.deleted) {
            Some(latest) => session.stored_schema(&subject.context, latest.id).await?,
            None => None,
        };
        drop(session);
        let given = self.candidate.beside();
        let filled = latest.map(|latest| config.filled(&given, Some(&latest.content.beside)));
        let mut found = self.find(subject, &given, &versions, &config, work).await?;
        if let (None, Some(filled)) = (found, filled.filter(|filled| *filled != given)) {
            found = self.find(subject, &filled, &versions, &config, work).await?;
        }
        match found {
            Some(one) => Ok(Some(self.store.read().await?.registered(subject, one).await?)),
            None => Ok(None),
        }
    }

    /// As what stands beside it here, and no other.
    pub async fn find(
        &self,
        subject: &Subject,
        beside: &Beside,
        versions: &[Earlier],
        config: &Config,
        work: &mut Work,
    ) -> Result<Option<Earlier>, Wrong> {
        if !self.candidate.has_text() {
            return Ok(None);
        }
        let versions = &self.meant(versions);
        let how = How::looking(config, self.normalize);
        let text = (self.candidate.schema.as_str(), beside);
        let sent = Sent::fetch(&mut self.store.read().await?, self.caller, subject, text, how).await?;
        // It is read anew for every subject that it is looked for under.
        if !work.take_text(sent.bytes()) {
            return Err(not_looked_through(subject));
        }
        let sent = sent.prepare(self.caller).await?;
        let known = self.store.read().await?.stored_id(&subject.context, &sent.content).await?;
        let same = versions.iter().filter(|one| Some(one.id) == known);
        if let Some(one) = same.max_by_key(|one| (!one.deleted, one.version)) {
            return Ok(Some(*one));
        }
        found(self.store, (self.caller, subject), &sent, versions, work).await
    }
    fn meant(&self, versions: &[Earlier]) -> Vec<Earlier> {
        let mut meant = versions.to_vec();
        if self.numbered {
            let latest = versions.iter().rfind(|one| !one.deleted).map(|one| one.version);
            let candidate = self.candidate;
            meant.retain(|one| candidate.comes_as(one.id, one.version));
            meant.retain(|one| !candidate.is_latest() || Some(one.version) == latest);
        }
        meant
    }
}
