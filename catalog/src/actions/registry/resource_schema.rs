//! Registering under a subject of a resource: what is there has its id; what is new is put in force by revising the
//! entry, which this may do by itself only for the head of its agency, and only where the entry says so.

use super::Registering;
use super::prepare::{How, compared, found, kept, prepare};
use crate::account::Role;
use crate::actions::Act;
use crate::compat::Policy;
use crate::registry::{Candidate, OfResource, Registered, Subject, Wrong, by_revising, incompatible};
use crate::resource::ResourceState;
use crate::store::Tx;
use crate::visible::{self, Sight};

pub(super) async fn register(
    mut tx: Tx,
    act: &Act<'_>,
    subject: &Subject,
    of: OfResource,
    candidate: &Candidate,
    how: Registering,
) -> Result<Registered, Wrong> {
    if visible::standing(act.caller, of.provider, of.state, of.share_type) != Sight::Whole {
        return Err(by_revising(subject));
    }
    let config = tx.config_in_scope(subject).await?;
    let (versions, kept) = (tx.versions_of(subject).await?, kept(&mut tx, subject).await?);
    let sent = (candidate.schema.as_str(), &candidate.beside());
    let how = How::new(&config, false, how.normalize);
    let new = prepare(&mut tx, act.caller, subject, sent, how).await?;
    let known = tx.stored_id(&subject.context, &new.content).await?;
    let same = versions.iter().rfind(|one| !one.deleted && Some(one.id) == known).copied();
    let same = match same {
        Some(same) => Some(same),
        None => found(&mut tx, subject, &new, &versions, &kept).await?.filter(|one| !one.deleted),
    };
    if let Some(same) = same {
        return Ok(tx.registered(subject, same).await?);
    }
    if !may_put_in_force(&mut tx, act, of).await? {
        return Err(by_revising(subject));
    }
    let against = compared(&mut tx, subject, &new, (&versions, &kept), &config).await?;
    let messages = incompatible(&new.schema, &against, config.level(), Policy::House);
    if !messages.is_empty() {
        return Err(Wrong::Incompatible(subject.to_string(), messages));
    }
    // Here items are made of the text and the entry is revised with them, once entries can be revised with new items.
    Err(by_revising(subject))
}

async fn may_put_in_force(tx: &mut Tx, act: &Act<'_>, of: OfResource) -> Result<bool, Wrong> {
    let entry = tx.resource(of.number).await?;
    let registers = entry.is_some_and(|entry| entry.file.auto_register);
    let head = act.caller.agency == of.provider && act.caller.is(Role::Reviewer);
    Ok(registers && head && of.state == ResourceState::Published)
}
