//! Reading what was sent and what is kept, with everything they refer to. Texts are fetched first, and the connection is
//! given back before they are read (`think.rs`). What is kept is read the newest first, no further than is needed, a
//! handful of versions at a time, and all of it within what one question may cost.

use std::sync::Arc;

use crate::account::Caller;
use crate::actions::think::think;
use crate::avro::{Rules, Schema};
use crate::compat::{Level, Policy, Work};
use crate::registry::{
    Beside, Compared, Config, Content, Earlier, Reference, Side, Subject, Wrong, canonical, finds,
    incompatible, no_such_reference, normal_references, not_looked_through, parse, referred, too_complex,
};
use crate::store::{Session, Store};

/// Bytes of texts that are in memory at once of what is kept, and one version's beyond.
const MOST_AT_ONCE: usize = 1 << 20;

/// Versions that are looked at with one connection, wanted or not.
const MOST_LOOKED_AT: usize = 32;

/// How something that was sent is read.
#[derive(Clone, Copy)]
pub(super) struct How {
    pub rules: Rules,
    pub normalize: bool,
    /// Whether it may refer to what is deleted.
    pub with_deleted: bool,
}

/// What was sent, with the texts that it refers to.
pub(super) struct Sent {
    text: String,
    beside: Beside,
    references: Vec<Reference>,
    texts: Vec<String>,
    referred: Vec<(Subject, Earlier)>,
    how: How,
}

pub(super) struct Prepared {
    pub content: Arc<Content>,
    pub schema: Schema,
    /// What it refers to.
    pub referred: Vec<(Subject, Earlier)>,
}

impl How {
    /// A new version.
    pub fn new(config: &Config, imports: bool, normalize: bool) -> Self {
        let checked = !imports && config.validate_new_schemas != Some(false);
        let rules = if checked { Rules::FREE } else { Rules::STORED };
        Self { rules, normalize: !imports && config.normalizes(normalize), with_deleted: false }
    }

    /// One that is only looked for.
    pub fn looking(config: &Config, normalize: bool) -> Self {
        Self { rules: Rules::STORED, normalize: config.normalizes(normalize), with_deleted: true }
    }
}

impl Sent {
    /// Fetches what it refers to. Whoever may not see a subject cannot refer to it.
    pub async fn fetch(
        session: &mut Session,
        caller: &Caller,
        subject: &Subject,
        (text, beside): (&str, &Beside),
        how: How,
    ) -> Result<Self, Wrong> {
        for reference in &beside.references {
            let to = referred(&subject.context, reference);
            let row = session.subject_row(&to).await?;
            if !row.is_some_and(|row| row.owner.is_seen_by(caller)) {
                return Err(no_such_reference(&to, reference.version));
            }
        }
        let found = session.resolve(&subject.context, &beside.references, how.with_deleted).await?;
        Ok(Self {
            text: text.to_owned(),
            beside: beside.clone(),
            references: found.references,
            texts: found.texts,
            referred: found.versions,
            how,
        })
    }

    /// Of all texts that are read with it.
    pub fn bytes(&self) -> usize {
        self.text.len() + self.texts.iter().map(String::len).sum::<usize>()
    }

    /// Reads it as a schema.
    pub async fn prepare(self, caller: &Caller) -> Result<Arc<Prepared>, Wrong> {
        think(caller, move || self.read().map(Arc::new)).await?
    }

    fn read(self) -> Result<Prepared, Wrong> {
        let Self { text, beside, references, texts, referred, how } = self;
        let parsed = canonical(&text, &all(&texts), how.rules, how.normalize)?;
        let references = if how.normalize { normal_references(references) } else { references };
        let content = Arc::new(Content { text: parsed.text, beside: Beside { references, ..beside } });
        Ok(Prepared { content, schema: parsed.schema, referred })
    }
}

/// A version that is kept, with the texts that it refers to.
struct Kept {
    one: Earlier,
    content: Arc<Content>,
    texts: Vec<String>,
}

impl Kept {
    fn read(&self) -> Result<Schema, Wrong> {
        parse(&self.content.text, &all(&self.texts), Rules::STORED)
    }
}

fn all(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

/// Versions that are still to be looked at, the newest first.
struct Left<'a> {
    store: &'a Store,
    subject: &'a Subject,
    versions: Vec<Earlier>,
    /// The most that are wanted of them.
    most: usize,
}

impl<'a> Left<'a> {
    fn of(store: &'a Store, subject: &'a Subject, versions: impl Iterator<Item = Earlier>) -> Self {
        Self { store, subject, versions: versions.collect(), most: usize::MAX }
    }

    /// Those of the next that are wanted, which may be none though some are left.
    async fn next(
        &mut self,
        work: &mut Work,
        wanted: impl Fn(&Content) -> bool + Send,
    ) -> Result<Vec<Kept>, Wrong> {
        let mut session = self.store.read().await?;
        let (mut found, mut bytes) = (Vec::new(), 0);
        for _ in 0..MOST_LOOKED_AT {
            if self.most == 0 || bytes >= MOST_AT_ONCE || work.left() == 0 {
                break;
            }
            let Some(one) = self.versions.pop() else { break };
            let context = &self.subject.context;
            let Some(stored) = session.stored_schema(context, one.id).await? else { continue };
            work.take_text(stored.content.text.len());
            bytes += stored.content.text.len();
            if !wanted(&stored.content) {
                continue;
            }
            let texts = session.resolve(context, &stored.content.beside.references, true).await?.texts;
            for text in &texts {
                work.take_text(text.len());
                bytes += text.len();
            }
            self.most -= 1;
            found.push(Kept { one, content: stored.content, texts });
        }
        Ok(found)
    }

