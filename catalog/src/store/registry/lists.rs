//! Lists of subjects and versions, for a caller.

use crate::account::Caller;
use crate::error::Refusal;
use crate::registry::{Deleted, Earlier, Paging, Prefix, Registered, Subject, Wrong};
use crate::store::registry::SubjectRow;
use crate::store::{Session, Store};

impl Session {
    async fn seen_subjects(
        &mut self,
        caller: &Caller,
        prefix: &Prefix,
        deleted: Deleted,
    ) -> Result<Vec<SubjectRow>, Wrong> {
        let rows = self.subject_rows(prefix).await?;
        let seen = |row: &SubjectRow| {
            row.versions > 0 && deleted.takes(row.standing == 0) && row.owner.is_seen_by(caller)
        };
        Ok(rows.into_iter().filter(seen).collect())
    }

    /// One part of the versions of these subjects: what stands before it is counted, not read.
    async fn places(
        &mut self,
        rows: Vec<SubjectRow>,
        deleted: Deleted,
        latest_only: bool,
        Paging { offset: mut skip, limit }: Paging,
    ) -> Result<Vec<(Subject, Earlier)>, Refusal> {
        let limit = limit.unwrap_or(usize::MAX);
        let mut places = Vec::new();
        for row in rows {
            let listed = row.listed(deleted).min(if latest_only { 1 } else { usize::MAX });
            if skip >= listed {
                skip -= listed;
                continue;
            }
            let mut versions = self.versions_of(&row.subject).await?;
            versions.retain(|one| deleted.takes(one.deleted));
            let from = if latest_only { versions.len().saturating_sub(1) } else { 0 };
            let shown = versions.split_off(from).into_iter().skip(skip).take(limit - places.len());
            places.extend(shown.map(|one| (row.subject.clone(), one)));
            skip = 0;
            if places.len() == limit {
                break;
            }
        }
        Ok(places)
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
        let rows = self.read().await?.seen_subjects(caller, prefix, deleted).await?;
        let mut names: Vec<String> = rows.iter().map(|row| row.subject.to_string()).collect();
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
        let rows = session.seen_subjects(caller, prefix, deleted).await?;
        // Whose rules it runs is only known of what was read.
        let read = if handler.is_none() { paging } else { Paging::default() };
        let mut found = Vec::new();
        for (subject, one) in session.places(rows, deleted, latest_only, read).await? {
            let version = session.registered(&subject, one).await?;
            let rules = version.content.beside.rule_set.as_ref();
            let runs = handler.is_none_or(|handler| rules.is_some_and(|rules| rules.uses(handler)));
            found.extend(runs.then_some(version));
        }
        Ok(if handler.is_none() { found } else { paging.of(found) })
    }
}
