//! Registering under a subject of a resource: what is there has its id; what is new is put in force by revising the
//! entry with the items that it means, which this does only for the head of its agency, and only where the entry says
//! so.

use super::Registering;
use super::prepare::{How, broken, found, prepare};
use crate::account::Role;
use crate::actions::Act;
use crate::actions::adopt_schema::adopt_schema;
use crate::compat::Policy;
use crate::error::{Code, Refusal};
use crate::ids::TopicName;
use crate::registry::{Candidate, OfResource, Part, Registered, Subject, Wrong, by_revising};
use crate::resource::{Resource, ResourceState};
use crate::store::Store;
use crate::visible::{self, Sight};

pub(super) async fn register(
    store: &Store,
    act: &Act<'_>,
    subject: &Subject,
    of: OfResource,
    (candidate, how): (&Candidate, Registering),
) -> Result<Registered, Wrong> {
    if visible::standing(act.caller, of.provider, of.state, of.share_type) != Sight::Whole {
        return Err(by_revising(subject));
    }
    let mut session = store.read().await?;
    let config = session.config_in_scope(subject).await?;
    let versions = session.versions_of(subject).await?;
    let sent = (candidate.schema.as_str(), &candidate.beside());
    let how = How::new(&config, false, how.normalize);
    let new = prepare(&mut session, act.caller, subject, sent, how).await?;
    let known = session.stored_id(&subject.context, &new.content).await?;
    let same = versions.iter().rfind(|one| !one.deleted && Some(one.id) == known).copied();
    let same = match same {
        Some(same) => Some(same),
        None => found(&mut session, subject, &new, &versions).await?.filter(|one| !one.deleted),
    };
    if let Some(same) = same {
        return Ok(session.registered(subject, same).await?);
    }
    let entry = session.resource(of.number).await?.filter(|_| new.content.beside.is_empty());
    let Some(entry) = entry.filter(|entry| may_put_in_force(act, subject, entry)) else {
        return Err(by_revising(subject));
    };
    let messages = broken(&mut session, subject, &new, &versions, (&config, Policy::House)).await?;
    if !messages.is_empty() {
        return Err(Wrong::Incompatible(subject.to_string(), messages));
    }
    let text = new.content.text;
    drop(session);
    // Whatever changed meanwhile, the revision judges again what stands then.
    adopt_schema(store, act, &entry.code, &text).await.map_err(|refusal| refused(subject, refusal))?;
    let mut session = store.read().await?;
    let latest = session.versions_of(subject).await?.pop();
    let latest = latest.ok_or_else(|| Wrong::SubjectNotFound(subject.to_string()))?;
    Ok(session.registered(subject, latest).await?)
}

/// For the head of its agency, where the entry says so, in the generation in force; keys never change.
fn may_put_in_force(act: &Act<'_>, subject: &Subject, entry: &Resource) -> bool {
    let head = act.caller.agency == entry.provider && act.caller.is(Role::Reviewer);
    let topic = TopicName::records(&act.rules.topic_prefix, entry.number, entry.generation);
    let current = subject.name == Part::Value.subject(&topic);
    head && current && entry.file.auto_register && entry.state == ResourceState::Published
}

/// What keeps an entry from being revised keeps the text from being registered.
fn refused(subject: &Subject, refusal: Refusal) -> Wrong {
    match refusal.code {
        Code::SchemaIncompatible => Wrong::Incompatible(subject.to_string(), vec![refusal.text.en]),
        code if code.status() < 500 => {
            Wrong::NotPermitted(format!("{} / {}", refusal.text.en, refusal.text.zh))
        }
        _ => Wrong::Refused(refusal),
    }
}
