//! A schema becomes a version of a subject, or is one already. Equal content has one id in its context.

use std::sync::Arc;

use super::prepare::{How, Kept, Prepared, compared, found, kept, prepare};
use super::{begin, named, resource_schema, setting};
use crate::actions::Act;
use crate::audit::SchemaRegistered;
use crate::compat::Level;
use crate::ids::SchemaId;
use crate::registry::{
    Beside, Candidate, Config, Earlier, Given, Mode, Outcome, Registered, Subject, VERSION_PROPERTY, Wrong,
    check_free, check_writer, incompatible, next, place,
};
use crate::store::{Store, Tx};

/// How a schema is registered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Registering {
    pub normalize: bool,
    /// Whatever it breaks.
    pub force: bool,
}

pub async fn register_schema(
    store: &Store,
    act: &Act<'_>,
    subject: &Subject,
    candidate: &Candidate,
    how: Registering,
) -> Result<Registered, Wrong> {
    subject.check()?;
    candidate.check()?;
    let mut tx = begin(store, &subject.context).await?;
    let row = tx.subject_row(subject).await?;
    match row.as_ref().map(|row| row.owner) {
        None => {
            check_free(&act.rules.topic_prefix, subject)?;
            check_writer(act.caller, "Write", subject)?;
        }
        Some(owner) => match owner.resource() {
            Some(of) => {
                return resource_schema::register((store, tx), act, subject, of, (candidate, how)).await;
            }
            None => owner.check_write(act.caller, "Write", subject)?,
        },
    }
    let mode = tx.mode_in_scope(subject).await?;
    mode.check_register(subject, candidate.given_id().is_some())?;
    let config = tx.config_in_scope(subject).await?;
    let before = Before { earlier: tx.versions_of(subject).await?, kept: kept(&mut tx, subject).await? };
    let new = read(&mut tx, act, subject, (candidate, how), (&config, mode), &before).await?;
    let given =
        Given { id: candidate.given_id(), version: candidate.given_version(), imports: mode.imports() };
    let known = tx.stored_id(&subject.context, &new.content).await?;
    let outcome = place(subject, &before.earlier, known, given)?;
    if let Some(version) = stands(&mut tx, subject, &new, &before, &outcome, given).await? {
        return Ok(tx.registered(subject, version).await?);
    }
    if !mode.imports() && !how.force {
        check_compatible(&mut tx, subject, &new, &before, &config).await?;
    }
    let Outcome::New { version, id, replaced } = outcome else { return Err(Wrong::SchemaNotFound(None)) };
    if row.is_none() {
        setting::open_subject(&mut tx, act, subject).await?;
    }
    let id = keep(&mut tx, act, subject, &new, (id, known)).await?;
    for older in replaced {
        if tx.referrers(subject, older).await?.is_empty() {
            tx.remove_version(subject, older).await?;
        }
    }
    tx.insert_version(subject, version, id, act.now).await?;
    let fingerprint = new.content.fingerprint();
    let event =
        SchemaRegistered { subject: named(subject), subject_version: version, schema: id, fingerprint };
    let guid = new.content.guid();
    act.finish(tx, 200, id, vec![event.into()]).await?;
    Ok(Registered {
        subject: subject.clone(),
        version,
        id,
        guid,
        content: Arc::new(new.content),
        deleted: false,
        at: act.now,
    })
}

/// What the subject has.
struct Before {
    earlier: Vec<Earlier>,
    kept: Kept,
}

impl Before {
    fn latest(&self) -> Option<(&str, &Beside)> {
        let latest = self.earlier.iter().rfind(|one| !one.deleted)?;
        self.kept.get(&latest.id).map(|stored| (stored.content.text.as_str(), &stored.content.beside))
    }
}

/// What was sent, completed from the version before and from the settings.
async fn read(
    tx: &mut Tx,
    act: &Act<'_>,
    subject: &Subject,
    (candidate, how): (&Candidate, Registering),
    (config, mode): (&Config, Mode),
    before: &Before,
) -> Result<Prepared, Wrong> {
    let how = How::new(config, mode.imports(), how.normalize);
    let given = candidate.beside();
    if mode.imports() {
        return prepare(tx, act.caller, subject, (&candidate.schema, &given), how).await;
    }
    let latest = before.latest();
    let mut beside = config.filled(&given, latest.map(|(_, beside)| beside));
    let mut text = candidate.schema.as_str();
    if !candidate.has_text() {
        let (earlier, of) = latest.ok_or_else(|| Wrong::InvalidSchema("Empty schema".to_owned()))?;
        text = earlier;
        beside.references.clone_from(&of.references);
    }
    number(candidate, &mut beside, next(&before.earlier));
    prepare(tx, act.caller, subject, (text, &beside), how).await
}

/// Who asks for a version of its own gets one, as its number is part of what is kept.
fn number(candidate: &Candidate, beside: &mut Beside, next: i32) {
    let asked = candidate.version.is_some_and(|version| version != 0);
    let numbered = beside.metadata.as_ref().is_some_and(|m| m.properties.contains_key(VERSION_PROPERTY));
    if asked || numbered {
        let metadata = beside.metadata.get_or_insert_default();
        metadata.properties.insert(VERSION_PROPERTY.to_owned(), next.to_string());
    }
}

/// The version that has it already.
async fn stands(
    tx: &mut Tx,
    subject: &Subject,
    new: &Prepared,
    before: &Before,
    outcome: &Outcome,
    given: Given,
) -> Result<Option<Earlier>, Wrong> {
    if let Outcome::Stands(version) = outcome {
        return Ok(before.earlier.iter().find(|one| one.version == *version).copied());
    }
    if given.version.is_some() {
        return Ok(None);
    }
    let fits = |one: &&Earlier| !one.deleted && given.id.is_none_or(|id| one.id.0 == id);
    let standing: Vec<Earlier> = before.earlier.iter().filter(fits).copied().collect();
    found(tx, subject, new, &standing, &before.kept).await
}

async fn check_compatible(
    tx: &mut Tx,
    subject: &Subject,
    new: &Prepared,
    before: &Before,
    config: &Config,
) -> Result<(), Wrong> {
    if config.level() == Level::None {
        return Ok(());
    }
    let against = compared(tx, subject, new, (&before.earlier, &before.kept), config).await?;
    let messages = incompatible(&new.schema, &against, config.level(), config.policy());
    if messages.is_empty() { Ok(()) } else { Err(Wrong::Incompatible(subject.to_string(), messages)) }
}

/// The id of the content: the one it has, the one it came with, or the next.
async fn keep(
    tx: &mut Tx,
    act: &Act<'_>,
    subject: &Subject,
    new: &Prepared,
    (wanted, known): (Option<SchemaId>, Option<SchemaId>),
) -> Result<SchemaId, Wrong> {
    if let Some(known) = known {
        return Ok(known);
    }
    let context = &subject.context;
    if let Some(id) = wanted {
        if tx.stored_schema(context, id).await?.is_some() {
            return Err(Wrong::NotPermitted(format!(
                "Overwrite new schema with id {id} in context {} is not permitted.",
                context.prefix()
            )));
        }
        if id.0 < 1 || !tx.id_is_near(context, id).await? {
            return Err(Wrong::NotPermitted(format!(
                "Schema id {id} lies too far from the ids given so far / 模式编号 {id} 与已分配的编号相距过远"
            )));
        }
    }
    let id = tx.keep_schema(context, &new.content, wanted, act.now).await?;
    tx.keep_references(context, id, &new.content.beside.references).await?;
    Ok(id)
}
