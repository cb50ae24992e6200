//! Reading what was sent and what is kept, with everything they refer to. What is kept is read one version at a time,
//! the newest first, and no further than is needed.

use crate::account::Caller;
use crate::avro::{Rules, Schema};
use crate::compat::{Level, Policy};
use crate::registry::{
    Beside, Compared, Config, Content, Earlier, Side, Subject, Wrong, canonical, finds, incompatible,
    no_such_reference, normal_references, parse, referred,
};
use crate::store::{Session, StoredSchema};

/// How something that was sent is read.
#[derive(Clone, Copy)]
pub(super) struct How {
    pub rules: Rules,
    pub normalize: bool,
    /// Whether it may refer to what is deleted.
    pub with_deleted: bool,
}

pub(super) struct Prepared {
    pub content: Content,
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

/// Reads a text as a schema of this subject. Whoever may not see a subject cannot refer to it.
pub(super) async fn prepare(
    session: &mut Session,
    caller: &Caller,
    subject: &Subject,
    (text, beside): (&str, &Beside),
    how: How,
) -> Result<Prepared, Wrong> {
    for reference in &beside.references {
        let to = referred(&subject.context, reference);
        let row = session.subject_row(&to).await?;
        if !row.is_some_and(|row| row.owner.is_seen_by(caller)) {
            return Err(no_such_reference(&to, reference.version));
        }
    }
    let found = session.resolve(&subject.context, &beside.references, how.with_deleted).await?;
    let texts: Vec<&str> = found.texts.iter().map(String::as_str).collect();
    let parsed = canonical(text, &texts, how.rules, how.normalize)?;
    let references = if how.normalize { normal_references(found.references) } else { found.references };
    let content = Content { text: parsed.text, beside: Beside { references, ..beside.clone() } };
    Ok(Prepared { content, schema: parsed.schema, referred: found.versions })
}

/// The newest version that a sent schema finds although its text differs.
pub(super) async fn found(
    session: &mut Session,
    subject: &Subject,
    sent: &Prepared,
    versions: &[Earlier],
) -> Result<Option<Earlier>, Wrong> {
    let like = session.ids_like(subject, &sent.content.text).await?;
    let bytes = histogram(&sent.content.text);
    for one in versions.iter().rev().filter(|one| like.contains(&one.id)) {
        let Some(stored) = session.stored_schema(&subject.context, one.id).await? else { continue };
        if !could_be(&sent.content, &bytes, &stored.content) {
            continue;
        }
        let schema = read(session, subject, &stored).await?;
        let sent = Side { schema: &sent.schema, beside: &sent.content.beside };
        let stored = Side { schema: &schema, beside: &stored.content.beside };
        if finds(sent, stored, one.version) {
            return Ok(Some(*one));
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

async fn read(session: &mut Session, subject: &Subject, stored: &StoredSchema) -> Result<Schema, Wrong> {
    let references = &stored.content.beside.references;
    let found = session.resolve(&subject.context, references, true).await?;
    let texts: Vec<&str> = found.texts.iter().map(String::as_str).collect();
    parse(&stored.content.text, &texts, Rules::STORED)
}

/// What a schema breaks of the versions that the level holds it against: of the newest that it breaks with.
pub(super) async fn broken(
    session: &mut Session,
    subject: &Subject,
    sent: &Prepared,
    versions: &[Earlier],
    (config, policy): (&Config, Policy),
) -> Result<Vec<String>, Wrong> {
    let level = config.level();
    let group = |content: &Content| {
        let name = config.compatibility_group.as_ref()?;
        content.beside.metadata.as_ref()?.properties.get(name).cloned()
    };
    let mut left = match level {
        Level::None => 0,
        level if level.transitive() => usize::MAX,
        _ => 1,
    };
    for one in versions.iter().rev().filter(|one| !one.deleted) {
        if left == 0 {
            break;
        }
        let Some(stored) = session.stored_schema(&subject.context, one.id).await? else { continue };
        if group(&stored.content) != group(&sent.content) {
            continue;
        }
        left -= 1;
        let schema = read(session, subject, &stored).await?;
        let against = Compared { version: one.version, schema, text: stored.content.text.clone() };
        let messages = incompatible(&sent.schema, &[against], level, policy);
        if !messages.is_empty() {
            return Ok(messages);
        }
    }
    Ok(Vec::new())
}
