//! The consent of the consumer's data-office head (Decree 809 art. 20). What is unconditional is granted at once, on
//! the provider's standing consent.

use super::act::{Act, Done};
use super::grant::create;
use super::request::{Held, Opened, open};
use crate::audit::{Digest, RequestAgreed, RequestSubmitted, What};
use crate::error::{Code, Refusal};
use crate::ids::RequestId;
use crate::request::check::{self, Answer};
use crate::request::lifecycle::{self, Act as Step};
use crate::request::{Agreement, Request};
use crate::store::Store;

pub async fn submit_request(
    store: &Store,
    act: &Act<'_>,
    id: RequestId,
    expected: Option<i32>,
) -> Result<Done<Request>, Refusal> {
    let mut held = match open(store, act, id, Step::Submit, expected).await? {
        Opened::Fresh(held) => held,
        Opened::Before(done) => return Ok(*done),
    };
    // The resource may have changed since the request was written.
    let answer = check::check(&held.request.file, &held.entry, act.rules.day(act.now))?;
    held.request.submitted_by = Some(act.caller.account);
    held.request.submitted_at = Some(act.now);
    let submitted = RequestSubmitted {
        request: id,
        version: held.request.version,
        resource: held.request.resource,
        file: Digest::of_file(&held.request.file)?,
        consent: Digest::of_file(&held.request.file.consented_by)?,
    };
    let mut events = vec![submitted.into()];
    if answer == Answer::AtOnce {
        // Each version is a row's state of its own.
        held.tx.update_request(&held.request).await?;
        agree_at_once(&mut held, act, &mut events).await?;
    }
    held.save(act, events).await
}

async fn agree_at_once(held: &mut Held, act: &Act<'_>, events: &mut Vec<What>) -> Result<(), Refusal> {
    let consent = held.tx.standing_consent(held.entry.number).await?.ok_or_else(no_consent)?;
    let agreement = Agreement::default();
    held.request.state = lifecycle::apply(held.request.state, Step::Agree)?;
    held.request.version += 1;
    held.request.answered_by = Some(consent.by);
    held.request.answered_at = Some(act.now);
    let created = create(&mut held.tx, act, &held.request, &held.entry, &agreement).await?;
    held.request.grant = Some(created.grant);
    let agreed = RequestAgreed {
        request: held.request.id,
        version: held.request.version,
        resource: held.request.resource,
        grant: created.grant,
        standing: true,
        agreement: Digest::of_file(&agreement)?,
    };
    events.extend([agreed.into(), created.into()]);
    Ok(())
}

/// An unconditional entry that was published before its provider's head consented.
fn no_consent() -> Refusal {
    Refusal::new(
        Code::InvalidState,
        "提供方没有登记无条件共享的常年同意,不能自动授权;请联系提供方",
        "the provider's head has no standing consent on record, so nothing is granted at once; ask the provider",
    )
}
