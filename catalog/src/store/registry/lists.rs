//! Lists of subjects and versions, for a caller.

use crate::account::Caller;
use crate::registry::{Deleted, Paging, Prefix, Registered, Subject, Wrong};
use crate::store::registry::SubjectRow;
use crate::store::{Session, Store};

impl Session {
    async fn seen_subjects(
        &mut self,
        caller: &Caller,
        prefix: &Prefix,
        deleted: Deleted,
    ) -> Result<Vec<Subject>, Wrong> {
        let rows = self.subject_rows(prefix).await?;
        let seen = |row: &SubjectRow| {
            row.versions > 0 && deleted.takes(row.standing == 0) && row.owner.is_seen_by(caller)
        };
        Ok(rows.into_iter().filter(seen).map(|row| row.subject).collect())
    }
}

impl Store {
    /// Names of subjects as clients write them, sorted. A subject is deleted when all its versions are.
    pub async fn registry_subjects(
        &self,
        caller: &Caller,
        prefix: &Prefix,
        deleted: Deleted,
    ) -> Result<Vec<String>, Wrong> {
        let subjects = self.read().await?.seen_subjects(caller, prefix, deleted).await?;
        let mut names: Vec<String> = subjects.iter().map(Subject::to_string).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Versions of all those subjects; `handler`: only such whose rules it runs.
    pub async fn registry_schemas(
        &self,
        caller: &Caller,
        prefix: &Prefix,
        deleted: Deleted,
        latest_only: bool,
        handler: Option<&str>,
        paging: Paging,
    ) -> Result<Vec<Registered>, Wrong> {
        let mut session = self.read().await?;
        let mut places = Vec::new();
        for subject in session.seen_subjects(caller, prefix, deleted).await? {
            let mut versions = session.versions_of(&subject).await?;
            versions.retain(|one| deleted.takes(one.deleted));
            let from = if latest_only { versions.len().saturating_sub(1) } else { 0 };
            places.extend(versions.split_off(from).into_iter().map(|one| (subject.clone(), one)));
        }
        let Some(handler) = handler else {
            let mut found = Vec::new();
            for (subject, one) in paging.of(places) {
                found.push(session.registered(&subject, one).await?);
            }
            return Ok(found);
        };
        let mut found = Vec::new();
        for (subject, one) in places {
            let version = session.registered(&subject, one).await?;
            let rules = version.content.beside.rule_set.as_ref();
            found.extend(rules.is_some_and(|rules| rules.uses(handler)).then_some(version));
        }
        Ok(paging.of(found))
    }
}
