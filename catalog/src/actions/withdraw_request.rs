//! The consumer takes its request back.

use super::act::{Act, Done};
use super::request::{Opened, open};
use crate::audit::RequestWithdrawn;
use crate::error::Refusal;
use crate::ids::RequestId;
use crate::request::Request;
use crate::request::lifecycle::Act as Step;
use crate::store::Store;

pub async fn withdraw_request(
    store: &Store,
    act: &Act<'_>,
    id: RequestId,
    expected: Option<i32>,
) -> Result<Done<Request>, Refusal> {
    let held = match open(store, act, id, Step::Withdraw, expected).await? {
        Opened::Fresh(held) => held,
        Opened::Before(done) => return Ok(*done),
    };
    let (version, resource) = (held.request.version, held.request.resource);
    held.save(act, vec![RequestWithdrawn { request: id, version, resource }.into()]).await
}
