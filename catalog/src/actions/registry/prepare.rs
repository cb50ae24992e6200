//! Reading what was sent and what is kept, with everything they refer to.

use std::collections::BTreeMap;

use crate::account::Caller;
use crate::avro::{Rules, Schema};
use crate::error::Refusal;
use crate::ids::SchemaId;
use crate::registry::{
    Beside, Compared, Config, Content, Earlier, Side, Subject, Wrong, canonical, finds, no_such_reference,
    normal_references, parse, referred,
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
}

/// The schemas of a subject's versions, by id.
pub(super) type Kept = BTreeMap<SchemaId, StoredSchema>;

pub(super) async fn kept(session: &mut Session, subject: &Subject) -> Result<Kept, Refusal> {
    let stored = session.stored_schemas_of(subject).await?;
    Ok(stored.into_iter().map(|stored| (stored.id, stored)).collect())
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
    Ok(Prepared { content, schema: parsed.schema })
}

/// The newest version that a sent schema finds although its text differs.
pub(super) async fn found(
    session: &mut Session,
    subject: &Subject,
    sent: &Prepared,
    versions: &[Earlier],
    kept: &Kept,
) -> Result<Option<Earlier>, Wrong> {
    for one in versions.iter().rev() {
        let Some(stored) = kept.get(&one.id).filter(|stored| could_be(&sent.content, &stored.content)) else {
            continue;
        };
        let schema = read(session, subject, stored).await?;
        let sent = Side { schema: &sent.schema, beside: &sent.content.beside };
        let stored = Side { schema: &schema, beside: &stored.content.beside };
        if finds(sent, stored, one.version) {
            return Ok(Some(*one));
        }
    }
    Ok(None)
}

/// Texts that differ only in the order of their members have the same bytes; anything else need not be read.
fn could_be(sent: &Content, kept: &Content) -> bool {
    let sorted = |text: &str| {
        let mut bytes = text.as_bytes().to_vec();
        bytes.sort_unstable();
        bytes
    };
    !kept.beside.references.is_empty()
        || sent.text.len() == kept.text.len() && sorted(&sent.text) == sorted(&kept.text)
}

async fn read(session: &mut Session, subject: &Subject, stored: &StoredSchema) -> Result<Schema, Wrong> {
    let references = &stored.content.beside.references;
    let found = session.resolve(&subject.context, references, true).await?;
    let texts: Vec<&str> = found.texts.iter().map(String::as_str).collect();
    parse(&stored.content.text, &texts, Rules::STORED)
}

/// The versions that a new schema is held against, newest first.
pub(super) async fn compared(
    session: &mut Session,
    subject: &Subject,
    sent: &Prepared,
    (versions, kept): (&[Earlier], &Kept),
    config: &Config,
) -> Result<Vec<Compared>, Wrong> {
    let group = |content: &Content| {
        let name = config.compatibility_group.as_ref()?;
        content.beside.metadata.as_ref()?.properties.get(name).cloned()
    };
    let most = if config.level().transitive() { usize::MAX } else { 1 };
    let standing = versions.iter().rev().filter(|one| !one.deleted);
    let mut compared = Vec::new();
    for one in standing {
        let Some(stored) = kept.get(&one.id) else { continue };
        if compared.len() == most || group(&stored.content) != group(&sent.content) {
            continue;
        }
        let schema = read(session, subject, stored).await?;
        compared.push(Compared { version: one.version, schema, text: stored.content.text.clone() });
    }
    Ok(compared)
}