    /// Whether something wanted may be left that was not looked at.
    fn any(&self) -> bool {
        self.most > 0 && !self.versions.is_empty()
    }
}

/// The newest version that a sent schema finds although its text differs.
pub(super) async fn found(
    store: &Store,
    (caller, subject): (&Caller, &Subject),
    sent: &Arc<Prepared>,
    versions: &[Earlier],
    work: &mut Work,
) -> Result<Option<Earlier>, Wrong> {
    let like = store.read().await?.ids_like(subject, &sent.content.text).await?;
    let bytes = histogram(&sent.content.text);
    let mut left = Left::of(store, subject, versions.iter().filter(|one| like.contains(&one.id)).copied());
    while left.any() {
        let kept = left.next(work, |kept| could_be(&sent.content, &bytes, kept)).await?;
        if !kept.is_empty() {
            let sent = sent.clone();
            let found = think(caller, move || first_found(&sent, &kept)).await??;
            if found.is_some() {
                return Ok(found);
            }
        }
        if work.left() == 0 && left.any() {
            return Err(not_looked_through(subject));
        }
    }
    Ok(None)
}

fn first_found(sent: &Prepared, kept: &[Kept]) -> Result<Option<Earlier>, Wrong> {
    let sent = Side { schema: &sent.schema, beside: &sent.content.beside };
    for kept in kept {
        let schema = kept.read()?;
        if finds(sent, Side { schema: &schema, beside: &kept.content.beside }, kept.one.version) {
            return Ok(Some(kept.one));
        }
    }
    Ok(None)
}

/// How often a text has each byte: texts that differ only in the order of their members have the same bytes.
fn histogram(text: &str) -> [u32; 256] {
    let mut counts = [0; 256];
    for byte in text.bytes() {
        counts[usize::from(byte)] += 1;
    }
    counts
}

/// Whether a kept schema needs to be read to know that it is not what was sent.
fn could_be(sent: &Content, bytes: &[u32; 256], kept: &Content) -> bool {
    let (of_sent, of_kept) = (&sent.beside.references, &kept.beside.references);
    if of_kept.is_empty() {
        return of_sent.is_empty() && sent.text.len() == kept.text.len() && histogram(&kept.text) == *bytes;
    }
    of_sent.is_empty() || of_sent == of_kept
}

/// What a schema breaks of the versions that the level holds it against: of the newest that it breaks with.
pub(super) async fn broken(
    store: &Store,
    (caller, subject): (&Caller, &Subject),
    sent: &Arc<Prepared>,
    versions: &[Earlier],
    config: &Config,
    work: &mut Work,
) -> Result<Vec<String>, Wrong> {
    let by = (config.level(), config.policy());
    let group = |content: &Content| {
        let name = config.compatibility_group.as_ref()?;
        content.beside.metadata.as_ref()?.properties.get(name).cloned()
    };
    let own = group(&sent.content);
    let mut left = Left::of(store, subject, versions.iter().filter(|one| !one.deleted).copied());
    left.most = by.0.most();
    while left.any() {
        let kept = left.next(work, |kept| group(kept) == own).await?;
        let messages = held_against(caller, sent, kept, by, work).await?;
        if !messages.is_empty() {
            return Ok(messages);
        }
        if work.left() == 0 && left.any() {
            return Ok(vec![too_complex(subject)]);
        }
    }
    Ok(Vec::new())
}

async fn held_against(
    caller: &Caller,
    sent: &Arc<Prepared>,
    kept: Vec<Kept>,
    by: (Level, Policy),
    work: &mut Work,
) -> Result<Vec<String>, Wrong> {
    if kept.is_empty() {
        return Ok(Vec::new());
    }
    let (sent, mut spent) = (sent.clone(), work.clone());
    let told = think(caller, move || {
        let messages = first_broken(&sent, &kept, by, &mut spent);
        (messages, spent)
    });
    let (messages, spent) = told.await?;
    *work = spent;
    messages
}

fn first_broken(
    sent: &Prepared,
    kept: &[Kept],
    by: (Level, Policy),
    work: &mut Work,
) -> Result<Vec<String>, Wrong> {
    for kept in kept {
        let text = kept.content.text.clone();
        let against = Compared { version: kept.one.version, schema: kept.read()?, text };
        let messages = incompatible(&sent.schema, &against, by, work);
        if !messages.is_empty() {
            return Ok(messages);
        }
    }
    Ok(Vec::new())
}

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests {
    use super::*;
    use crate::testing::subject_with;

    /// In how many parts a subject's versions are looked at where none of them is wanted.
    async fn parts(store: &Store, name: &str, contents: &[Content]) -> usize {
        let subject = Subject::read(name);
        subject_with(store, &subject, contents).await;
        let versions = store.read().await.unwrap().versions_of(&subject).await.unwrap();
        let (mut left, mut work) = (Left::of(store, &subject, versions.into_iter()), Work::default());
        let mut parts = 0;
        while left.any() {
            assert!(left.next(&mut work, |_| false).await.unwrap().is_empty());
            parts += 1;
        }
        parts
    }

    async fn versions_that_are_passed_over_end_a_part_too(store: &Store) {
        let short: Vec<_> = (0..70).map(|number| Content::of_text(format!("{number}"))).collect();
        assert_eq!(parts(store, "many", &short).await, 3);
        let long: Vec<_> = "abcd".chars().map(|x| Content::of_text(x.to_string().repeat(600_000))).collect();
        assert_eq!(parts(store, "large", &long).await, 2);
    }

    crate::conformance!(versions_that_are_passed_over_end_a_part_too);
}
