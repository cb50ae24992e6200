//! Changed items judged before anything is locked, as that takes the longer the more grants and versions there are: in the
//! caller's turn (`think.rs`) what they rest on is read, the connection given back, and it is thought about. What was
//! found counts under the lock if nothing changed that it rests on; else it is looked at once more, under the lock.

use super::act::Act;
use super::resource::not_found;
use super::think::{Place, turn};
use crate::account::Caller;
use crate::clock::Time;
use crate::compat::Work;
use crate::error::{Code, Refusal};
use crate::ids::{ResourceCode, ResourceNumber};
use crate::resource::lifecycle::{self, Act as Step};
use crate::resource::{Item, Resource, ResourceFile, ResourceState, check};
use crate::schema::adopt;
use crate::store::{Footing, Ground, Judged, Store, Tx};

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

/// When it is thought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Before the lock.
    Ahead,
    /// Under it, where nothing changes any more. The turn comes before the lock, which nobody holds to stand in line.
    Last,
}

/// What was found before the lock, or is to be found under it.
pub(super) enum Foreseen {
    Found { footing: Footing, found: Result<Found, Refusal> },
    Open { turn: Place, proposed: Proposed, work: Work },
}

#[derive(Debug)]
pub(super) struct Found {
    pub items: Vec<Item>,
    /// Nothing where they are those in force.
    pub judged: Option<Judged>,
}

impl Found {
    fn of(ground: Ground, proposed: Proposed, mut work: Work) -> Result<Self, Refusal> {
        let items = proposed.items(&ground.entry, &mut work)?;
        let changed = items != ground.entry.file.items;
        let judged = if changed { Some(ground.judge(&items, &mut work)?) } else { None };
        Ok(Self { items, judged })
    }
}

/// Judges what the step would put in the place of the entry's items, or propose. `None` where there is nothing to judge or
/// what is wrong is the step's to say.
pub(super) async fn foresee(
    store: &Store,
    act: &Act<'_>,
    code: &ResourceCode,
    (step, expected): (Step, Option<i32>),
    (look, proposed, work): (Look, Proposed, &Work),
) -> Result<Option<Foreseen>, Refusal> {
    let work = work.clone();
    if look == Look::Last {
        return Ok(Some(Foreseen::Open { turn: turn(act.caller).await?, proposed, work }));
    }
    let mut session = store.read().await?;
    let Some(number) = session.resource_number(code).await? else { return Ok(None) };
    let Some(entry) = session.resource(number).await? else { return Ok(None) };
    drop(session);
    let may = lifecycle::may(act.caller, &entry, step, act.rules.four_eyes);
    let other = expected.is_some_and(|expected| expected != entry.version);
    if may.is_err() || other || entry.state == ResourceState::Draft || stays(&proposed, &entry) {
        return Ok(None);
    }
    let turn = turn(act.caller).await?;
    let Some(ground) = store.read().await?.ground(number, act.now).await? else { return Ok(None) };
    let footing = ground.footing();
    let found = turn.think(move || Found::of(ground, proposed, work)).await?;
    Ok(Some(Foreseen::Found { footing, found }))
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
    /// What was found, if all that was looked at still stands under the lock; `None` where it is to be looked at again.
    pub(super) async fn settle(
        self,
        tx: &mut Tx,
        (entry, now): (&Resource, Time),
    ) -> Result<Option<Found>, Refusal> {
        match self {
            Self::Found { footing, found } => {
                let stands = tx.footing(entry.number).await? == Some(footing);
                if stands { found.map(Some) } else { Ok(None) }
            }
            Self::Open { turn, proposed, work } => {
                let Some(ground) = tx.ground(entry.number, now).await? else { return Ok(None) };
                turn.think(move || Found::of(ground, proposed, work)).await?.map(Some)
            }
        }
    }
}

/// What becomes of the entry if these items take the place of its own; `None` where it is to be looked at again.
pub(super) async fn judge(
    tx: &mut Tx,
    (entry, now): (&Resource, Time),
    items: &[Item],
    foreseen: Option<Foreseen>,
) -> Result<Option<Judged>, Refusal> {
    let Some(foreseen) = foreseen else { return Ok(None) };
    let found = foreseen.settle(tx, (entry, now)).await?;
    Ok(found.filter(|found| found.items == items).and_then(|found| found.judged))
}

/// Does what looks ahead, and where something changed between its judgement and its lock, once more under the lock: who
/// changes an entry's grants keeps nobody from changing the entry.
pub(super) async fn looking_again<T, F: Future<Output = Result<Option<T>, Refusal>>>(
    attempt: impl Fn(Look) -> F,
) -> Result<T, Refusal> {
    if let Some(done) = attempt(Look::Ahead).await? {
        return Ok(done);
    }
    attempt(Look::Last).await?.ok_or_else(not_judged)
}

fn not_judged() -> Refusal {
    Refusal::new(Code::Internal, "未能核对修订", "the change was not judged")
}

/// What a proposal would break, for `schema check`: nothing changes. Whether the caller may ask is known already.
pub async fn check_schema(
    store: &Store,
    caller: &Caller,
    resource: ResourceNumber,
    proposed: Proposed,
    now: Time,
) -> Result<Judged, Refusal> {
    let turn = turn(caller).await?;
    let ground = store.read().await?.ground(resource, now).await?.ok_or_else(not_found)?;
    let judged = turn.think(move || {
        let mut work = Work::default();
        let items = proposed.items(&ground.entry, &mut work)?;
        ground.judge(&items, &mut work)
    });
    judged.await?
}

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;
