//! What every action is given and how it ends: caller, time, ids, rules of the deployment, the claim of an idempotency
//! key, and one transaction for the change, its event and its stored result.

use chrono::{FixedOffset, NaiveDate};

use crate::account::Caller;
use crate::audit::{Actor, Event, What};
use crate::clock::{Ids, Time};
use crate::error::{Code, Refusal};
use crate::ids::{AccountId, EventId};
use crate::ports::Claim;
use crate::store::{Note, Store, StoredResult, Tx};

/// What a deployment sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Whoever puts something in force must not have written it.
    pub four_eyes: bool,
    /// The zone of dates: a grant ends with its last day there.
    pub zone: FixedOffset,
    /// The master handle key of new grants.
    pub handle_key: String,
    /// The pseudonym key of new grants.
    pub pseudonym_key: String,
    /// Before the names of topics, and so of the subjects of resources.
    pub topic_prefix: String,
    /// The most subscriptions of a grant.
    pub subscriptions: u32,
}

/// One call of an action.
#[derive(Clone, Copy)]
pub struct Act<'a> {
    pub caller: &'a Caller,
    pub now: Time,
    pub ids: &'a dyn Ids,
    pub rules: &'a Rules,
    pub claim: Option<&'a Claim>,
}

/// What an action did, or under the same idempotency key had done before.
#[derive(Debug, Clone, PartialEq)]
pub struct Done<T> {
    pub object: T,
    /// Done before: nothing happened now, and a secret that was shown then is not shown again.
    pub replayed: bool,
}

/// A begun action: fresh, or with what the first call under its key did.
pub(super) enum Begun {
    Fresh(Tx),
    Before(Tx, StoredResult),
}

impl<T> Done<T> {
    pub(super) fn now(object: T) -> Self {
        Self { object, replayed: false }
    }

    /// It is so already: nothing happened now either.
    pub(super) fn already(object: T) -> Self {
        Self { object, replayed: true }
    }

    /// The object as it is today; it may be gone.
    pub(super) fn before(object: Option<T>) -> Result<Self, Refusal> {
        object.map(|object| Self { object, replayed: true }).ok_or_else(|| {
            Refusal::new(
                Code::NotFound,
                "这个 Idempotency-Key 对应的操作早已完成,其对象已不存在",
                "this Idempotency-Key was used before, and what it made is gone",
            )
        })
    }
}

impl Act<'_> {
    /// Opens the transaction and holds the claimed key.
    pub(super) async fn begin(&self, store: &Store) -> Result<Begun, Refusal> {
        let mut tx = store.begin().await?;
        let Some(claim) = self.claim else { return Ok(Begun::Fresh(tx)) };
        match tx.claim(claim).await? {
            Some(result) => Ok(Begun::Before(tx, result)),
            None => Ok(Begun::Fresh(tx)),
        }
    }

    /// Writes the events, keeps the result under the claimed key, commits.
    pub(super) async fn finish(
        &self,
        mut tx: Tx,
        status: u16,
        object: impl ToString,
        events: Vec<What>,
    ) -> Result<(), Refusal> {
        let actor = Actor::from(self.caller);
        tx.record_all(&in_order(self.ids, self.now, &actor, events)).await?;
        if let Some(claim) = self.claim {
            let result = StoredResult { status, object: object.to_string() };
            tx.keep_result(claim, &result, self.now).await?;
        }
        tx.finish().await
    }

    /// Keeps a free text outside the log; answers what its event holds of it.
    pub(super) async fn note(
        &self,
        tx: &mut Tx,
        about: (&str, &(dyn ToString + Sync)),
        action: &str,
        text: Option<&str>,
    ) -> Result<Option<crate::audit::Digest>, Refusal> {
        let Some(text) = text else { return Ok(None) };
        check_text(text)?;
        let digest = Note::digest_of(text)?;
        tx.keep_note(&Note {
            id: self.ids.uuid(self.now),
            kind: about.0.to_owned(),
            object: about.1.to_string(),
            action: action.to_owned(),
            digest: digest.to_string(),
            text: text.to_owned(),
            written_by: self.author(),
            written_at: self.now,
        })
        .await?;
        Ok(Some(digest))
    }

    fn author(&self) -> AccountId {
        self.caller.account
    }
}

/// The events of one change, with ids in their order: a list of the log tells them as they were.
pub(super) fn in_order(ids: &dyn Ids, now: Time, actor: &Actor, events: Vec<What>) -> Vec<Event> {
    let mut fresh: Vec<EventId> = events.iter().map(|_| EventId(ids.uuid(now))).collect();
    fresh.sort_unstable();
    fresh.into_iter().zip(events).map(|(id, what)| Event::new(id, now, actor.clone(), what)).collect()
}

impl Rules {
    /// The day of a moment in the deployment's zone.
    pub(super) fn day(&self, now: Time) -> NaiveDate {
        now.with_timezone(&self.zone).date_naive()
    }
}

/// Longest reason, answer or reference of a filing.
const LONGEST_TEXT: usize = 2000;

fn check_text(text: &str) -> Result<(), Refusal> {
    let mut problems = crate::problems::Problems::default();
    crate::problems::text(LONGEST_TEXT).check(&mut problems, Code::Invalid, "text", text);
    problems.check()
}

/// `If-Match`: the version that the caller read, if it named one.
pub(super) fn check_version(expected: Option<i32>, stored: i32) -> Result<(), Refusal> {
    if expected.is_none_or(|expected| expected == stored) {
        return Ok(());
    }
    Err(Refusal::new(
        Code::PreconditionFailed,
        format!("已被他人修改:现为第 {stored} 版;请重新读取后再改"),
        format!("somebody changed it: its version is {stored} now; read it again, then change it"),
    )
    .with("version", stored))
}

/// `If-Match` of an update, which must name it.
pub(super) fn need_version(expected: Option<i32>) -> Result<(), Refusal> {
    if expected.is_some() {
        return Ok(());
    }
    Err(Refusal::new(
        Code::PreconditionRequired,
        "更新须以 If-Match 写明所依据的版本(读取时的 ETag)",
        "an update names the version it changes in If-Match (the ETag it was read with)",
    ))
}

/// A code for a unique violation that says what is taken.
pub(super) fn taken(refusal: Refusal, zh: &str, en: &str, path: &str) -> Refusal {
    if refusal.code == Code::Conflict {
        Refusal::new(Code::Conflict, zh, en).with("path", path)
    } else {
        refusal
    }
}
