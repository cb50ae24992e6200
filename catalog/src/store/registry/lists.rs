//! Lists of subjects and versions, for a caller. A list of versions is found in parts, and what it says is read in parts
//! again: texts may be large, and a connection is not held for longer than a part.

use std::collections::BTreeMap;

use crate::account::Caller;
use crate::error::Refusal;
use crate::registry::{Deleted, Earlier, Paging, Prefix, Registered, Subject, Wrong};
use crate::store::registry::Eyes;
use crate::store::{Session, Store};

/// Subjects that are looked at with one connection.
const MOST_SUBJECTS: usize = 500;
/// Bytes of texts and of what stands beside them in one part of a list, and one version's beyond.
const MOST_BYTES: usize = 1 << 20;
/// Versions with rules that are looked at for those which run a handler.
const MOST_RULED: usize = 10_000;

/// A version of a list, of which nothing more is known yet.
pub type Listed = (Subject, Earlier);

/// Which versions of subjects a list has.
#[derive(Debug, Clone, Copy)]
pub struct Versions<'a> {
    pub of: &'a Prefix,
    pub deleted: Deleted,
    pub latest_only: bool,
    /// Only such whose rules it runs.
    pub handler: Option<&'a str>,
}

struct Page {
    skip: usize,
    limit: usize,
    /// Versions with rules that may still be looked at.
    ruled: usize,
    found: Vec<Listed>,
}

impl Page {
    fn full(&self) -> bool {
        self.found.len() == self.limit || self.ruled == 0
    }
}

impl Session {
    async fn add(&mut self, subject: Subject, asked: Versions<'_>, page: &mut Page) -> Result<(), Refusal> {
        let one = |many: usize| if asked.latest_only { many.min(1) } else { many };
        if asked.handler.is_none() && page.skip > 0 {
            // What stands before the page is counted, not read.
            let listed = one(self.count_versions(&subject, asked.deleted).await?);
            if page.skip >= listed {
                page.skip -= listed;
                return Ok(());
            }
        }
        let mut versions = match asked.handler {
            None => self.versions_of(&subject).await?,
            Some(handler) => self.versions_running(&subject, handler, &mut page.ruled).await?,
        };
        versions.retain(|one| asked.deleted.takes(one.deleted));
        if asked.latest_only {
            let latest = self.latest(&subject, asked.deleted).await?;
            versions.retain(|one| Some(one.version) == latest);
        }
        let skipped = page.skip.min(versions.len());
        page.skip -= skipped;
        let room = page.limit - page.found.len();
        page.found.extend(versions.into_iter().skip(skipped).take(room).map(|one| (subject.clone(), one)));
        Ok(())
    }
}

impl Store {
    /// Names of subjects as clients write them, sorted. A subject is deleted when all its versions are.
    pub async fn registry_subjects(
        &self,
        caller: &Caller,
        prefix: &Prefix,
        deleted: Deleted,
        paging: Paging,
    ) -> Result<Vec<String>, Wrong> {
        let eyes = Eyes::of(caller);
        let subjects = self.read().await?.seen_names(eyes, prefix, deleted, paging).await?;
        Ok(subjects.iter().map(Subject::to_string).collect())
    }

    /// The places of one part of all those versions.
    pub async fn registry_list(
        &self,
        caller: &Caller,
        asked: Versions<'_>,
        Paging { offset, limit }: Paging,
    ) -> Result<Vec<Listed>, Wrong> {
        let limit = limit.unwrap_or(usize::MAX);
        let mut page = Page { skip: offset, limit, ruled: MOST_RULED, found: Vec::new() };
        let (eyes, mut after) = (Eyes::of(caller), None);
        while !page.full() {
            let mut session = self.read().await?;
            let of = (asked.of, asked.deleted);
            let subjects = session.seen_subjects(eyes, of, after.as_ref(), MOST_SUBJECTS).await?;
            let last = subjects.len() < MOST_SUBJECTS;
            after = subjects.last().cloned();
            for subject in subjects {
                if page.full() {
                    break;
                }
                session.add(subject, asked, &mut page).await?;
            }
            if last {
                break;
            }
        }
        Ok(page.found)
    }

    /// By the names of subjects, those that stand for them.
    pub async fn registry_aliases(&self, caller: &Caller) -> Result<BTreeMap<String, Vec<String>>, Wrong> {
        let mut aliases: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (alias, of) in self.read().await?.seen_aliases(Eyes::of(caller)).await? {
            aliases.entry(of.to_string()).or_default().push(alias.to_string());
        }
        Ok(aliases)
    }

    /// What the first of these versions say, as many as are in memory at once; the others are left in the list. What went
    /// away meanwhile is passed over.
    pub async fn registry_part(&self, list: &mut Vec<Listed>) -> Result<Vec<Registered>, Wrong> {
        let mut session = self.read().await?;
        let (mut part, mut bytes, mut read) = (Vec::new(), 0, 0);
        for (subject, one) in list.iter() {
            if bytes >= MOST_BYTES {
                break;
            }
            read += 1;
            let Some(registered) = session.registered_if_there(subject, *one).await? else { continue };
            bytes += registered.content.bytes();
            part.push(registered);
        }
        list.drain(..read);
        Ok(part)
    }
}
