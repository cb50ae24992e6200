//! A consumer writes what it asks for.

use super::act::{Act, Begun, Done};
use super::{request, resource};
use crate::audit::{Digest, RequestDrafted};
use crate::error::{Code, Refusal};
use crate::ids::{AgencyId, RequestId, ResourceCode};
use crate::request::{Request, RequestFile, RequestState, check, lifecycle};
use crate::resource::Resource;
use crate::store::{Store, Tx};
use crate::visible;

pub async fn write_request(
    store: &Store,
    act: &Act<'_>,
    file: RequestFile,
) -> Result<Done<Request>, Refusal> {
    let mut tx = match act.begin(store).await? {
        Begun::Fresh(tx) => tx,
        Begun::Before(tx, result) => return request::before(tx, &result.object).await,
    };
    let consumer = consumer(&mut tx, &file).await?;
    lifecycle::may_draft(act.caller, consumer)?;
    let entry = asked_for(&mut tx, act, &file).await?;
    check::check(&file, &entry, act.rules.day(act.now))?;
    let request = Request {
        id: RequestId(act.ids.uuid(act.now)),
        resource: entry.number,
        consumer,
        state: RequestState::Draft,
        version: 1,
        file,
        written_by: act.caller.account,
        submitted_by: None,
        submitted_at: None,
        answered_by: None,
        answered_at: None,
        answer: None,
        grant: None,
    };
    tx.insert_request(&request, act.now).await?;
    let event = RequestDrafted {
        request: request.id,
        version: request.version,
        resource: request.resource,
        consumer,
        file: Digest::of_file(&request.file)?,
    };
    act.finish(tx, 201, request.id, vec![event.into()]).await?;
    Ok(Done::now(request))
}

/// The agency that the file names as consumer.
pub(super) async fn consumer(tx: &mut Tx, file: &RequestFile) -> Result<AgencyId, Refusal> {
    let name = &file.consumer;
    let named = tx.agency_named(name).await?.map(|agency| agency.id);
    named.ok_or_else(|| {
        Refusal::new(
            Code::Invalid,
            format!("consumer:没有代码或别名为“{name}”的机构"),
            format!("consumer: no agency has the code or alias \"{name}\""),
        )
        .with("path", "consumer")
    })
}

async fn asked_for(tx: &mut Tx, act: &Act<'_>, file: &RequestFile) -> Result<Resource, Refusal> {
    let code: ResourceCode = file.resource.parse()?;
    let number = tx.resource_number(&code).await?.ok_or_else(resource::not_found)?;
    let entry = tx.resource(number).await?.ok_or_else(resource::not_found)?;
    visible::entry(act.caller, &entry)?;
    Ok(entry)
}
