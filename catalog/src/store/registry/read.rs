//! One subject and its versions, for a caller.

use crate::account::Caller;
use crate::error::Refusal;
use crate::ids::SchemaId;
use crate::registry::{
    Config, Context, Deleted, Earlier, Mode, Owner, Registered, Subject, VersionId, Wrong, check_steward,
};
use crate::store::error::internal;
use crate::store::registry::Eyes;
use crate::store::registry::versions::Having;
use crate::store::{Session, Store};

impl Session {
    /// Whether a subject is nobody's or the caller's to see: of any other it learns what it would if there were none.
    async fn is_not_hidden(&mut self, caller: &Caller, subject: &Subject) -> Result<bool, Refusal> {
        Ok(self.subject_row(subject).await?.is_none_or(|row| row.owner.is_seen_by(caller)))
    }

    /// Its versions, if the caller sees the subject and it has any that count.
    pub(crate) async fn seen_versions(
        &mut self,
        caller: &Caller,
        subject: &Subject,
        with_deleted: bool,
    ) -> Result<Vec<Earlier>, Wrong> {
        self.check_seen(caller, subject, with_deleted).await?;
        Ok(self.versions_of(subject).await?)
    }

    /// Whether there is anything of it that the caller sees.
    async fn check_seen(
        &mut self,
        caller: &Caller,
        subject: &Subject,
        with_deleted: bool,
    ) -> Result<(), Wrong> {
        let row = self.subject_row(subject).await?.filter(|row| row.owner.is_seen_by(caller));
        let counted = row.map_or(0, |row| if with_deleted { row.versions } else { row.standing });
        if counted == 0 { Err(Wrong::SubjectNotFound(subject.to_string())) } else { Ok(()) }
    }

    pub(crate) async fn registered(
        &mut self,
        subject: &Subject,
        earlier: Earlier,
    ) -> Result<Registered, Refusal> {
        self.registered_if_there(subject, earlier).await?.ok_or_else(internal)
    }

    /// The same of one that may have gone since it was listed.
    pub(super) async fn registered_if_there(
        &mut self,
        subject: &Subject,
        earlier: Earlier,
    ) -> Result<Option<Registered>, Refusal> {
        let Some(stored) = self.stored_schema(&subject.context, earlier.id).await? else { return Ok(None) };
        let Some(at) = self.registered_at(subject, earlier.version).await? else { return Ok(None) };
        Ok(Some(Registered {
            subject: subject.clone(),
            version: earlier.version,
            id: earlier.id,
            content: stored.content,
            guid: stored.guid,
            deleted: earlier.deleted,
            at,
        }))
    }

    async fn version(
        &mut self,
        caller: &Caller,
        subject: &Subject,
        version: VersionId,
        with_deleted: bool,
    ) -> Result<Registered, Wrong> {
        let versions = self.seen_versions(caller, subject, with_deleted).await?;
        let found = match version {
            VersionId::Latest => versions.iter().rfind(|one| !one.deleted),
            VersionId::Number(number) => {
                versions.iter().find(|one| one.version == number && (with_deleted || !one.deleted))
            }
        };
        match found {
            Some(found) => Ok(self.registered(subject, *found).await?),
            None => Err(Wrong::VersionNotFound(version.number())),
        }
    }
}

impl Store {
    pub async fn registry_versions(
        &self,
        caller: &Caller,
        subject: &Subject,
        deleted: Deleted,
    ) -> Result<Vec<i32>, Wrong> {
        let with_deleted = matches!(deleted, Deleted::With | Deleted::Only);
        let versions = self.read().await?.seen_versions(caller, subject, with_deleted).await?;
        let shown = versions.into_iter().filter(|one| deleted.takes(one.deleted));
        let number = |one: Earlier| {
            if one.deleted && deleted == Deleted::Negative { -one.version } else { one.version }
        };
        Ok(shown.map(number).collect())
    }

    /// A subject without a context is looked for in the others too.
    pub async fn registry_version(
        &self,
        caller: &Caller,
        subject: &Subject,
        version: VersionId,
        with_deleted: bool,
    ) -> Result<Registered, Wrong> {
        let mut session = self.read().await?;
        let first = session.version(caller, subject, version, with_deleted).await;
        let Err(Wrong::SubjectNotFound(_) | Wrong::VersionNotFound(_)) = &first else { return first };
        for there in session.elsewhere(caller, subject).await? {
            match session.version(caller, &there, version, with_deleted).await {
                Err(Wrong::SubjectNotFound(_) | Wrong::VersionNotFound(_)) => {}
                answer => return answer,
            }
        }
        first
    }

    /// The ids of the schemas that refer to a version, as far as the caller sees what has them.
    pub async fn registry_referenced_by(
        &self,
        caller: &Caller,
        subject: &Subject,
        version: VersionId,
        with_deleted: bool,
    ) -> Result<Vec<SchemaId>, Wrong> {
        let found = self.registry_version(caller, subject, version, true).await?;
        let mut session = self.read().await?;
        let mut ids = Vec::new();
        for referrer in session.referrers(&found.subject, found.version).await? {
            let row = session.subject_row(&referrer.subject).await?;
            let seen = row.is_some_and(|row| row.owner.is_seen_by(caller));
            if seen && (with_deleted || !referrer.deleted) && !ids.contains(&referrer.id) {
                ids.push(referrer.id);
            }
        }
        Ok(ids)
    }

