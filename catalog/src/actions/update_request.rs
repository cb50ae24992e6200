//! Puts a new file in the place of a request's that was not submitted, or that needs material.

use super::act::{Act, Done, need_version};
use super::request::{Opened, open};
use super::write_request::consumer;
use crate::audit::{Digest, RequestChanged};
use crate::error::{Code, Refusal};
use crate::ids::RequestId;
use crate::request::lifecycle::Act as Step;
use crate::request::{Request, RequestFile, check};
use crate::store::Store;

pub async fn update_request(
    store: &Store,
    act: &Act<'_>,
    id: RequestId,
    expected: Option<i32>,
    file: RequestFile,
) -> Result<Done<Request>, Refusal> {
    need_version(expected)?;
    let mut held = match open(store, act, id, Step::Change, expected).await? {
        Opened::Fresh(held) => held,
        Opened::Before(done) => return Ok(*done),
    };
    if consumer(&mut held.tx, &file).await? != held.request.consumer {
        return Err(Refusal::new(
            Code::Invalid,
            "consumer:申请不能改换申请方,请另行申请",
            "consumer: a request keeps its consumer; write another",
        )
        .with("path", "consumer"));
    }
    check::check(&file, &held.entry, act.rules.day(act.now))?;
    held.request.file = file;
    // Four eyes look at who wrote what is there now.
    held.request.written_by = act.caller.account;
    let event = RequestChanged {
        request: id,
        version: held.request.version,
        resource: held.request.resource,
        file: Digest::of_file(&held.request.file)?,
    };
    held.save(act, vec![event.into()]).await
}
