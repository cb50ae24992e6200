//! Hands a draft to the reviewer of its agency.

use super::act::{Act, Done};
use super::resource::{Opened, open, save};
use crate::audit::{Digest, ResourceSubmitted};
use crate::error::Refusal;
use crate::ids::ResourceCode;
use crate::resource::Resource;
use crate::resource::lifecycle::Act as Step;
use crate::store::Store;

pub async fn submit_resource(
    store: &Store,
    act: &Act<'_>,
    code: &ResourceCode,
    expected: Option<i32>,
) -> Result<Done<Resource>, Refusal> {
    let (tx, mut entry) = match open(store, act, code, Step::Submit, expected).await? {
        Opened::Fresh(tx, entry) => (tx, entry),
        Opened::Before(done) => return Ok(done),
    };
    entry.submitted_by = Some(act.caller.account);
    let event = ResourceSubmitted {
        resource: entry.number,
        version: entry.version,
        file: Digest::of_file(&entry.file)?,
    };
    save(tx, act, entry, Step::Submit, vec![event.into()]).await
}
