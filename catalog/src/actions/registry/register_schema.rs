//! A schema becomes a version of a subject, or is one already. Equal content has one id in its context. It is read and
//! compared before anything is locked: whoever asks for what is there, or brings what breaks it, keeps nobody waiting.

use std::sync::Arc;

use super::look_up_schema::Question;
use super::prepare::{How, Prepared, Sent, broken, found};
use super::{begin_referring, named, resource_schema, setting};
use crate::actions::Act;
use crate::audit::SchemaRegistered;
use crate::compat::Work;
use crate::error::{Code, Refusal};
use crate::ids::SchemaId;
use crate::registry::{
    Beside, Candidate, Config, Earlier, Given, Mode, OfResource, Outcome, Owner, Registered, Subject,
    VERSION_PROPERTY, Wrong, check_free, check_writer, next, place,
};
use crate::store::{Session, Store, Tx};

/// How a schema is registered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Registering {
    pub normalize: bool,
    /// Whatever it breaks.
    pub force: bool,
}

/// How often it is looked again at what others changed meanwhile.
const ATTEMPTS: usize = 10;

pub async fn register_schema(
    store: &Store,
    act: &Act<'_>,
    subject: &Subject,
    candidate: &Candidate,
    how: Registering,
) -> Result<Registered, Wrong> {
    subject.check()?;
    candidate.check()?;
    let asked = Asked { act, subject, candidate, how };
    for _ in 0..ATTEMPTS {
        let mut session = store.read().await?;
        let before = Before::read(&mut session, subject).await?;
        if let Some(of) = asked.check(&before)? {
            drop(session);
            return resource_schema::register(store, act, subject, (of, before.mode), (candidate, how)).await;
        }
        drop(session);
        let may = before.mode.check_register(subject, candidate.given_id().is_some());
        if let Some(known) = asked.known(store, &before, may.is_ok()).await? {
            return Ok(known);
        }
        may?;
        let sent = asked.fetch(&mut store.read().await?, &before).await?;
        let new = sent.prepare(act.caller).await?;
        if let Some(one) = asked.judge(store, &before, &new).await? {
            return Ok(store.read().await?.registered(subject, one).await?);
        }
        let opening = before.owner.is_none().then_some(act.caller.agency);
        let to = new.referred.iter().map(|(to, _)| &to.context);
        let mut tx = begin_referring(store, &subject.context, opening, to).await?;
        if Before::read(&mut tx, subject).await? == before && still_refers(&mut tx, &new).await? {
            return asked.write(tx, &before, &new).await;
        }
    }
    Err(Wrong::Refused(Refusal::new(
        Code::TooManyAtOnce,
        "同时登记到该主题的过多:请稍后再试",
        "too many register under this subject at once: try again later",
    )))
}

/// What stands of the subject, and what counts for it.
#[derive(PartialEq)]
struct Before {
    owner: Option<Owner>,
    mode: Mode,
    config: Config,
    earlier: Vec<Earlier>,
}

impl Before {
    async fn read(session: &mut Session, subject: &Subject) -> Result<Self, Refusal> {
        Ok(Self {
            owner: session.subject_row(subject).await?.map(|row| row.owner),
            mode: session.mode_in_scope(subject).await?,
            config: session.config_in_scope(subject).await?,
            earlier: session.versions_of(subject).await?,
        })
    }
}

async fn still_refers(tx: &mut Tx, new: &Prepared) -> Result<bool, Refusal> {
    for (to, version) in &new.referred {
        if tx.one_version(to, version.version, version.deleted).await? != Some(*version) {
            return Ok(false);
        }
    }
    Ok(true)
}

struct Asked<'a> {
    act: &'a Act<'a>,
    subject: &'a Subject,
    candidate: &'a Candidate,
    how: Registering,
}