    /// The newest version whose properties hold all of these. What stands beside texts may be large, so a few are looked at
    /// with one connection.
    pub async fn registry_with_metadata(
        &self,
        caller: &Caller,
        subject: &Subject,
        pairs: &[(String, String)],
        with_deleted: bool,
    ) -> Result<Registered, Wrong> {
        let mut below = i32::MAX;
        loop {
            let mut session = self.read().await?;
            session.check_seen(caller, subject, with_deleted).await?;
            match session.version_with(subject, pairs, (below, with_deleted)).await? {
                Having::Found(found) => return Ok(session.registered(subject, found).await?),
                Having::Below(version) => below = version,
                Having::None => return Err(Wrong::SchemaNotFound(None)),
            }
        }
    }

    /// What is set of a subject or a context; with `in_scope` what counts for it.
    pub async fn registry_config(
        &self,
        caller: &Caller,
        subject: &Subject,
        in_scope: bool,
    ) -> Result<Config, Wrong> {
        let mut session = self.read().await?;
        let seen = session.is_not_hidden(caller, subject).await?;
        if in_scope || subject.is_context() && (subject.context.is_default() || subject.context.is_global()) {
            let of = if seen { subject.clone() } else { subject.context.subject("") };
            return Ok(session.config_in_scope(&of).await?);
        }
        let own = if seen { session.set_of(subject).await?.config } else { None };
        own.ok_or_else(|| Wrong::NoLevel(subject.to_string()))
    }

    /// The same of the mode.
    pub async fn registry_mode(
        &self,
        caller: &Caller,
        subject: &Subject,
        in_scope: bool,
    ) -> Result<Mode, Wrong> {
        let mut session = self.read().await?;
        let seen = session.is_not_hidden(caller, subject).await?;
        if in_scope || subject.is_context() && (subject.context.is_default() || subject.context.is_global()) {
            let of = if seen { subject.clone() } else { subject.context.subject("") };
            return Ok(session.mode_in_scope(&of).await?);
        }
        let own = if seen { session.set_of(subject).await?.mode } else { None };
        own.ok_or_else(|| Wrong::NoMode(subject.to_string()))
    }

    /// The default context, those in which the caller sees a subject, and those that its agency opened; to stewards all
    /// there are.
    pub async fn registry_contexts(&self, caller: &Caller) -> Result<Vec<Context>, Wrong> {
        let mut session = self.read().await?;
        if check_steward(caller, "Read", &Context::default().subject("")).is_ok() {
            return Ok(session.contexts().await?);
        }
        let seen = session.seen_contexts(Eyes::of(caller)).await?;
        Ok([Context::default()].into_iter().chain(seen).collect())
    }

    /// The highest id given so far in a context.
    pub async fn registry_max_id(&self, context: &Context) -> Result<i32, Wrong> {
        let highest = self.read().await?.highest_id(context).await?;
        Ok(i32::try_from(highest).unwrap_or(i32::MAX))
    }

    /// The subject that is meant: the one that is named, or the one that its settings name in its place. That one's own
    /// alias does not count.
    pub async fn registry_alias(&self, caller: &Caller, subject: &Subject) -> Result<Subject, Wrong> {
        if subject.is_context() {
            return Ok(subject.clone());
        }
        let (owner, meant) = self.stands_for(subject).await?;
        let seen = owner.is_none_or(|owner| owner.is_seen_by(caller));
        Ok(if seen { meant } else { subject.clone() })
    }

    /// The subject that a change is meant for. Whoever may change others' subjects too changes the one that he named.
    pub async fn registry_alias_to_change(
        &self,
        caller: &Caller,
        subject: &Subject,
    ) -> Result<Subject, Wrong> {
        let (owner, meant) = self.stands_for(subject).await?;
        let own = owner.is_some_and(|owner| owner.is(caller.agency));
        Ok(if own { meant } else { subject.clone() })
    }

    /// Whoever asks, with whose the subject is.
    async fn stands_for(&self, subject: &Subject) -> Result<(Option<Owner>, Subject), Refusal> {
        let asked = self.recall.ask();
        if let Some(known) = self.recall.aliases.get(subject, asked) {
            return Ok(known);
        }
        let mut session = self.read().await?;
        let owner = session.subject_row(subject).await?.map(|row| row.owner);
        let set = session.set_of(subject).await?;
        let alias = set.config.and_then(|config| config.alias).filter(|alias| !alias.is_empty());
        let mut meant = alias.map_or_else(|| subject.clone(), |alias| subject.context.qualify(&alias));
        let other = session.subject_row(&meant).await?.map(|row| row.owner);
        if let (Some(owner), Some(other)) = (&owner, &other)
            && !owner.may_stand_for(other)
        {
            meant = subject.clone();
        }
        self.recall.aliases.put(subject.clone(), asked, (owner, meant.clone()));
        Ok((owner, meant))
    }
}
