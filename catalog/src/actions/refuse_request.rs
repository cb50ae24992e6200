//! The provider refuses, with a coded reason and its text.

use super::act::{Act, Done};
use super::request::{Opened, open};
use crate::audit::RequestRefused;
use crate::error::Refusal;
use crate::ids::RequestId;
use crate::request::lifecycle::Act as Step;
use crate::request::{RefusalReason, Request};
use crate::store::Store;

pub async fn refuse_request(
    store: &Store,
    act: &Act<'_>,
    id: RequestId,
    expected: Option<i32>,
    reason: RefusalReason,
    text: Option<&str>,
) -> Result<Done<Request>, Refusal> {
    let mut held = match open(store, act, id, Step::Refuse, expected).await? {
        Opened::Fresh(held) => held,
        Opened::Before(done) => return Ok(*done),
    };
    let answer = act.note(&mut held.tx, ("request", &id), "refuse", text).await?;
    held.answered(act, text);
    let (version, resource) = (held.request.version, held.request.resource);
    let event = RequestRefused { request: id, version, resource, reason, answer };
    held.save(act, vec![event.into()]).await
}
