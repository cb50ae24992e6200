//! The consent of the provider's data-office head: a grant comes of it.

use super::act::{Act, Done};
use super::grant::create;
use super::request::{Opened, open};
use crate::audit::{Digest, RequestAgreed};
use crate::error::Refusal;
use crate::ids::RequestId;
use crate::request::check;
use crate::request::lifecycle::Act as Step;
use crate::request::{Agreement, Request};
use crate::store::Store;

pub async fn agree_request(
    store: &Store,
    act: &Act<'_>,
    id: RequestId,
    expected: Option<i32>,
    agreement: &Agreement,
) -> Result<Done<Request>, Refusal> {
    let mut held = match open(store, act, id, Step::Agree, expected).await? {
        Opened::Fresh(held) => held,
        Opened::Before(done) => return Ok(*done),
    };
    check::check(&held.request.file, &held.entry, act.rules.day(act.now))?;
    held.answered(act, None);
    let created = create(&mut held.tx, act, &held.request, &held.entry, agreement).await?;
    held.request.grant = Some(created.grant);
    let agreed = RequestAgreed {
        request: id,
        version: held.request.version,
        resource: held.request.resource,
        grant: created.grant,
        standing: false,
        agreement: Digest::of_file(agreement)?,
    };
    held.save(act, vec![agreed.into(), created.into()]).await
}
