//! What the actions on a request share: opening it with its resource, and saving it with its events.

use super::act::{Act, Begun, Done, check_version};
use super::resource;
use crate::audit::What;
use crate::error::Refusal;
use crate::ids::RequestId;
use crate::request::Request;
use crate::request::lifecycle::{self, Act as Step};
use crate::resource::Resource;
use crate::store::{Lock, LockClass, Store, Tx};

/// A request held for a change: its state is already the one after the step, its version one above the stored.
pub(super) struct Held {
    pub tx: Tx,
    pub request: Request,
    pub entry: Resource,
}

pub(super) enum Opened {
    Fresh(Box<Held>),
    Before(Box<Done<Request>>),
}

/// Opens a request for one step of its life.
pub(super) async fn open(
    store: &Store,
    act: &Act<'_>,
    id: RequestId,
    step: Step,
    expected: Option<i32>,
) -> Result<Opened, Refusal> {
    let mut tx = match act.begin(store).await? {
        Begun::Fresh(tx) => tx,
        Begun::Before(tx, result) => {
            return before(tx, &result.object).await.map(Box::new).map(Opened::Before);
        }
    };
    let number = tx.request(id).await?.ok_or_else(not_found)?.resource;
    let provider = tx.resource(number).await?.ok_or_else(resource::not_found)?.provider;
    // A grant may come of it: a retirement, or the suspension of the provider, comes first or finds that grant.
    let locks = vec![Lock::on(LockClass::Agency, provider), Lock::on(LockClass::Topic, number)];
    tx.lock_all_shared(locks).await?;
    let mut request = tx.request_to_change(id).await?.ok_or_else(not_found)?;
    let entry = tx.resource(number).await?.ok_or_else(resource::not_found)?;
    lifecycle::may(act.caller, &request, entry.provider, step, act.rules.four_eyes)?;
    check_version(expected, request.version)?;
    request.state = lifecycle::apply(request.state, step)?;
    request.version += 1;
    Ok(Opened::Fresh(Box::new(Held { tx, request, entry })))
}

impl Held {
    /// Saves the request, writes its events, commits.
    pub(super) async fn save(mut self, act: &Act<'_>, events: Vec<What>) -> Result<Done<Request>, Refusal> {
        self.tx.update_request(&self.request).await?;
        act.finish(self.tx, 200, self.request.id, events).await?;
        Ok(Done::now(self.request))
    }

    /// Notes who answered, and when.
    pub(super) fn answered(&mut self, act: &Act<'_>, text: Option<&str>) {
        self.request.answered_by = Some(act.caller.account);
        self.request.answered_at = Some(act.now);
        self.request.answer = text.map(str::to_owned);
    }
}

/// The request of an earlier call with the same idempotency key.
pub(super) async fn before(mut tx: Tx, object: &str) -> Result<Done<Request>, Refusal> {
    Done::before(tx.request(object.parse()?).await?)
}

pub(super) fn not_found() -> Refusal {
    Refusal::not_found("申请", "request")
}
