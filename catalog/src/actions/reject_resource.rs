//! Sends an entry back to its writer, with the reason.

use super::act::{Act, Done};
use super::resource::{Opened, open, save};
use crate::audit::{Digest, ResourceRejected};
use crate::error::Refusal;
use crate::ids::ResourceCode;
use crate::resource::Resource;
use crate::resource::lifecycle::Act as Step;
use crate::store::Store;

pub async fn reject_resource(
    store: &Store,
    act: &Act<'_>,
    code: &ResourceCode,
    expected: Option<i32>,
    reason: Option<&str>,
) -> Result<Done<Resource>, Refusal> {
    let (mut tx, mut entry) = match open(store, act, code, Step::Reject, expected).await? {
        Opened::Fresh(tx, entry) => (tx, entry),
        Opened::Before(done) => return Ok(done),
    };
    entry.submitted_by = None;
    entry.approved_by = None;
    let reason = act.note(&mut tx, ("resource", &entry.number), "reject", reason).await?;
    let event = ResourceRejected {
        resource: entry.number,
        version: entry.version,
        file: Digest::of_file(&entry.file)?,
        reason,
    };
    save(tx, act, entry, Step::Reject, vec![event.into()]).await
}
