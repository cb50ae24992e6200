//! Changed items judged before anything is locked, as that takes the longer the more grants and versions there are: what
//! they rest on is read, the connection given back, and it is thought about in the caller's turn (`think.rs`). What was
//! found counts under the lock if nothing changed that it rests on; else it is looked at again.

use super::act::Act;
use super::think::think;
use crate::account::Caller;
use crate::clock::Time;
use crate::compat::Work;
use crate::error::{Code, Refusal};
use crate::ids::ResourceCode;
use crate::resource::lifecycle::{self, Act as Step};
use crate::resource::{Item, Resource, ResourceFile, ResourceState, check};
use crate::schema::adopt;
use crate::store::{Footing, Judged, Store, Tx};

/// What is to take the place of an entry's items.
#[derive(Debug, Clone)]
pub enum Proposed {
    File(Box<ResourceFile>),
    /// An Avro schema's text, which means items.
    Schema(String),
    /// The revision that waits beside it.
    Waiting,
}

impl Proposed {
    /// Its items, checked as they are where they come into force.
    pub(super) fn items(self, entry: &Resource, work: &mut Work) -> Result<Vec<Item>, Refusal> {
        let file = match self {
            Self::File(file) => *file,
            Self::Schema(text) => {
                work.take_text(text.len());
                ResourceFile { items: adopt(&text, &entry.file.items)?, ..entry.file.clone() }
            }
            Self::Waiting => entry.waiting()?.file.clone(),
        };
        check::check_revision(entry, &file)?;
        Ok(file.items)
    }
}

/// What was found before the lock.
#[derive(Debug)]
pub(super) struct Foreseen {
    footing: Option<Footing>,
    found: Result<Found, Refusal>,
}

#[derive(Debug)]
struct Found {
    items: Vec<Item>,
    /// Nothing where they are those in force.
    judged: Option<Judged>,
}

/// Judges what the step would put in the place of the entry's items, or propose. `None` where there is nothing to judge or
/// what is wrong is the step's to say.
pub(super) async fn foresee(
    store: &Store,
    act: &Act<'_>,
    code: &ResourceCode,
    step: Step,
    (proposed, work): (Proposed, &Work),
) -> Result<Option<Foreseen>, Refusal> {
    let mut session = store.read().await?;
    let Some(number) = session.resource_number(code).await? else { return Ok(None) };
    let Some(entry) = session.resource(number).await? else { return Ok(None) };
    let may = lifecycle::may(act.caller, &entry, step, act.rules.four_eyes);
    if may.is_err() || entry.state == ResourceState::Draft || stays(&proposed, &entry) {
        return Ok(None);
    }
    let ground = session.ground(number, act.now).await?;
    drop(session);
    let (footing, mut work) = (ground.footing(), work.clone());
    let found = think(act.caller, move || {
        let items = proposed.items(&entry, &mut work)?;
        let changed = items != entry.file.items;
        let judged = if changed { Some(ground.judge(&items, &mut work)?) } else { None };
        Ok(Found { items, judged })
    });
    Ok(Some(Foreseen { footing, found: found.await? }))
}

/// Whether it is seen without thought that the items stay.
fn stays(proposed: &Proposed, entry: &Resource) -> bool {
    let same = |file: &ResourceFile| file.items == entry.file.items;
    match proposed {
        Proposed::File(file) => same(file),
        Proposed::Waiting => entry.proposal.as_ref().is_none_or(|waiting| same(&waiting.file)),
        Proposed::Schema(_) => false,
    }
}

impl Foreseen {
    /// The items that a schema means, if all that was looked at still stands.
    pub(super) async fn items(&self, tx: &mut Tx, entry: &Resource) -> Result<Option<Vec<Item>>, Refusal> {
        if tx.footing(entry.number).await? != self.footing {
            return Ok(None);
        }
        self.found.as_ref().map(|found| Some(found.items.clone())).map_err(Refusal::clone)
    }
}

/// What was foreseen of these items; `None` where something changed since, and it is to be looked at again.
pub(super) async fn judge(
    tx: &mut Tx,
    entry: &Resource,
    items: &[Item],
    foreseen: Option<Foreseen>,
) -> Result<Option<Judged>, Refusal> {
    let Some(Foreseen { footing, found }) = foreseen else { return Ok(None) };
    if tx.footing(entry.number).await? != footing {
        return Ok(None);
    }
    let found = found?;
    Ok(found.judged.filter(|_| found.items == items))
}

/// How often it is looked again at what others changed meanwhile.
const ATTEMPTS: usize = 10;

/// Does what looks again until nothing changes between its judgement and its lock.
pub(super) async fn looking_again<T, F: Future<Output = Result<Option<T>, Refusal>>>(
    attempt: impl Fn() -> F,
) -> Result<T, Refusal> {
    for _ in 0..ATTEMPTS {
        if let Some(done) = attempt().await? {
            return Ok(done);
        }
    }
    Err(Refusal::new(
        Code::TooManyAtOnce,
        "同时变更该信息资源或其授权的过多:请稍后再试",
        "too many change the resource or its grants at once: try again later",
    ))
}

/// What a proposal would break, for `schema check`: nothing changes. Whether the caller may ask is known already.
pub async fn check_schema(
    store: &Store,
    caller: &Caller,
    entry: &Resource,
    proposed: Proposed,
    now: Time,
) -> Result<Judged, Refusal> {
    let ground = store.read().await?.ground(entry.number, now).await?;
    let entry = entry.clone();
    let judged = think(caller, move || {
        let mut work = Work::default();
        let items = proposed.items(&entry, &mut work)?;
        ground.judge(&items, &mut work)
    });
    judged.await?
}

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;