impl Asked<'_> {
    /// Whether the caller may; a resource's subject is another matter.
    fn check(&self, before: &Before) -> Result<Option<OfResource>, Wrong> {
        let Self { act, subject, .. } = self;
        match &before.owner {
            None => {
                check_free(&act.rules.topic_prefix, subject)?;
                check_writer(act.caller, "Write", subject)?;
            }
            Some(Owner::Resource(of)) => return Ok(Some(*of)),
            Some(owner) => owner.check_write(act.caller, "Write", subject)?,
        }
        Ok(None)
    }

    /// What was sent, if it stands just as it was sent: it is given no metadata of the version before then. It is told
    /// where nothing may be registered too, completed or not: whoever starts asks for what it has registered before.
    async fn known(&self, store: &Store, before: &Before, may: bool) -> Result<Option<Registered>, Wrong> {
        let Self { act, subject, candidate, how } = self;
        // Whoever says a version and no id asks for a new one.
        if candidate.given_version().is_some() && candidate.given_id().is_none() {
            return Ok(None);
        }
        let (caller, normalize) = (act.caller, how.normalize);
        let question = Question { store, caller, candidate, normalize, with_deleted: false, numbered: true };
        let mut work = Work::default();
        if !may {
            return question.under(subject, &mut work).await;
        }
        let standing: Vec<Earlier> = before.earlier.iter().filter(|one| !one.deleted).copied().collect();
        // What is imported is taken as it was sent, and looked for so below.
        if standing.is_empty() || before.config.completes() || before.mode.imports() {
            return Ok(None);
        }
        let given = candidate.beside();
        match question.find(subject, &given, &standing, &before.config, &mut work).await? {
            Some(one) => Ok(Some(store.read().await?.registered(subject, one).await?)),
            None => Ok(None),
        }
    }

    fn given(&self, before: &Before) -> Given {
        let (id, version) = (self.candidate.given_id(), self.candidate.given_version());
        Given { id, version, imports: before.mode.imports() }
    }

    /// The version that has it already; `None` if it may become a new one.
    async fn judge(
        &self,
        store: &Store,
        before: &Before,
        new: &Arc<Prepared>,
    ) -> Result<Option<Earlier>, Wrong> {
        let Self { act, subject, .. } = self;
        new.content.beside.check_size()?;
        let known = store.read().await?.stored_id(&subject.context, &new.content).await?;
        let outcome = place(subject, &before.earlier, known, self.given(before))?;
        let mut work = Work::default();
        if let Some(version) = self.stands(store, new, before, &outcome, &mut work).await? {
            return Ok(Some(version));
        }
        if !before.mode.imports() && !self.how.force {
            let (by, earlier) = ((act.caller, *subject), &before.earlier);
            let messages = broken(store, by, new, earlier, &before.config, &mut work).await?;
            if !messages.is_empty() {
                return Err(Wrong::Incompatible(subject.to_string(), messages));
            }
        }
        Ok(None)
    }

    /// What was sent, completed from the version before and from the settings.
    async fn fetch(&self, session: &mut Session, before: &Before) -> Result<Sent, Wrong> {
        let Self { act, subject, candidate, .. } = self;
        let how = How::new(&before.config, before.mode.imports(), self.how.normalize);
        let given = candidate.beside();
        if before.mode.imports() {
            return Sent::fetch(session, act.caller, subject, (&candidate.schema, &given), how).await;
        }
        let latest = match before.earlier.iter().rfind(|one| !one.deleted) {
            Some(one) => session.stored_schema(&subject.context, one.id).await?,
            None => None,
        };
        let latest = latest.as_ref().map(|latest| &latest.content);
        let mut beside = before.config.filled(&given, latest.map(|latest| &latest.beside));
        let mut text = candidate.schema.as_str();
        if !candidate.has_text() {
            let latest = latest.ok_or_else(|| Wrong::InvalidSchema("Empty schema".to_owned()))?;
            text = &latest.text;
            beside.references.clone_from(&latest.beside.references);
        }
        number(candidate, &mut beside, next(&before.earlier));
        Sent::fetch(session, act.caller, subject, (text, &beside), how).await
    }

    /// The version that has it already.
    async fn stands(
        &self,
        store: &Store,
        new: &Arc<Prepared>,
        before: &Before,
        outcome: &Outcome,
        work: &mut Work,
    ) -> Result<Option<Earlier>, Wrong> {
        if let Outcome::Stands(version) = outcome {
            return Ok(before.earlier.iter().find(|one| one.version == *version).copied());
        }
        let given = self.given(before);
        if given.version.is_some() {
            return Ok(None);
        }
        let fits = |one: &&Earlier| !one.deleted && given.id.is_none_or(|id| one.id.0 == id);
        let standing: Vec<Earlier> = before.earlier.iter().filter(fits).copied().collect();
        found(store, (self.act.caller, self.subject), new, &standing, work).await
    }

    /// Only the id may have become known since it was judged.
    async fn write(&self, mut tx: Tx, before: &Before, new: &Prepared) -> Result<Registered, Wrong> {
        let Self { act, subject, .. } = self;
        let known = tx.stored_id(&subject.context, &new.content).await?;
        let outcome = place(subject, &before.earlier, known, self.given(before))?;
        let Outcome::New { version, id, replaced } = outcome else { return Err(Wrong::SchemaNotFound(None)) };
        if before.owner.is_none() {
            setting::open_subject(&mut tx, act, subject).await?;
        }
        let id = keep(&mut tx, act, subject, new, (id, known)).await?;
        for older in replaced {
            if tx.referrers(subject, older).await?.is_empty() {
                tx.remove_version(subject, older).await?;
            }
        }
        tx.insert_version(subject, version, id, act.now).await?;
        let (fingerprint, guid) = (new.content.fingerprint(), new.content.guid());
        let event =
            SchemaRegistered { subject: named(subject), subject_version: version, schema: id, fingerprint };
        act.finish(tx, 200, id, vec![event.into()]).await?;
        Ok(Registered {
            subject: (*subject).clone(),
            version,
            id,
            guid,
            content: new.content.clone(),
            deleted: false,
            at: act.now,
        })
    }
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
