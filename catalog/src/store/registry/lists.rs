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
/// Aliases that are read with one connection.
const MOST_ALIASES: usize = 200;
/// Subjects, and versions with something beside their texts, that are looked at for those which run a handler.
const MOST_LOOKED_AT: usize = 10_000;

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
    /// What may still be looked at for a handler.
    looks: usize,
    found: Vec<Listed>,
}

impl Page {
    fn full(&self) -> bool {
        self.found.len() == self.limit || self.looks == 0
    }

    fn add(&mut self, subject: &Subject, versions: Vec<Earlier>) {
        let skipped = self.skip.min(versions.len());
        self.skip -= skipped;
        let room = self.limit - self.found.len();
        self.found.extend(versions.into_iter().skip(skipped).take(room).map(|one| (subject.clone(), one)));
    }
}

impl Session {
    async fn add(&mut self, subject: &Subject, asked: Versions<'_>, page: &mut Page) -> Result<(), Refusal> {
        if page.skip > 0 {
            // What stands before the page is counted, not read.
            let many = self.count_versions(subject, asked.deleted).await?;
            let listed = if asked.latest_only { many.min(1) } else { many };
            if page.skip >= listed {
                page.skip -= listed;
                return Ok(());
            }
        }
        let mut versions = self.versions_of(subject).await?;
        self.narrow(subject, asked, &mut versions).await?;
        page.add(subject, versions);
        Ok(())
    }

    async fn add_all(
        &mut self,
        subjects: &[Subject],
        asked: Versions<'_>,
        page: &mut Page,
    ) -> Result<(), Refusal> {
        for subject in subjects {
            if page.full() {
                break;
            }
            self.add(subject, asked, page).await?;
        }
        Ok(())
    }

    /// To those that the list is to have.
    async fn narrow(
        &mut self,
        subject: &Subject,
        asked: Versions<'_>,
        versions: &mut Vec<Earlier>,
    ) -> Result<(), Refusal> {
        versions.retain(|one| asked.deleted.takes(one.deleted));
        if asked.latest_only && !versions.is_empty() {
            let latest = self.latest(subject, asked.deleted).await?;
            versions.retain(|one| Some(one.version) == latest);
        }
        Ok(())
    }
}

impl Store {
    /// Those that run a handler: what stands beside texts may be large, so a few are looked at with one connection.
    async fn add_all_running(
        &self,
        subjects: &[Subject],
        handler: &str,
        asked: Versions<'_>,
        page: &mut Page,
    ) -> Result<(), Refusal> {
        for subject in subjects {
            if page.full() {
                break;
            }
            self.add_running(subject, handler, asked, page).await?;
        }
        Ok(())
    }

    async fn add_running(
        &self,
        subject: &Subject,
        handler: &str,
        asked: Versions<'_>,
        page: &mut Page,
    ) -> Result<(), Refusal> {
        page.looks = page.looks.saturating_sub(1);
        let mut after = Some(0);
        while let Some(behind) = after.filter(|_| !page.full()) {
            let mut session = self.read().await?;
            let part = session.versions_running(subject, handler, behind, page.looks).await?;
            page.looks = page.looks.saturating_sub(part.looked_at);
            let mut running = part.running;
            session.narrow(subject, asked, &mut running).await?;
            page.add(subject, running);
            after = part.next;
        }
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
        let mut page = Page { skip: offset, limit, looks: MOST_LOOKED_AT, found: Vec::new() };
        let (eyes, mut after) = (Eyes::of(caller), None);
        while !page.full() {
            let mut session = self.read().await?;
            let of = (asked.of, asked.deleted);
            let subjects = session.seen_subjects(eyes, of, after.as_ref(), MOST_SUBJECTS).await?;
            let last = subjects.len() < MOST_SUBJECTS;
            after = subjects.last().cloned();
            match asked.handler {
                None => session.add_all(&subjects, asked, &mut page).await?,
                Some(handler) => {
                    drop(session);
                    self.add_all_running(&subjects, handler, asked, &mut page).await?;
                }
            }
            if last {
                break;
            }
        }
        Ok(page.found)
    }

    /// By the names of the subjects of a list, those that stand for them.
    pub async fn registry_aliases(
        &self,
        caller: &Caller,
        list: &[Listed],
    ) -> Result<BTreeMap<String, Vec<String>>, Wrong> {
        let mut aliases: BTreeMap<String, Vec<String>> =
            list.iter().map(|(subject, _)| (subject.to_string(), Vec::new())).collect();
        let mut after = None;
        while !aliases.is_empty() {
            let mut session = self.read().await?;
            let part = session.seen_aliases(Eyes::of(caller), after.as_ref(), MOST_ALIASES).await?;
            drop(session);
            for (alias, of) in &part {
                let of = of.as_ref().and_then(|of| aliases.get_mut(&of.to_string()));
                if let Some(those) = of {
                    those.push(alias.to_string());
                }
            }
            if part.len() < MOST_ALIASES {
                break;
            }
            after = part.into_iter().last().map(|(alias, _)| alias);
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

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::registry::{Beside, Content};
    use crate::testing::subject_with;

    fn beside(number: usize, beside: serde_json::Value) -> Content {
        let beside: Beside = serde_json::from_value(beside).unwrap();
        Content { text: format!(r#"{{"type":"string","n":{number}}}"#), beside }
    }

    async fn what_is_looked_at_for_a_handler_counts_whatever_is_found(store: &Store) {
        let (many, runs) = (Subject::read("many"), Subject::read("runs"));
        let plain = |number| beside(number, json!({"metadata": {"properties": {"a": "b"}}}));
        let mut contents: Vec<_> = (0..40).map(plain).collect();
        contents.push(Content::of_text("\"int\""));
        subject_with(store, &many, &contents).await;
        let rule = json!({"name": "r", "kind": "CONDITION", "mode": "WRITE", "type": "CEL"});
        subject_with(store, &runs, &[beside(0, json!({"ruleSet": {"domainRules": [rule]}}))]).await;
        let prefix = Prefix::read(":*:");
        let asked =
            Versions { of: &prefix, deleted: Deleted::Without, latest_only: false, handler: Some("CEL") };
        let page = |looks| Page { skip: 0, limit: 10, looks, found: Vec::new() };
        let both = [many.clone(), runs.clone()];

        let mut narrow = page(20);
        store.add_all_running(&both, "CEL", asked, &mut narrow).await.unwrap();
        assert!(narrow.full() && narrow.found.is_empty(), "it ends there");
        let mut wide = page(100);
        store.add_all_running(&both, "CEL", asked, &mut wide).await.unwrap();
        assert_eq!(wide.found.iter().map(|(subject, _)| subject).collect::<Vec<_>>(), [&runs]);
        assert_eq!(wide.looks, 100 - 2 - 41, "two subjects, and what has something beside its text");
        let mut session = store.read().await.unwrap();
        let part = session.versions_running(&many, "CEL", 0, 100).await.unwrap();
        assert_eq!((part.looked_at, part.next), (16, Some(16)), "a few at once");
    }

    crate::conformance!(what_is_looked_at_for_a_handler_counts_whatever_is_found);
}
